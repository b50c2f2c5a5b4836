// A session at several servers at once is no credential either: nothing for another person, nothing at another address, and the sessions
// that it has at the servers are nobody else's. Catalogue rows E11 to E14 and E37; MCP 2025-11-25, Transports: session management.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type HandshakeServer, startHandshakeServer } from '../../src/mcp/bridge/servers.support.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'

let servers: HandshakeServer[]
let gateway: TestGateway
let ann: string
let bob: string
/** Ann's token for the virtual server, and for one server by itself. */
let annAtView: string
let annAtA: string

beforeAll(async () => {
  servers = [await startHandshakeServer({ id: 'a' }), await startHandshakeServer({ id: 'b' })]
  gateway = await startGateway({
    servers: [
      ...servers.map(({ upstream: { id }, url }) => ({ id, url })),
      { id: 'view', tools: ['a/echo', 'b/echo'] },
    ],
    policy: { rules: [{ allow: ['*/*', 'method:*/*'], to: ['*'] }] },
  })
  ann = await gateway.tokenFor('*')
  bob = await gateway.tokenFor('*', { user: await gateway.person('bob') })
  annAtView = await gateway.tokenFor('view')
  annAtA = await gateway.tokenFor('a')
})
afterAll(async () => {
  await gateway?.close()
  for (const { close } of servers ?? []) await close()
})

const PATH = '/mcp'
const VIEW = '/servers/view/mcp'
const ACCEPT = 'application/json, text/event-stream'

interface Sent {
  readonly token?: string | undefined
  readonly session?: string | undefined
  readonly path?: string
  readonly httpMethod?: string
}

async function send(
  message: object | undefined,
  { token = ann, session, path = PATH, httpMethod = 'POST' }: Sent = {},
) {
  const response = await fetch(gateway.url + path, {
    method: httpMethod,
    headers: {
      accept: httpMethod === 'GET' ? 'text/event-stream' : ACCEPT,
      authorization: `Bearer ${token}`,
      ...(message !== undefined && { 'content-type': 'application/json' }),
      ...(session !== undefined && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
    },
    body: message === undefined ? null : JSON.stringify(message),
  })
  const streams = response.headers.get('content-type') === 'text/event-stream'
  const text = streams ? '' : await response.text()
  if (streams) await response.body?.cancel()
  return { status: response.status, session: response.headers.get('mcp-session-id'), text }
}

async function begin(sent: Sent = {}): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } }
  const { status, session } = await send({ jsonrpc: '2.0', id: 0, method: 'initialize', params }, sent)
  expect(status).toBe(200)
  expect(session).toMatch(/^[A-Za-z0-9_-]{80,}$/)
  const id = session ?? ''
  expect((await send({ jsonrpc: '2.0', method: 'notifications/initialized' }, { ...sent, session: id })).status).toBe(
    202,
  )
  return id
}

const echo = (nonce: string, { id = 1, name = 'a__echo', slow = 0 } = {}) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: { nonce, slow } },
})

/** The session at the server in which the call was made, and what came back. */
async function called(nonce: string, sent: Sent, given = {}): Promise<{ session: string; nonce: string }> {
  const { status, text } = await send(echo(nonce, given), sent)
  expect(status).toBe(200)
  const { session, args } = JSON.parse(text).result.structuredContent
  return { session, nonce: args.nonce }
}

const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const arrived = () => servers.map(({ seen }) => seen.length)

const WAYS: readonly (readonly [string, object | undefined, string])[] = [
  ['POST of a call', echo('stolen'), 'POST'],
  ['POST of a list', LIST, 'POST'],
  ['POST of a ping', { jsonrpc: '2.0', id: 1, method: 'ping' }, 'POST'],
  ['POST of a log level', { jsonrpc: '2.0', id: 1, method: 'logging/setLevel', params: { level: 'debug' } }, 'POST'],
  ['POST of a cancellation', { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }, 'POST'],
  ['POST of an answer', { jsonrpc: '2.0', id: 1, result: {} }, 'POST'],
  ['GET of the stream', undefined, 'GET'],
  ['DELETE', undefined, 'DELETE'],
]

