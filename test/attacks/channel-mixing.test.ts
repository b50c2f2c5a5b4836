// Two people, servers with accounts of their own, and 200 clients at once whose requests all have the same id: each nonce comes back to who
// sent it, with the account of that person, from a process or connection that only ever serves them.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { type LastingServer, startSocketServer, startSseServer } from '../support/lasting-servers.ts'

const NASTY = join(import.meta.dirname, '../support/nasty-child.js')
const CLIENTS = 200
const CALLS = 10
const own = { type: 'caller' } as const

let gateway: TestGateway
let sse: LastingServer
let socket: LastingServer
beforeAll(async () => {
  sse = await startSseServer()
  socket = await startSocketServer()
  gateway = await startGateway({
    servers: [
      { id: 'sse', url: sse.url, transport: 'sse', credentials: own },
      { id: 'socket', url: socket.url, credentials: own },
      { id: 'child', command: ['node', NASTY], credentials: own, credentialEnv: 'API_TOKEN' },
      { id: 'pooled', command: ['node', NASTY], instances: 'pool' },
    ],
    policy: { rules: [{ allow: ['*/*', 'method:*/*'], to: ['*'] }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([sse?.close(), socket?.close()])
})

interface Answer {
  readonly id: number
  readonly result: { readonly content: readonly { readonly text: string }[] }
}

async function begin(server: string, token: string, account: string) {
  let session: string | null = null
  const post = async (method: string, params: object): Promise<Answer> => {
    const response = await fetch(gateway.resource(server), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'x-upstream-authorization': `Bearer ${account}`,
        ...(session !== null && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    session ??= response.headers.get('mcp-session-id')
    return (await response.json()) as Answer
  }
  await post('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } })
  return async (name: string, args: object): Promise<string> => {
    const { id, result } = await post('tools/call', { name, arguments: args })
    expect(id).toBe(1)
    return result.content[0]?.text ?? ''
  }
}

it.each([
  ['sse', 'whoami', (said: string) => (JSON.parse(said) as { authorization: string }).authorization],
  ['socket', 'whoami', (said: string) => (JSON.parse(said) as { authorization: string }).authorization],
  ['child', 'env', (said: string) => `Bearer ${(JSON.parse(said) as { API_TOKEN: string }).API_TOKEN}`],
  ['pooled', 'env', (said: string) => `Bearer ${(JSON.parse(said) as { API_TOKEN?: string }).API_TOKEN}`],
] as const)(
  'at %s',
  async (server, asks, accountIn) => {
    const people = await Promise.all(
      [ANN, BOB].map(async (user) => ({
        token: await gateway.tokenFor(server, { user }),
        account: `of-${user.username}`,
      })),
    )
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, at) => {
        const { token, account } = people[at % 2] ?? { token: '', account: '' }
        return { account, call: await begin(server, token, account) }
      }),
    )
    const wrong: string[] = []
    await Promise.all(
      clients.map(async ({ account, call }, client) => {
        for (let at = 0; at < CALLS; at += 1) {
          const nonce = `${account} ${client} ${at} ${Math.random()}`
          const back = await call('echo', { nonce })
          if (back !== JSON.stringify({ nonce })) wrong.push(`${nonce} → ${back}`)
          const used = accountIn(await call(asks, {}))
          // What callers share has nobody's account.
          const due = server === 'pooled' ? 'Bearer undefined' : `Bearer ${account}`
          if (used !== due) wrong.push(`${account} → ${used}`)
        }
      }),
    )
    expect(wrong).toEqual([])
  },
  120_000,
)
