// One message and its one answer, and what becomes of servers that do not do their part (catalogue row E27).
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import type { RpcRequest } from '../../protocol/jsonrpc.ts'
import type { SharedOptions } from '../../upstreams/network/shared-connections.ts'
import { type Posting, post } from './post.ts'
import { type Answer, error, events, json, type Message, remote, result, startServer } from './servers.support.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const REQUEST: RpcRequest = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'x' } }
const NEVER = new AbortController().signal
const failing = (reason: string) => expect.objectContaining({ name: 'UpstreamError', reason })

async function posting(answer: Answer, given: Partial<Posting> = {}, settings = {}) {
  const server = await startServer(answer, settings)
  closing.push(server.close)
  const send = (more: Partial<Posting> = {}) =>
    post(server.upstream, { message: REQUEST, headers: {}, signal: NEVER, ...given, ...more })
  return { server, send }
}

const other = (message: Message) => result({ ...message, id: 8 }, {})
const ok = (message: Message) => result(message, { fine: true })

describe('an answer', () => {
  it('is one JSON object, asked for with our credential over everything', async () => {
    const { server, send } = await posting((message, _q, res) => json(res, ok(message), 200, { 'Mcp-Session-Id': 's' }))
    const headers = { authorization: 'Bearer theirs', 'mcp-method': 'tools/call' }
    expect(await send({ headers })).toEqual({ status: 200, session: 's', response: ok(REQUEST) })
    expect(server.seen[0]?.headers).toMatchObject({
      authorization: 'Bearer ours',
      'mcp-method': 'tools/call',
      accept: 'application/json, text/event-stream',
    })
    expect(server.seen[0]?.message).toEqual(REQUEST)
  })

  it('is the last of a stream, after what the server says before it', async () => {
    const note = { jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1 } }
    const question = { jsonrpc: '2.0', id: 7, method: 'roots/list' }
    const heard: unknown[] = []
    const { send } = await posting((message, _q, res) => void events(res, note, question, ok(message)).end())
    const hear = (said: unknown) => void heard.push(said)
    const { response } = await send({ onNotification: hear, onRequest: hear })
    expect(response).toEqual(ok(REQUEST))
    expect(heard).toEqual([note, question])
  })

  it('comes in parts where its server says so: the rest is fetched after the last event, in the same session', async () => {
    const part = (res: ServerResponse, text: string) =>
      void res.writeHead(200, { 'content-type': 'text/event-stream' }).end(text)
    const { server, send } = await posting((message, req, res) => {
      if (req.method === 'POST') return part(res, 'id: one\nretry: 150\ndata: \n\n')
      if (req.headers['last-event-id'] === 'one') return part(res, 'id: two\ndata:\n\n')
      return part(
        res,
        `id: three\ndata: ${JSON.stringify(result({ ...REQUEST, ...message, id: 7 }, { fine: true }))}\n\n`,
      )
    })
    const session = { 'mcp-session-id': 's', 'mcp-protocol-version': '2025-11-25' }
    expect(await send({ headers: session })).toMatchObject({ status: 200, response: ok(REQUEST) })
    expect(server.seen.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, 'one', 'two'])
    expect(server.seen.at(-1)?.headers).toMatchObject({ ...session, authorization: 'Bearer ours' })
  })

  it('comes over a connection of its caller’s own, and so does its rest', async () => {
    const { server } = await posting((message, req, res) => {
      if (req.method === 'POST')
        return void res.writeHead(200, { 'content-type': 'text/event-stream' }).end('id: one\n\n')
      return void events(res, ok({ ...message, id: 7 })).end()
    })
    const asked: unknown[] = []
    const { pool } = server.upstream
    const watched = new Proxy(pool, {
      get(_, name) {
        if (name !== 'request') return Reflect.get(pool, name)
        return (options: SharedOptions & Dispatcher.RequestOptions) => {
          asked.push([options.method, options.whose])
          return pool.request(options)
        }
      },
    })
    const message = { message: REQUEST, headers: { 'mcp-protocol-version': '2025-11-25' }, signal: NEVER }
    for (const whose of ['ann', 'bob']) await post({ ...server.upstream, pool: watched, whose }, message)
    expect(asked).toEqual(['ann', 'bob'].flatMap((whose) => ['POST', 'GET'].map((method) => [method, whose])))
  })

  it.each([
    ['of 2026-07-28, which has no parts', { 'mcp-protocol-version': '2026-07-28' }, 'id: one', 1],
    ['that named no event', { 'mcp-protocol-version': '2025-11-25' }, 'event: message', 1],
    ['whose event cannot be named in a head', { 'mcp-protocol-version': '2025-11-25' }, 'id: ö', 1],
    ['whose rest is nowhere', { 'mcp-protocol-version': '2025-11-25' }, 'id: gone', 2],
  ])('is broken off by a stream that ended %s', async (_, headers, line, requests) => {
    const { server, send } = await posting((_m, req, res) => {
      if (req.method === 'POST') res.writeHead(200, { 'content-type': 'text/event-stream' }).end(`${line}\ndata:\n\n`)
      else res.writeHead(404).end()
    })
    await expect(send({ headers })).rejects.toEqual(failing('reset'))
    expect(server.seen).toHaveLength(requests)
  })

  it('is enough: a stream that stays open behind it is left, one that ends leaves its connection for the next', async () => {
    const sockets: unknown[] = []
    let open: ServerResponse | undefined
    const { send } = await posting((message, req, res) => {
      sockets.push(req.socket)
      events(res, ok(message))
      if (sockets.length < 10) res.end()
      else open = res
    })
    for (let at = 0; at < 10; at++) expect((await send()).response).toEqual(ok(REQUEST))
    // The next one may leave before the end of the last one's stream has come.
    expect(new Set(sockets).size).toBeLessThan(5)
    if (open !== undefined && !open.closed) await once(open, 'close')
  })

  it('may be an error, with the status that its era gives it', async () => {
    const { send } = await posting((message, _q, res) => json(res, error(message, -32601), 404))
    expect(await send()).toMatchObject({ status: 404, response: { id: 7, error: { code: -32601 } } })
  })

  it('may be a refusal that has lost our id, or has no JSON-RPC in it', async () => {
    const refusals = [{ jsonrpc: '2.0', error: { code: -32000, message: 'no' } }, { error: 'no' }, { detail: 'no' }]
    for (const [at, body] of refusals.entries()) {
      const { send } = await posting((_m, _q, res) => json(res, body, 400))
      const { status, response } = await send()
      expect([status, response?.error?.code]).toEqual([400, at === 0 ? -32000 : undefined])
    }
  })

  it('is not waited for where nothing was asked', async () => {
    const { send } = await posting((_m, _q, res) => void res.writeHead(202).end())
    const message = { jsonrpc: '2.0' as const, method: 'notifications/initialized' }
    expect(await send({ message })).toEqual({ status: 202, session: undefined, response: undefined })
  })
})