describe('E12 the session of another person', () => {
  let session: string
  let inside: string
  beforeEach(async () => {
    session = await begin()
    inside = (await called('mine', { session })).session
  })

  it.each(WAYS)('is unknown to whoever has its id: %s', async (_way, message, httpMethod) => {
    const before = arrived()
    const answer = await send(message, { token: bob, session, httpMethod })
    expect([answer.status, answer.text]).toEqual([404, expect.stringContaining('Session not found')])
    expect(answer.session).toBeNull()
    expect(arrived()).toEqual(before)
    expect(await called('still mine', { session })).toEqual({ session: inside, nonce: 'still mine' })
  })

  it('is answered like one that never was', async () => {
    const taken = await send(echo('x'), { token: bob, session })
    const invented = await send(echo('x'), { token: bob, session: 'A'.repeat(session.length) })
    expect([taken.status, taken.text]).toEqual([invented.status, invented.text])
  })

  it('has sessions at the servers that are named to nobody, and is not named to them', async () => {
    const { text } = await send(echo('x'), { session: await begin() })
    expect(session).not.toContain(inside)
    for (const { seen } of servers)
      for (const { message, headers } of seen) {
        const told = JSON.stringify([message, headers])
        for (const secret of [session, ann, bob]) expect(told).not.toContain(secret)
      }
    // The server says it itself here; the gate does not.
    expect(text.split('"session"').length).toBe(2)
  })
})

describe('E11 a session that was guessed', () => {
  it('is unknown, a thousand times', async () => {
    const length = (await begin()).length
    const before = arrived()
    for (let at = 0; at < 1000; at += 50) {
      const guesses = Array.from({ length: 50 }, () => randomBytes(length).toString('base64url').slice(0, length))
      const answers = await Promise.all(guesses.map((session) => send(echo('guess'), { session })))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([404]))
    }
    expect(arrived()).toEqual(before)
  })

  it('is missed where there must be one', async () => {
    const before = arrived()
    expect((await send(echo('none'))).status).toBe(400)
    expect(arrived()).toEqual(before)
  })
})

describe('E13 the session of another address', () => {
  it('opens nothing there, in any direction, and stays what it is', async () => {
    const places = [
      { path: PATH, token: ann, session: await begin() },
      { path: VIEW, token: annAtView, session: await begin({ path: VIEW, token: annAtView }) },
      { path: '/servers/a/mcp', token: annAtA, session: await begin({ path: '/servers/a/mcp', token: annAtA }) },
    ]
    for (const here of places)
      for (const there of places) {
        if (here === there) continue
        const before = arrived()
        const answer = await send(LIST, { ...there, session: here.session })
        expect([answer.status, answer.text]).toEqual([404, expect.stringContaining('Session not found')])
        expect(arrived()).toEqual(before)
      }
    const [everywhere, view, alone] = places
    expect(await called('x', everywhere ?? {})).toMatchObject({ nonce: 'x' })
    expect(await called('y', alone ?? {}, { name: 'echo' })).toMatchObject({ nonce: 'y' })
    expect((await send(LIST, view)).status).toBe(200)
  })
})

