// One request without a credential at an address written as `POST /servers/{id}/mcp`: does anything answer there?
import type { TestGateway } from './gateway.ts'
import { refusedStatus, untilClosed } from './websocket.ts'

const NAMES: Readonly<Record<string, string>> = { id: 'notes', idp: 'idp' }

/** The status; for `WS` that of a refused handshake, 101 for one that is taken and closed again. */
export async function knock({ url }: Pick<TestGateway, 'url'>, at: string): Promise<number> {
  const [method = '', path = ''] = at.split(' ')
  const target = url + path.replace(/\{([a-z_]+)\}/g, (_, name: string) => NAMES[name] ?? name)
  if (method === 'WS') return handshake(target)
  const answer = await fetch(target, { method: method === 'ANY' ? 'GET' : method, redirect: 'manual' })
  await answer.body?.cancel()
  return answer.status
}

async function handshake(target: string): Promise<number> {
  try {
    await untilClosed(target)
    return 101
  } catch {
    return refusedStatus(target, {})
  }
}
