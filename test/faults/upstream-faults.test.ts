// A server behind the gate that hangs, drips, breaks off or lies (security.md R6, F4 for the way to servers; catalogue row E27 through the
// whole gateway; the same at the door alone: src/mcp/relay.test.ts and src/mcp/forward.test.ts). Its caller gets exactly one JSON-RPC error;
// callers of other servers notice nothing; it is left alone after a while, and found again.
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  answer,
  event,
  type FaultyCall,
  type FaultyServer,
  json,
  progress,
  startFaultyServer,
  stream,
} from '../support/faulty-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { until } from '../support/tls.ts'

let faulty: FaultyServer
let healthy: FaultyServer
let gateway: TestGateway
const tokens = { faulty: '', hasty: '', healthy: '' }

const MODERN = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
/** Only for what is to end by them: on a slow machine anything else may take as long. */
const LIMITS = { requestTimeout: '700ms', idleTimeout: '700ms' }
const serverFor = (reason: string) => (reason === 'timeout' ? 'hasty' : 'faulty')
beforeAll(async () => {
  ;[faulty, healthy] = await Promise.all([startFaultyServer(), startFaultyServer()])
  gateway = await startGateway({
    servers: [
      // Failures are what this file is about: the breaker has a test of its own below.
      { id: 'faulty', url: faulty.url, breaker: { failures: 10_000 } },
      { id: 'hasty', url: faulty.url, ...LIMITS, breaker: { failures: 10_000 } },
      { id: 'healthy', url: healthy.url },
    ],
    metrics: { allow: ['loopback'] },
  })
  for (const server of ['faulty', 'hasty', 'healthy'] as const) tokens[server] = await gateway.tokenFor(server)
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([faulty?.close(), healthy?.close()])
})

interface Received {
  readonly status: number
  readonly headers: Headers
  /** Messages that answer the call, or would. */
  readonly answers: readonly {
    result?: unknown
    error?: { code: number; message: string; data?: Record<string, unknown> }
  }[]
  readonly text: string
  /** The answer broke off. */
  readonly broken: boolean
}