describe('E14 answers', () => {
  it('come to whoever asked: 100 sessions with equal ids, each its own nonce and its own session at each server', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 100 }, async (_, at) => {
        const token = at % 2 === 0 ? ann : bob
        return { token, session: await begin({ token }) }
      }),
    )
    const owners = new Map<string, Set<string>>()
    await Promise.all(
      Array.from({ length: 600 }, async (_, at) => {
        const sent = sessions[at % 100] ?? {}
        const round = Math.floor(at / 100)
        const name = round % 2 === 0 ? 'a__echo' : 'b__echo'
        const answer = await called(`n${at}`, sent, { id: round, name, slow: (at * 7) % 50 })
        expect(answer.nonce).toBe(`n${at}`)
        owners.set(answer.session, (owners.get(answer.session) ?? new Set()).add(`${name} ${at % 100}`))
      }),
    )
    for (const owner of owners.values()) expect(owner.size).toBe(1)
    expect(owners.size).toBe(200)
  })

  it('of modern clients come over a session of their own person', async () => {
    const told = async (token: string) => {
      const { body } = await callTool(`${gateway.url}/mcp`, token, 'a__echo', { nonce: token.slice(-8) })
      return (body['result'] as { structuredContent: { session: string; args: object } }).structuredContent
    }
    const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => told(at % 2 === 0 ? ann : bob)))
    for (const [at, { args }] of answers.entries())
      expect(args).toEqual({ nonce: (at % 2 === 0 ? ann : bob).slice(-8) })
    const [anns, bobs] = [0, 1].map((odd) => answers.filter((_, at) => at % 2 === odd).map(({ session }) => session))
    expect([new Set(anns).size, new Set(bobs).size, anns?.[0] === bobs?.[0]]).toEqual([1, 1, false])
  })
})

describe("E37 a call of another's session", () => {
  it('is not cancelled by its id, and is by its own session', async () => {
    const [mine, theirs] = [await begin(), await begin({ token: bob })]
    const cancel = (sent: Sent) =>
      send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 77 } }, sent)
    const cancellations = () => servers[0]?.seen.filter(({ method }) => method === 'notifications/cancelled').length
    await Promise.all([called('warm', { session: mine }), called('warm', { session: theirs, token: bob })])
    const before = cancellations()
    const running = called('kept', { session: mine }, { id: 77, slow: 400 })
    await expect
      .poll(() => servers[0]?.seen.some(({ message }) => JSON.stringify(message).includes('"kept"')))
      .toBe(true)
    expect((await cancel({ session: theirs, token: bob })).status).toBe(202)
    expect((await running).nonce).toBe('kept')
    expect(cancellations()).toBe(before)
    // Under way until it is cancelled, on a slow machine too.
    const second = send(echo('own', { id: 77, slow: 4000 }), { session: mine })
    await expect
      .poll(() => servers[0]?.seen.some(({ message }) => JSON.stringify(message).includes('"own"')))
      .toBe(true)
    expect((await cancel({ session: mine })).status).toBe(202)
    await expect.poll(cancellations).toBe((before ?? 0) + 1)
    await second
  })
})

describe('a session that its client ends', () => {
  it('takes its sessions at the servers with it, and no other', async () => {
    const [mine, other] = [await begin(), await begin()]
    const inside = [await called('x', { session: mine }), await called('x', { session: mine }, { name: 'b__echo' })]
    const kept = await called('x', { session: other })
    expect((await send(undefined, { session: mine, httpMethod: 'DELETE' })).status).toBe(200)
    await expect.poll(() => inside.map(({ session }, at) => servers[at]?.sessions.has(session))).toEqual([false, false])
    expect((await send(echo('x'), { session: mine })).status).toBe(404)
    expect((await called('y', { session: other })).session).toBe(kept.session)
  })

  it('outlives the gate, which finds it and its sessions at the servers again', async () => {
    const session = await begin()
    const { session: inside } = await called('x', { session })
    await gateway.restart()
    expect(await called('y', { session })).toEqual({ session: inside, nonce: 'y' })
  })
})

describe('a server that has forgotten a session', () => {
  const WORDS = 'Bad Request: No valid session ID provided'
  it.each([
    ['says 404', undefined],
    ['says it in words', WORDS],
  ])('and %s ends nothing of the client: the call is told of it, and the next one is served', async (_how, words) => {
    const session = await begin()
    const { session: first } = await called('x', { session })
    servers[0]?.forget(words)
    const lost = await send(echo('lost'), { session })
    expect(lost.status).not.toBe(404)
    expect(lost.text).toContain('Call again')
    const again = await called('again', { session })
    expect(again).toMatchObject({ nonce: 'again' })
    expect(again.session).not.toBe(first)
    expect((await called('b', { session }, { name: 'b__echo' })).nonce).toBe('b')
  })
})
