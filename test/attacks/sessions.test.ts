// A session id of the handshake era is no credential: it opens nothing for another person, and nothing on another server.
// Catalogue rows E12 and E13; MCP 2025-11-25, Transports: session management.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway } from '../support/gateway.ts'
import {
  attackTable,
  expectNoSecret,
  expectRecorded,
  MCP_PATH,
  type Range,
  type Shot,
  shoot,
  toolCall,
} from '../support/range.ts'

let range: Range
let other: Canary
/** Of bob, good for the canary; of ann, good for the other server. */
let bob: string
let elsewhere: string
/** Ann's session at the canary. */
let session: string

beforeAll(async () => {
  const canary = await startCanary()
  other = await startCanary()
  const gateway = await startGateway({
    servers: [
      { id: 'canary', url: canary.url },
      { id: 'other', url: other.url },
    ],
    policy: {
      rules: [
        { id: 'notes', allow: ['canary/*'], to: ['*'] },
        { id: 'reading', allow: ['other/read_note'], to: ['*'] },
      ],
    },
  })
  const token = await gateway.tokenFor('canary')
  range = {
    gateway,
    canary,
    token,
    async close() {
      await gateway.close()
      await canary.close()
    },
  }
  bob = await gateway.tokenFor('canary', { user: await gateway.person('bob') })
  elsewhere = await gateway.tokenFor('other')
  session = await openSession()
})
afterAll(async () => {
  await range?.close()
  await other?.close()
})

