// What is bounded or compared at one server's address is so through views of it: open streams of one person, and fields of the head that
// repeat arguments (row E7). Each with its positive twin.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { tellingServer } from '../support/told.ts'
import { startEverything, type TestUpstream } from '../support/upstream.ts'
import { refusedStatus, socketUrl } from '../support/websocket.ts'

let everything: TestUpstream
let fixture: Fixture
let gateway: TestGateway
const tokens = new Map<string, string>()
beforeAll(async () => {
  ;[everything, fixture] = await Promise.all([startEverything(), startFixture()])
  gateway = await startGateway({
    servers: [
      { id: 'old', url: everything.url },
      { id: 'new', url: fixture.url },
      tellingServer('child'),
      { id: 'strict', url: fixture.url, minimumRevision: '2025-11-25' },
      { id: 'desk', tools: [{ from: 'new/test_header_parameter', name: 'region' }] },
    ],
    policy: {
      rules: [
        { allow: ['old/*', 'new/*', 'child/*', 'desk/*', 'method:*/*', 'strict/test_simple_text'], to: ['*'] },
        { deny: ['strict/*'], to: ['*'], when: 'has(args.secret)' },
      ],
    },
    server: { limits: { streamsPerPrincipal: 1 } },
  })
  for (const server of ['old', 'child', 'desk', '*']) tokens.set(server, await gateway.tokenFor(server))
})
afterAll(async () => {
  await gateway?.close()
  await everything?.stop()
  await fixture?.close()
})

const headersOf = (server: string, session?: string) => ({
  authorization: `Bearer ${tokens.get(server)}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2025-11-25',
  ...(session !== undefined && { 'mcp-session-id': session }),
})
const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } }
async function begin(server: string): Promise<string> {
  const response = await fetch(gateway.resource(server), {
    method: 'POST',
    headers: headersOf(server),
    body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: HELLO }),
  })
  await response.text()
  return response.headers.get('mcp-session-id') ?? ''
}

describe('open streams of one person', () => {
  const streamsOpen = async () => Number(/^portcullis_streams_open (\d+)$/m.exec(await gateway.metrics())?.[1])
  const listen = (server: string, session: string, signal: AbortSignal) =>
    fetch(gateway.resource(server), { headers: headersOf(server, session), signal })

  it.each([
    ['old', '*'],
    ['*', 'old'],
  ])('are counted together at all addresses: one at %s leaves none at %s, until it is closed', async (one, other) => {
    const [held, wanted] = [await begin(one), await begin(other)]
    const [first, second] = [new AbortController(), new AbortController()]
    // Whoever held it before has just left.
    await expect.poll(async () => (await listen(one, held, first.signal)).status).toBe(200)
    const refused = await listen(other, wanted, second.signal)
    await refused.text()
    expect(refused.status).toBe(429)
    first.abort()
    await expect.poll(async () => (await listen(other, wanted, second.signal)).status).toBe(200)
    second.abort()
  })

  it('are counted together with the channels of older clients', async () => {
    const session = await begin('old')
    const [first, second] = [new AbortController(), new AbortController()]
    const events = (signal: AbortSignal) =>
      fetch(`${gateway.url}/servers/old/sse`, { headers: headersOf('old'), signal }).then(({ status }) => status)
    await expect.poll(async () => (await listen('old', session, first.signal)).status).toBe(200)
    expect(await events(second.signal)).toBe(429)
    expect(await refusedStatus(`${gateway.url}/servers/old/ws`, headersOf('old'))).toBe(429)
    first.abort()
    await expect.poll(() => events(second.signal)).toBe(200)
    second.abort()
  })

  it.each(['*', 'child', 'old'])(
    'are one where a channel of older clients listens at %s: the stream that it carries has its place',
    async (server) => {
      const leaving = new AbortController()
      const session = await begin(server)
      await expect.poll(streamsOpen).toBe(0)
      const socket = new WebSocket(socketUrl(gateway.url + (server === '*' ? '/ws' : `/servers/${server}/ws`)), {
        headers: headersOf(server),
      })
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
      const answered = new Promise((resolve) => socket.once('message', resolve))
      socket.send(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: HELLO }))
      await answered
      socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }))
      await expect.poll(streamsOpen).toBe(2)
      expect((await listen(server, session, leaving.signal)).status).toBe(429)
      socket.terminate()
      await expect.poll(async () => (await listen(server, session, leaving.signal)).status).toBe(200)
      leaving.abort()
    },
  )
})

describe('E7 a field that repeats an argument', () => {
  const AT = [
    ['*', 'new__test_header_parameter'],
    ['desk', 'region'],
  ] as const

  it.each(AT)('must say what the body says, at %s', async (server, name) => {
    const call = (region: string) =>
      callTool(gateway.resource(server), tokens.get(server), name, { region: 'eu' }, { 'mcp-param-region': region })
    expect((await call('eu')).body['result']).toMatchObject({ content: [{ type: 'text', text: 'In eu.' }] })
    const { status, body, headers } = await call('us')
    expect([status, body['error']]).toMatchObject([400, { code: -32020 }])
    const id = headers.get('x-request-id')
    const events = await gateway.audit((all) => all.some((event) => event.id === id))
    expect(events.find((event) => event.id === id)).toMatchObject({
      decision: 'deny',
      reason: 'param_mismatch',
      server: 'new',
      name: 'test_header_parameter',
      via: server,
    })
  })

  it.each(AT)('says nothing of a tool that is not there, at %s', async (server) => {
    const fields = { 'mcp-param-region': 'us' }
    const { body } = await callTool(gateway.resource(server), tokens.get(server), 'other', { region: 'eu' }, fields)
    expect(body['error']).toEqual({ code: -32602, message: 'Unknown tool: other' })
  })
})

describe('E21 a message that its server would not take', () => {
  const post = async (version: string, name: string, args: string, session?: string) => {
    const modern = version === '2026-07-28'
    const meta = {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const rest = modern ? `,"_meta":${JSON.stringify(meta)}` : ''
    const response = await fetch(`${gateway.url}/mcp`, {
      method: 'POST',
      headers: {
        ...headersOf('*', session),
        'mcp-protocol-version': version,
        ...(modern && { 'mcp-method': 'tools/call', 'mcp-name': name }),
      },
      body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${name}","arguments":${args}${rest}}}`,
    })
    const text = await response.text()
    const { error } = JSON.parse(/^data: (.+)$/m.exec(text)?.[1] ?? text)
    return [response.status, error?.message]
  }

  it.each([
    ['2025-06-18', '{}'],
    ['2026-07-28', '{"n":1,"n":2}'],
    ['2026-07-28', '{"n":90071992547409930}'],
  ])('says nothing of a thing that is hidden, and is told of one that is shown: %s %s', async (version, args) => {
    const session = version === '2026-07-28' ? undefined : await begin('*')
    for (const name of ['strict__test_error_handling', 'strict__nothing'])
      expect(await post(version, name, args, session)).toEqual([200, `Unknown tool: ${name}`])
    expect((await post(version, 'strict__test_simple_text', args, session))[0]).toBe(400)
  })
})