/** One call of the modern era, with every byte of what came back. */
async function call(
  tool: string,
  {
    server = 'faulty',
    at = gateway.resource(server),
    token = tokens[server],
    signal,
  }: { server?: keyof typeof tokens; at?: string; token?: string; signal?: AbortSignal } = {},
): Promise<Received> {
  const response = await fetch(at, {
    method: 'POST',
    ...(signal && { signal }),
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${token}`,
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': tool,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: tool,
        _meta: MODERN,
      },
    }),
  })
  let text = ''
  let broken = false
  const decoder = new TextDecoder()
  try {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true })
  } catch {
    broken = true
  }
  const texts =
    response.headers.get('content-type') === 'text/event-stream'
      ? [...text.matchAll(/^data: ?(.+)$/gm)].map(([, data = '']) => data)
      : [text]
  const messages = texts.flatMap((data) => {
    try {
      return [JSON.parse(data)]
    } catch {
      return []
    }
  })
  const answers = messages.filter((message) => 'result' in message || 'error' in message)
  return { status: response.status, headers: response.headers, answers, text, broken }
}

const reset = ({ res }: FaultyCall): void => void res.socket?.resetAndDestroy()
function drip({ id, res }: FaultyCall): void {
  const text = JSON.stringify(answer(id))
  res.writeHead(200, { 'content-type': 'application/json' })
  let at = 0
  const timer = setInterval(() => void res.write(text[at++ % text.length] ?? ''), 100)
  res.on('close', () => clearInterval(timer))
}
const LINE = 'x'.repeat(10 * 1024 * 1024)

describe('R6: exactly one JSON-RPC error for', () => {
  const rows: readonly [name: string, reason: string, act: (call: FaultyCall) => void][] = [
    ['a server that never answers', 'timeout', () => undefined],
    ['a reset before the head', 'reset', reset],
    ['an end before the head', 'reset', ({ res }) => void res.socket?.end()],
    [
      'a reset in the middle of a JSON answer',
      'reset',
      (call) => {
        call.res.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' }).write('{"jsonrpc":')
        setTimeout(() => reset(call), 20)
      },
    ],
    ['one byte a tenth of a second', 'timeout', drip],
    [
      'a reset in the middle of an event',
      'reset',
      (call) => {
        stream(call.res).write(`${event(progress)}data: {"jsonrpc":"2.0","id":1,"res`)
        setTimeout(() => reset(call), 20)
      },
    ],
    [
      'an end in the middle of an event',
      'reset',
      ({ res }) => void stream(res).end(`${event(progress)}data: {"jsonrpc":"2.0","id":1`),
    ],
    ['an end after progress', 'reset', ({ res }) => void stream(res).end(event(progress))],
    ['a stream that falls silent', 'timeout', ({ res }) => void stream(res).write(event(progress))],
    ['the answer to another call', 'protocol', ({ res }) => void stream(res).end(event(progress) + event(answer(2)))],
    ['the JSON answer to another call', 'protocol', ({ res }) => json(res, answer('other'))],
    [
      'a question where the revision has none',
      'protocol',
      ({ res }) => void stream(res).end(event({ jsonrpc: '2.0', id: 7, method: 'roots/list' })),
    ],
    ['204', 'protocol', ({ res }) => void res.writeHead(204).end()],
    [
      'a page',
      'protocol',
      ({ res }) => void res.writeHead(200, { 'content-type': 'text/html' }).end('<h1>It works</h1>'),
    ],
    ['a page of 502', 'unavailable', ({ res }) => void res.writeHead(502, { 'content-type': 'text/html' }).end('<h1>')],
    ['a redirect', 'redirect', ({ res }) => void res.writeHead(307, { location: healthy.url }).end()],
    ['an empty answer', 'protocol', ({ res }) => void res.writeHead(200, { 'content-type': 'application/json' }).end()],
  ]
  it.each(rows)('%s (%s)', async (name, reason, act) => {
    const tool = `fault-${rows.findIndex(([one]) => one === name)}`
    faulty.on(tool, act)
    const server = serverFor(reason)
    const [received, beside] = await Promise.all([call(tool, { server }), call('fine', { server: 'healthy' })])
    expect(received.answers).toEqual([
      {
        jsonrpc: '2.0',
        id: 1,
        error: { code: -32603, message: expect.any(String), data: { requestId: expect.any(String) } },
      },
    ])
    expect(received.broken).toBe(false)
    expect(beside.answers).toEqual([expect.objectContaining({ result: expect.anything() })])
    const text = await gateway.metrics()
    expect(text).toMatch(
      new RegExp(`portcullis_upstream_requests_total\\{server="${server}",outcome="${reason}"\\} [1-9]`),
    )
  })

  const BODY = JSON.stringify(answer(1))
  const HEAD = ['HTTP/1.1 200 OK', 'Content-Type: application/json', `Content-Length: ${BODY.length}`]
  it.each<readonly [name: string, head: string, expected: object]>([
    ['as HTTP/1.1 has it', HEAD.join('\r\n'), { result: expect.anything() }],
    ['with line feeds alone', HEAD.join('\n'), { error: { message: expect.stringContaining('not MCP') } }],
    ['with a folded field', HEAD.join('\r\n '), { error: { message: expect.stringContaining('not MCP') } }],
    [
      'of another protocol',
      ['220 ready', ...HEAD].join('\r\n'),
      { error: { message: expect.stringContaining('not MCP') } },
    ],
  ])('and an answer for a head %s', async (name, head, expected) => {
    faulty.on(name, ({ res }) => void res.socket?.end(`${head}\r\n\r\n${BODY}`))
    const [received, ...more] = (await call(name)).answers
    expect([received, more]).toMatchObject([expected, []])
  })

  it('nothing of a half event reaches the client', async () => {
    const { text } = await call('fault-5')
    expect(text).not.toContain('"res"')
    expect(text.startsWith(event(progress))).toBe(true)
  })
})

