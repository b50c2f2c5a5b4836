// Rows E12 and E14 of the attack catalogue: two people with accounts of their own at one server. 200 clients at once, whose requests all have
// the same id, in either era, at servers of either era and at programs: what was sent comes back to who sent it, with that person's account,
// out of a session or process that never served the other. PORTCULLIS_MIXING times as many calls, where it is set.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type AccountServer, startAccountServer, type Whose } from '../support/account-servers.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'

const NASTY = join(import.meta.dirname, '../support/nasty-child.js')
const PEOPLE = [ANN, BOB] as const
const CLIENTS = 200
const CALLS = 25 * Number(process.env['PORTCULLIS_MIXING'] ?? 1)
const PASTED = { type: 'secret' } as const

let [old, young]: (AccountServer | undefined)[] = []
let gateway: TestGateway
beforeAll(async () => {
  ;[old, young] = await Promise.all([startAccountServer('legacy'), startAccountServer('modern')])
  gateway = await startGateway({
    servers: [
      { id: 'old', url: old.url, credentials: PASTED },
      { id: 'young', url: young.url, credentials: PASTED },
      { id: 'child', command: ['node', NASTY], credentials: PASTED, credentialEnv: 'API_TOKEN' },
    ],
    policy: { rules: [{ allow: ['*/*', 'method:*/*'], to: ['*'] }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([old?.close(), young?.close()])
})

interface Side {
  readonly account: string
  readonly token: string
}

/** The person pastes their secret where the gate's link leads. */
async function connected(server: string, { username }: typeof ANN): Promise<Side> {
  const person = await gateway.person(username)
  const token = await gateway.tokenFor(server, { user: person })
  const account = `${server}-of-${username}`
  const asked = await callTool(gateway.resource(server), token, 'whose')
  const link = /https?:[^\s"\\]+/.exec(JSON.stringify(asked.body))?.[0] ?? ''
  const page = await person.submit(await person.follow(link), /^connect$/i, { secret: account })
  expect(page.html).toContain('Connected')
  return { account, token }
}

type Call = (tool: string, args: Record<string, unknown>) => Promise<{ id: unknown; text: string }>

function reading(body: Record<string, unknown>): { id: unknown; text: string } {
  const { id, result } = body as { id: unknown; result?: { content?: readonly { text: string }[] } }
  return { id, text: result?.content?.[0]?.text ?? JSON.stringify(body) }
}

const modernClient =
  (server: string, { token }: Side): Call =>
  async (tool, args) =>
    reading((await callTool(gateway.resource(server), token, tool, args)).body)

async function handshakeClient(server: string, { token }: Side): Promise<Call> {
  let session: string | null = null
  const post = async (method: string, params: object) => {
    const response = await fetch(gateway.resource(server), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session !== null && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    session ??= response.headers.get('mcp-session-id')
    return (await response.json()) as Record<string, unknown>
  }
  const clientInfo = { name: 'c', version: '1' }
  await post('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo })
  return async (name, args) => reading(await post('tools/call', { name, arguments: args }))
}

/** What is wrong with an answer. */
async function wrongIn(call: Call, { account }: Side, nonce: string): Promise<string[]> {
  const { id, text } = await call('whose', { nonce })
  const due: Whose = { account, nonce, inSession: [account] }
  return id === 1 && text === JSON.stringify(due) ? [] : [`${account} ${nonce} → ${id} ${text}`]
}

/** The child has two tools for it. */
async function wrongInChild(call: Call, { account }: Side, nonce: string): Promise<string[]> {
  const echo = await call('echo', { nonce })
  const env = await call('env', {})
  const used = (JSON.parse(env.text) as { API_TOKEN?: string }).API_TOKEN
  const good = echo.id === 1 && env.id === 1 && echo.text === JSON.stringify({ nonce }) && used === account
  return good ? [] : [`${account} ${nonce} → ${echo.text} with ${used ?? env.text}`]
}

it.each(['old', 'young', 'child'] as const)(
  'at %s',
  async (server) => {
    const sides: Side[] = []
    for (const user of PEOPLE) sides.push(await connected(server, user))
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, at) => {
        const side = sides[at % 2] as Side
        // By twos, so that both people have clients of both eras.
        return { side, call: at % 4 < 2 ? modernClient(server, side) : await handshakeClient(server, side) }
      }),
    )
    const check = server === 'child' ? wrongInChild : wrongIn
    const wrong = await Promise.all(
      clients.map(async ({ side, call }, client) => {
        const found: string[] = []
        for (let at = 0; at < CALLS; at += 1)
          found.push(...(await check(call, side, `${client} ${at} ${Math.random()}`)))
        return found
      }),
    )
    expect(wrong.flat()).toEqual([])
  },
  120_000 * Number(process.env['PORTCULLIS_MIXING'] ?? 1),
)

it('all of it reached the servers, in sessions of one person each', () => {
  expect([old?.calls(), young?.calls()]).toEqual([CLIENTS * CALLS, CLIENTS * CALLS])
  const sessions = old?.sessions() ?? []
  expect(new Set(sessions.map((accounts) => accounts.length))).toEqual(new Set([1]))
  expect(new Set(sessions.flat()).size).toBe(2)
})