const handshake = (revision: string) =>
  `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"${revision}","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

async function openSession(token = range.token, target = MCP_PATH, revision = '2025-11-25'): Promise<string> {
  const bend = { Authorization: `Bearer ${token}` }
  const answer = await shoot(range, { wire: 'legacy', target, body: handshake(revision), bend })
  expect(answer.status).toBe(200)
  const id = answer.header('mcp-session-id') ?? ''
  // MCP 2025-11-25: visible ASCII. Ours tells nothing of the upstream's.
  expect(id).toMatch(/^[A-Za-z0-9_-]{60,}$/)
  expect(Buffer.from(id, 'base64url').includes('canary-session')).toBe(false)
  return id
}

const use = (id: string | readonly string[] | undefined, shot: Shot = {}): Shot => ({
  wire: 'legacy',
  ...shot,
  bend: { 'Mcp-Session-Id': id, ...shot.bend },
})

/** Ann's own session still serves ann, and reaches the canary under the canary's own name for it. */
async function expectAlive(id = session): Promise<void> {
  const before = range.canary.requests.length
  expect((await shoot(range, use(id))).status).toBe(200)
  expect(range.canary.requests.length).toBe(before + 1)
  const { rawHeaders = [] } = range.canary.requests.at(-1) ?? {}
  expect(rawHeaders[rawHeaders.findIndex((name) => /^mcp-session-id$/i.test(name)) + 1]).toBe('canary-session')
  expect(rawHeaders).not.toContain(id)
}

/** 404 with the code that tells a client to start again, the same for every cause; recorded; nothing upstream. */
async function expectStranger(shot: Shot): Promise<string> {
  const before = [range.canary.requests.length, other.requests.length]
  const answer = await shoot(range, shot)
  expect([answer.status, answer.body.toString()]).toEqual([404, expect.stringContaining('Session not found')])
  expect([range.canary.requests.length, other.requests.length]).toEqual(before)
  expect(answer.header('mcp-session-id')).toBeUndefined()
  await expectRecorded(range, answer, 'session_not_found')
  expectNoSecret(range, session, bob, elsewhere)
  return answer.body.toString()
}

const NOTIFICATION = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
const LIST = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
const RESPONSE = '{"jsonrpc":"2.0","id":1,"result":{}}'

const WAYS: readonly { readonly id: string; readonly shot: Shot }[] = [
  { id: 'POST of a call', shot: {} },
  { id: 'POST of a list', shot: { body: LIST } },
  { id: 'POST of a ping', shot: { body: PING } },
  { id: 'POST of a cancellation', shot: { body: NOTIFICATION } },
  { id: 'POST of an answer', shot: { body: RESPONSE } },
  { id: 'GET of the stream', shot: { method: 'GET' } },
  { id: 'GET that resumes', shot: { method: 'GET', bend: { 'Last-Event-ID': '0' } } },
  { id: 'DELETE', shot: { method: 'DELETE' } },
]

describe('E12 the session of another person', () => {
  attackTable('by its id', WAYS, async ({ shot }) => {
    await expectStranger(use(session, { ...shot, bend: { ...shot.bend, Authorization: `Bearer ${bob}` } }))
    await expectAlive()
  })

  it('is not opened by anyone without a credential', async () => {
    const before = range.canary.requests.length
    for (const { shot } of WAYS) {
      const answer = await shoot(range, use(session, { ...shot, bend: { ...shot.bend, Authorization: undefined } }))
      expect(answer.status).toBe(401)
      expect(answer.header('www-authenticate')).toMatch(/^Bearer resource_metadata=/)
    }
    expect(range.canary.requests.length).toBe(before)
    await expectAlive()
  })

  it('is answered like one that never was', async () => {
    const taken = await expectStranger(use(session, { bend: { Authorization: `Bearer ${bob}` } }))
    const invented = await expectStranger(use('A'.repeat(session.length), { bend: { Authorization: `Bearer ${bob}` } }))
    expect(taken).toBe(invented)
  })

  it('leaves each person a session of their own', async () => {
    const own = await openSession(bob)
    expect(own).not.toBe(session)
    await expectStranger(use(own))
    expect((await shoot(range, use(own, { bend: { Authorization: `Bearer ${bob}` } }))).status).toBe(200)
    await expectAlive()
  })

  const PATHS = ['/ann/sse', '/ann/mcp', '/sse', '/messages', '/ws', '/servers/canary/mcp/ann', '/servers/ann/mcp']
  const named = PATHS.flatMap((path) => [path, `${path}?sessionId=SESSION`, `${path}?session_id=SESSION`])
  attackTable(
    'by a name or an id in the address',
    named.map((id) => ({ id })),
    async ({ id: target }) => {
      for (const authorization of [`Bearer ${bob}`, undefined])
        for (const method of ['GET', 'POST']) {
          const before = range.canary.requests.length
          const bend = { Authorization: authorization }
          const { status } = await shoot(
            range,
            use(undefined, { method, target: target.replace('SESSION', session), bend }),
          )
          // 405: the event stream of all servers as one is there, and takes the other method.
          expect([401, 403, 404, 405]).toContain(status)
          expect(range.canary.requests.length).toBe(before)
        }
      await expectAlive()
    },
  )
})

const flip = (id: string, at: number): string => {
  const bytes = Buffer.from(id, 'base64url')
  bytes[at < 0 ? bytes.length + at : at] = (bytes.at(at) ?? 0) ^ 1
  return bytes.toString('base64url')
}
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const FORGED: readonly { readonly id: string; readonly forge: (real: string) => string }[] = [
  { id: 'the nonce changed', forge: (real) => flip(real, 0) },
  { id: 'the text changed', forge: (real) => flip(real, 12) },
  { id: 'the tag changed', forge: (real) => flip(real, -1) },
  { id: 'cut by a byte', forge: (real) => Buffer.from(real, 'base64url').subarray(0, -1).toString('base64url') },
  {
    id: 'cut to a tag of four bytes',
    forge: (real) => Buffer.from(real, 'base64url').subarray(0, -12).toString('base64url'),
  },
  {
    id: 'longer by a byte',
    forge: (real) => Buffer.concat([Buffer.from(real, 'base64url'), Buffer.of(0)]).toString('base64url'),
  },
  { id: 'with padding', forge: (real) => `${real}=` },
  { id: 'in capitals', forge: (real) => real.toUpperCase() },
  { id: 'twice in one field', forge: (real) => `${real}, ${real}` },
  { id: 'quoted', forge: (real) => `"${real}"` },
  { id: 'with a dot behind', forge: (real) => `${real}.` },
  { id: "the canary's own id", forge: () => 'canary-session' },
  { id: 'nothing', forge: () => '' },
  { id: 'one letter', forge: () => 'A' },
  { id: 'ten kilobytes', forge: () => 'A'.repeat(10_000) },
  { id: 'a path', forge: () => '../../canary-session' },
]

describe('E12 a forged session', () => {
  attackTable('is a stranger', FORGED, async ({ forge }) => {
    await expectStranger(use(forge(session)))
    await expectAlive()
  })

  it('in another spelling of the same bytes is a stranger', async () => {
    // Of a length that is no multiple of four the last character has bits that say nothing; one letter more makes such a length.
    const opened = [session, await openSession(range.token, MCP_PATH, '2025-11-25a')]
    const spare = opened.find((id) => id.length % 4 !== 0) ?? ''
    const last = ALPHABET.indexOf(spare.at(-1) ?? '')
    for (const bits of spare.length % 4 === 3 ? [1, 2, 3] : [1, 5, 15]) {
      const spelled = spare.slice(0, -1) + ALPHABET[last ^ bits]
      expect(spelled).not.toBe(spare)
      expect(Buffer.from(spelled, 'base64url').equals(Buffer.from(spare, 'base64url'))).toBe(true)
      await expectStranger(use(spelled))
    }
    await expectAlive(spare)
  })

  it('beside the real one is no request', async () => {
    const before = range.canary.requests.length
    for (const pair of [
      [session, 'canary-session'],
      ['canary-session', session],
      [session, session],
    ])
      expect((await shoot(range, use(pair))).status).toBe(400)
    expect(range.canary.requests.length).toBe(before)
    await expectAlive()
  })

  it('that has ended stays ended, and ends no other', async () => {
    const mine = await openSession()
    await expectAlive(mine)
    expect((await shoot(range, use(mine, { method: 'DELETE' }))).status).toBe(200)
    await expectStranger(use(mine))
    await expectStranger(use(mine, { method: 'DELETE' }))
    await range.gateway.restart()
    await expectStranger(use(mine))
    await expectAlive()
  })
})

describe('E13 the session of another server', () => {
  const there = (shot: Shot = {}): Shot => ({
    target: '/servers/other/mcp',
    ...shot,
    bend: { Authorization: `Bearer ${elsewhere}`, ...shot.bend },
  })

  attackTable('opens nothing here', WAYS, async ({ shot }) => {
    await expectStranger(use(session, there(shot)))
    await expectAlive()
  })

  it('brings no rule of its server with it', async () => {
    const calls = () =>
      [range.canary, other].map(({ requests }) => requests.filter(({ body }) => body.includes('tools/call')).length)
    const before = calls()
    const writing = there({ body: toolCall('legacy', 'write_note') })
    const foreign = await shoot(range, use(session, writing))
    const own = await shoot(range, use(await openSession(elsewhere, '/servers/other/mcp'), writing))
    for (const answer of [foreign, own])
      expect(JSON.parse(answer.body.toString())).toMatchObject({
        error: { code: -32602, message: 'Unknown tool: write_note' },
      })
    await expectRecorded(range, own, 'no_rule_allows')
    expect(calls()).toEqual(before)
    await expectAlive()
  })

  it('is two sessions for one person on two servers', async () => {
    const own = await openSession(elsewhere, '/servers/other/mcp')
    await expectStranger(use(own))
    const served = other.requests.length
    expect((await shoot(range, use(own, there({ body: toolCall('legacy') })))).status).toBe(200)
    expect(other.requests.length).toBe(served + 1)
    await expectAlive()
  })

  it('is not used with a token of another server either', async () => {
    const before = [range.canary.requests.length, other.requests.length]
    const wrong = await shoot(range, use(session, { bend: { Authorization: `Bearer ${elsewhere}` } }))
    expect([wrong.status, wrong.header('www-authenticate')]).toEqual([401, expect.stringContaining('invalid_token')])
    expect([range.canary.requests.length, other.requests.length]).toEqual(before)
    await expectAlive()
  })
})

describe('a session id in the stateless era', () => {
  it('means nothing: neither used, nor refused, nor sent on', async () => {
    for (const id of [session, 'canary-session']) {
      const answer = await shoot(range, { bend: { 'Mcp-Session-Id': id } })
      expect([answer.status, answer.header('mcp-session-id')]).toEqual([200, undefined])
      const { rawHeaders = [] } = range.canary.requests.at(-1) ?? {}
      expect(rawHeaders.some((name) => /^mcp-session-id$/i.test(name))).toBe(false)
    }
  })
})