describe('R6: exactly one answer where the server', () => {
  it('answers twice', async () => {
    faulty.on('twice', ({ id, res }) => void stream(res).end(event(answer(id)) + event(answer(id))))
    expect((await call('twice')).answers).toEqual([expect.objectContaining({ result: expect.anything() })])
  })

  it('breaks off after its answer', async () => {
    faulty.on('late-reset', (faultyCall) => {
      stream(faultyCall.res).write(event(answer(faultyCall.id)))
      setTimeout(() => reset(faultyCall), 20)
    })
    const { answers, broken } = await call('late-reset')
    expect([answers, broken]).toEqual([[expect.objectContaining({ result: expect.anything() })], false])
  })

  it('writes 10 MB in one line: it is passed on, and not held', async () => {
    faulty.on(
      'long',
      ({ id, res }) =>
        void stream(res).end(event(answer(id, { resultType: 'complete', content: [{ type: 'text', text: LINE }] }))),
    )
    const { answers } = await call('long')
    expect(JSON.stringify(answers[0]).length).toBeGreaterThan(LINE.length)
    expect(answers).toHaveLength(1)
  })

  it('breaks off inside such a line: the stream is cut, since nothing can be put there', async () => {
    faulty.on('long-reset', (faultyCall) => {
      stream(faultyCall.res).write(`data: {"jsonrpc":"2.0","id":1,"result":"${LINE.slice(0, 1_000_000)}`)
      setTimeout(() => reset(faultyCall), 50)
    })
    const { answers, broken, text } = await call('long-reset')
    expect([answers, broken, text.includes('error')]).toEqual([[], true, false])
  })
})

describe('R6: a client of the other era gets the same', () => {
  const post = (server: keyof typeof tokens, body: object, session?: string) =>
    fetch(gateway.resource(server), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${tokens[server]}`,
        'mcp-protocol-version': '2025-11-25',
        ...(session !== undefined && { 'mcp-session-id': session }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...body }),
    })
  const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } }

  it.each<readonly [name: string, reason: string, act: (call: FaultyCall) => void]>([
    ['a server that never answers', 'timeout', () => undefined],
    ['a reset before the head', 'reset', reset],
    ['one byte a tenth of a second', 'timeout', drip],
    [
      'a reset in the middle of an event',
      'reset',
      (faultyCall) => {
        stream(faultyCall.res).write(`${event(progress)}data: {"jsonrpc":"2.0","id":1,"res`)
        setTimeout(() => reset(faultyCall), 20)
      },
    ],
    ['an end after progress', 'reset', ({ res }) => void stream(res).end(event(progress))],
    ['the answer to another call', 'protocol', ({ res }) => json(res, answer('other'))],
    ['a page', 'protocol', ({ res }) => void res.writeHead(200, { 'content-type': 'text/html' }).end('<h1>')],
  ])('%s', async (name, reason, act) => {
    const server = serverFor(reason)
    const opened = await post(server, { id: 0, method: 'initialize', params: initialize })
    const session = opened.headers.get('mcp-session-id') ?? ''
    await opened.text()
    const tool = `other-era ${name}`
    faulty.on(tool, act)
    const text = await (await post(server, { id: 5, method: 'tools/call', params: { name: tool } }, session)).text()
    expect(faulty.called).toContain(tool)
    expect(text.match(/"error":/g)).toHaveLength(1)
    expect(text).toMatch(/"id":5\b/)
    await until(
      async () => (await gateway.metrics()).includes(`mcp_upstream_in_flight{server="${server}"} 0`),
      'the end of the call',
    )
  })
})

describe('R6: who leaves', () => {
  it('takes the call to the server along, in the modern era', async () => {
    for (const [tool, act] of [
      ['left-waiting', () => undefined],
      ['left-streaming', ({ res }: FaultyCall) => void stream(res).write(event(progress))],
    ] as const) {
      faulty.on(tool, act)
      const leaving = new AbortController()
      const left = call(tool, { signal: leaving.signal })
      await until(() => faulty.called.includes(tool), 'the call')
      leaving.abort()
      // A stream that had begun is broken for its reader, and no error to fetch.
      await left.catch(() => undefined)
      await until(() => faulty.abandoned.includes(tool), 'the end of the call at the server')
    }
    expect(await gateway.metrics()).toMatch(/mcp_upstream_in_flight\{server="faulty"\} 0/)
  })
})

