import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { trustedProxies } from '../../http/trusted-proxy.ts'
import { RequestError } from '../../protocol/errors.ts'
import type { Ask, Check } from '../check.ts'
import { passed } from '../verdict.ts'
import { field, Message } from './protobuf.ts'
import { envoyService } from './service.ts'

const socket = { remoteAddress: '127.0.0.1' } as Socket
const http = Buffer.concat([field(2, 'GET'), field(4, '/mcp?x=secret'), field(5, 'app.example.com')])
const QUESTION = field(1, field(4, field(2, http)))

interface Given {
  readonly check?: Check
  readonly timeout?: number
  readonly read?: () => Promise<Buffer>
}

/** What the service answers and leaves behind. */
async function ask({ check = async () => passed([]), timeout, read = async () => QUESTION }: Given) {
  const answered: number[] = []
  const lines: string[] = []
  const line = (detail: object, text?: string) => void lines.push(`${text} ${JSON.stringify(detail)}`)
  const serve = envoyService({
    check,
    ingresses: trustedProxies(['127.0.0.1'], '127.0.0.1:4445'),
    mayBePlain: () => false,
    bearerField: 'authorization',
    isOwnCookie: (name) => name === 'ours',
    limits: { body: 1000, bodyTimeout: 1000 },
    nextId: () => 'id-1',
    onAnswered: (status) => void answered.push(status),
    clock: () => 0,
    log: { info: line, warn: line, error: line },
    isTime: () => true,
  })
  const answer = new Message(await serve({ socket, timeout, read }))
  const denied = answer.has(2) ? answer.message(2) : undefined
  return { passes: answer.has(3), body: denied?.text(3) ?? '', answered, lines: lines.join('\n') }
}

describe('a question over gRPC', () => {
  it('passes what the check passes, and asks it about what was asked', async () => {
    const asked: Ask[] = []
    const { passes, answered, lines } = await ask({
      check: async (question) => {
        asked.push(question)
        return passed(['X-Forwarded-User', 'ann'])
      },
    })
    expect([passes, answered, lines]).toEqual([true, [200], ''])
    expect(asked[0]?.original).toEqual({
      method: 'GET',
      scheme: 'https',
      host: 'app.example.com',
      path: '/mcp',
      query: 'x=secret',
    })
  })

  it('that nobody answers in time is denied, and what comes later is nobody’s', async () => {
    const late = Promise.withResolvers<never>()
    const answer = await ask({ check: () => late.promise, timeout: 5 })
    expect([answer.passes, answer.answered]).toEqual([false, [503]])
    late.reject(new Error('much later'))
    const never = await ask({ read: () => new Promise<never>(() => undefined), timeout: 5 })
    expect([never.passes, never.answered]).toEqual([false, [503]])
  })

  it('whose check fails is denied with 500, and only the log knows why', async () => {
    const answer = await ask({
      check: async () => {
        throw new TypeError('the cellar is on fire')
      },
    })
    expect([answer.passes, answer.answered]).toEqual([false, [500]])
    expect(answer.body).not.toContain('cellar')
    expect(answer.lines).toContain('a request failed')
  })

  it('that does not arrive is denied', async () => {
    const read = async () => {
      throw new RequestError(413, 'body_too_large', 'The message is too large.')
    }
    const answer = await ask({ read })
    expect([answer.passes, answer.answered]).toEqual([false, [413]])
  })

  it('leaves no query in the log', async () => {
    const check = async () => {
      throw new RequestError(403, 'unknown_host', 'This host is not protected by this gate.')
    }
    const { lines } = await ask({ check })
    expect(lines).toContain('forwardAuth.resources')
    expect(lines).not.toContain('secret')
  })
})