describe('E27 a server that does not do its part', () => {
  it.each<[string, Answer, string]>([
    ["answers under another's id", (m, _q, res) => json(res, other(m)), 'protocol'],
    ["answers under another's id on a stream", (m, _q, res) => void events(res, other(m), ok(m)).end(), 'protocol'],
    ['asks where it may not', (m, _q, res) => void events(res, { ...REQUEST, id: 1 }, ok(m)).end(), 'protocol'],
    ['calls and answers at once', (m, _q, res) => json(res, { ...ok(m), method: 'tools/call' }), 'protocol'],
    ['gives a result and an error', (m, _q, res) => json(res, { ...ok(m), ...error(m, 1) }), 'protocol'],
    ['gives neither', (m, _q, res) => json(res, { jsonrpc: '2.0', id: m.id }), 'protocol'],
    ['gives an error that is none', (m, _q, res) => json(res, { jsonrpc: '2.0', id: m.id, error: 'x' }), 'protocol'],
    ['answers with an array', (m, _q, res) => json(res, [ok(m)]), 'protocol'],
    ['answers with a page', (_m, _q, res) => void res.setHeader('content-type', 'text/html').end('<p>'), 'protocol'],
    [
      'calls a page JSON',
      (_m, _q, res) => void res.setHeader('content-type', 'application/json').end('<p>'),
      'protocol',
    ],
    ['says that there is nothing', (_m, _q, res) => void res.writeHead(204).end(), 'protocol'],
    ['has accepted it, and no more', (_m, _q, res) => void res.writeHead(202).end(), 'protocol'],
    [
      'sends us elsewhere',
      (_m, _q, res) => void res.writeHead(302, { location: 'http://evil.example' }).end(),
      'redirect',
    ],
    ['refuses our credential', (m, _q, res) => json(res, error(m, 1), 401), 'upstream_unauthorized'],
    ['fails', (_m, _q, res) => void res.writeHead(500).end(), 'upstream_error'],
    ['ends its stream before its answer', (_m, _q, res) => void events(res).end(': bye\n\n'), 'reset'],
    ['breaks off', (_m, _q, res) => void events(res, { jsonrpc: '2.0', method: 'n' }).destroy(), 'reset'],
    ['answers without end', (m, _q, res) => json(res, result(m, { x: 'x'.repeat(20_000) })), 'too_large'],
    [
      'streams one event without end',
      (m, _q, res) => void events(res, result(m, { x: 'x'.repeat(20_000) })),
      'too_large',
    ],
    ['says nothing', () => undefined, 'timeout'],
    ['begins a stream and says nothing', (_m, _q, res) => void events(res).flushHeaders(), 'timeout'],
  ])('%s', async (_what, answer, reason) => {
    // Short only for what is to end by it: on a slow machine anything else may take as long.
    const limits = reason === 'timeout' ? { requestTimeout: 200, idleTimeout: 300 } : {}
    const { send } = await posting(answer, {}, { maxAnswer: 10_000, ...limits })
    await expect(send()).rejects.toEqual(failing(reason))
  })

  it('answers twice, and is heard once', async () => {
    const { send } = await posting((m, _q, res) => void events(res, ok(m), result(m, { fine: false })).end())
    expect((await send()).response).toEqual(ok(REQUEST))
  })

  it('is not there', async () => {
    const dead = remote('http://127.0.0.1:1/mcp')
    closing.push(dead.close)
    await expect(post(dead, { message: REQUEST, headers: {}, signal: NEVER })).rejects.toEqual(failing('connect'))
  })
})

describe('whoever leaves', () => {
  it('closes the request, which cancels it at a server of 2026-07-28', async () => {
    const leaving = new AbortController()
    let closed: Promise<unknown> | undefined
    const { send } = await posting((_m, _q, res) => {
      closed = once(events(res), 'close')
      res.flushHeaders()
      leaving.abort()
    })
    await expect(send({ signal: leaving.signal })).rejects.toEqual(failing('cancelled'))
    await closed
    await expect(send({ signal: leaving.signal })).rejects.toEqual(failing('cancelled'))
  })

  it('because of the time is told so', async () => {
    const { send } = await posting(() => undefined)
    await expect(send({ signal: AbortSignal.timeout(20) })).rejects.toEqual(failing('timeout'))
  })
})