describe('a sign of life', () => {
  it('is written into the silence of a stream, and never into an event', async () => {
    const quiet = await startFaultyServer()
    const own = await startGateway({
      servers: [{ id: 'quiet', url: quiet.url }],
      server: { limits: { streamKeepAlive: '100ms' } },
    })
    const written = event(answer(1))
    quiet.on('slow', ({ res }) => {
      stream(res).write(event(progress))
      setTimeout(() => res.write(written.slice(0, 20)), 1000)
      setTimeout(() => res.end(written.slice(20)), 2000)
    })
    const { answers, text } = await call('slow', { at: own.resource('quiet'), token: await own.tokenFor('quiet') })
    expect(answers).toEqual([answer(1)])
    // A comment between the two, once at least; both of them whole.
    expect(text.startsWith(`${event(progress)}:\n\n`)).toBe(true)
    expect(text.endsWith(written)).toBe(true)
    expect(text.slice(event(progress).length, -written.length)).toMatch(/^(?::\n\n)+$/)
    await own.close()
    await quiet.close()
  })
})

describe('R6: one server’s trouble', () => {
  let silent: Server
  beforeAll(async () => {
    silent = createServer((socket) => void socket.on('error', () => undefined)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
  })
  afterAll(() => silent?.close())

  it('is its own: with all its places taken, others are answered, and it says busy at once when its queue is full', async () => {
    const held: FaultyCall[] = []
    faulty.on('held', (one) => void held.push(one))
    const own = await startGateway({
      servers: [
        { id: 'narrow', url: faulty.url, concurrency: 2, concurrencyShare: 1, connectTimeout: '2s' },
        { id: 'healthy', url: healthy.url },
      ],
      metrics: { allow: ['loopback'] },
    })
    const tokens = { narrow: await own.tokenFor('narrow'), healthy: await own.tokenFor('healthy') }
    const ask = (server: keyof typeof tokens, tool: string) => callTool(own.resource(server), tokens[server], tool)
    const places = [ask('narrow', 'held'), ask('narrow', 'held')]
    await until(() => held.length === 2, 'two calls')
    const waiting = [ask('narrow', 'held'), ask('narrow', 'held')]
    await until(async () => /mcp_upstream_queued\{server="narrow"\} 2/.test(await own.metrics()), 'two waiting')
    const surplus = await ask('narrow', 'held')
    expect(surplus).toMatchObject({ status: 503, body: { error: { code: -32603, data: { retryAfter: 1 } } } })
    expect(surplus.headers.get('retry-after')).toBe('1')
    expect(await ask('healthy', 'fine')).toMatchObject({ status: 200 })
    // They wait no longer than a connection may take.
    for (const late of await Promise.all(waiting)) expect(late).toMatchObject({ status: 503 })
    for (const { id, res } of held) json(res, answer(id))
    for (const done of await Promise.all(places)) expect(done).toMatchObject({ status: 200 })
    expect(await own.metrics()).toMatch(/mcp_upstream_refused_total\{server="narrow",reason="busy"\} 3/)
    // A place that is free again is had at once, also by who waits for it.
    const [first, second, third] = [ask('narrow', 'held'), ask('narrow', 'held'), ask('narrow', 'fine')]
    await until(() => held.length === 4, 'two more')
    for (const { id, res } of held.slice(2)) json(res, answer(id))
    for (const done of await Promise.all([first, second, third])) expect(done).toMatchObject({ status: 200 })
    await own.close()
  })

  it('ends its calls after some failures, at once and for a while; one call finds out that it is back', async () => {
    const port = faulty.port
    const broken = await startFaultyServer()
    const own = await startGateway({
      servers: [
        { id: 'broken', url: broken.url, breaker: { failures: 3, rest: '30s' } },
        { id: 'other', url: `http://127.0.0.1:${port}/mcp` },
      ],
      metrics: { allow: ['loopback'] },
    })
    const tokens = { broken: await own.tokenFor('broken'), other: await own.tokenFor('other') }
    const ask = (tool: string, server: keyof typeof tokens = 'broken') =>
      callTool(own.resource(server), tokens[server], tool)
    const ready = async () =>
      (await fetch(`${own.url}/ready`)).json() as Promise<{ state: string; status: number; checks: { name: string }[] }>
    const stateOf = async () => (await ready()).checks.find(({ name }) => name === 'server:broken')

    // What a caller does wrong is no failure of the server, nor is a fault that is followed by an answer.
    broken.on('bad', ({ res }) => void res.writeHead(400).end())
    broken.on('gone', (one) => reset(one))
    for (let round = 0; round < 5; round++) await ask('bad')
    for (const tool of ['gone', 'gone', 'fine', 'gone', 'gone', 'fine']) await ask(tool)
    expect(await ask('fine')).toMatchObject({ status: 200 })
    expect(await ready()).toMatchObject({ status: 200, state: 'ready' })

    for (let round = 0; round < 3; round++) expect(await ask('gone')).toMatchObject({ status: 502 })
    const asked = broken.called.length
    const refused = await ask('fine')
    expect(refused).toMatchObject({ status: 503, body: { error: { data: { retryAfter: expect.any(Number) } } } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(25)
    expect(broken.called).toHaveLength(asked)
    expect(await ask('fine', 'other')).toMatchObject({ status: 200 })
    own.clock.advance('2s')
    expect(await ready()).toMatchObject({ status: 200, state: 'degraded' })
    expect(await stateOf()).toMatchObject({
      ok: false,
      state: 'resting',
      reason: 'reset',
      since: expect.stringMatching(/^20\d\d-/),
    })
    expect(await own.metrics()).toMatch(/mcp_upstream_breaker_state\{server="broken"\} 2/)
    expect(own.log.join('\n')).toMatch(/"server":"broken".*server left alone/)

    own.clock.advance('30s')
    expect(await ask('gone')).toMatchObject({ status: 502 })
    expect(await ask('fine')).toMatchObject({ status: 503 })
    own.clock.advance('31s')
    expect(await ask('fine')).toMatchObject({ status: 200 })
    expect(await ask('fine')).toMatchObject({ status: 200 })
    own.clock.advance('2s')
    expect(await ready()).toMatchObject({ status: 200, state: 'ready' })
    expect(await own.metrics()).toMatch(/mcp_upstream_breaker_state\{server="broken"\} 0/)
    expect(own.log.join('\n')).toMatch(/"server":"broken".*server called again/)
    await own.close()
    await broken.close()
  })

  it('is not that streams are open at it, which take no place; while it rests none is opened', async () => {
    const streaming = await startFaultyServer()
    const own = await startGateway({
      servers: [{ id: 'streaming', url: streaming.url, concurrency: 1, breaker: { failures: 1 } }],
      policy: { rules: [{ allow: ['*/*', 'method:*/*', 'resource:*/*'], to: ['*'] }] },
      metrics: { allow: ['loopback'] },
    })
    const bearer = await own.tokenFor('streaming')
    streaming.on('subscriptions/listen', ({ res }) => void stream(res).write(':\n\n'))
    streaming.on('gone', reset)
    const listen = (signal: AbortSignal) =>
      fetch(own.resource('streaming'), {
        method: 'POST',
        signal,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${bearer}`,
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'subscriptions/listen',
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'subscriptions/listen',
          params: { notifications: { toolsListChanged: true }, _meta: MODERN },
        }),
      })
    const leaving = new AbortController()
    for (let round = 0; round < 3; round++) expect((await listen(leaving.signal)).status).toBe(200)
    expect(await own.metrics()).toMatch(/mcp_upstream_in_flight\{server="streaming"\} 0/)
    expect(await callTool(own.resource('streaming'), bearer, 'fine')).toMatchObject({ status: 200 })
    expect(await callTool(own.resource('streaming'), bearer, 'gone')).toMatchObject({ status: 502 })
    const asked = streaming.called.length
    const refused = await listen(leaving.signal)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '10'])
    expect(streaming.called).toHaveLength(asked)
    leaving.abort()
    await own.close()
    await streaming.close()
  })

  it('F4: a server that takes connections and never shakes hands costs the time of a connection, and is left alone then', async () => {
    const { port } = silent.address() as { port: number }
    const own = await startGateway({
      servers: [
        { id: 'silent', url: `https://127.0.0.1:${port}/mcp`, connectTimeout: '300ms', breaker: { failures: 4 } },
      ],
    })
    const silentToken = await own.tokenFor('silent')
    const ends: number[] = []
    for (let round = 0; round < 6; round++) ends.push((await callTool(own.resource('silent'), silentToken, 'x')).status)
    // What era it is of is asked as well, and fails as well.
    expect([ends[0], ends.at(-1)]).toEqual([504, 503])
    expect(ends.filter((status) => status !== 504 && status !== 503)).toEqual([])
    await own.close()
  })
})
