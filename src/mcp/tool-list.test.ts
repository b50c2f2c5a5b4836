// Asking servers of both eras for their tools, and what becomes of those that do not do their part.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { openRemoteUpstream } from '../upstreams/pool.ts'
import { type StdioUpstream, UpstreamError } from '../upstreams/upstream.ts'
import { listTools } from './tool-list.ts'

interface Message {
  readonly id?: number
  readonly method: string
  readonly params?: Record<string, unknown>
}
type Answer = (message: Message, req: IncomingMessage, res: ServerResponse) => void

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const seen: { method: string; headers: IncomingMessage['headers'] }[] = []

async function upstream(answer: Answer, maxAnswer = 100_000) {
  seen.length = 0
  const server = createServer(async (req, res) => {
    let text = ''
    for await (const chunk of req) text += chunk
    const message: Message = text === '' ? { method: req.method ?? '' } : JSON.parse(text)
    seen.push({ method: message.method, headers: req.headers })
    answer(message, req, res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const opened = openRemoteUpstream({
    id: 'a',
    url: `http://127.0.0.1:${port}/mcp`,
    requestTimeout: 5_000,
    idleTimeout: 5_000,
    connectTimeout: 1_000,
    connections: 4,
    maxAnswer,
    credentials: { type: 'headers', headers: { Authorization: 'Bearer ours' } },
  })
  closing.push(
    () => server.close(),
    () => server.closeAllConnections(),
    opened.close,
  )
  return opened
}

const json = (res: ServerResponse, body: unknown, status = 200, headers = {}) => {
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body))
}
const result = (message: Message, value: object) => ({ jsonrpc: '2.0', id: message.id, result: value })
const tools = (...names: string[]) => names.map((name) => ({ name }))
const names = async (from: Parameters<typeof listTools>[0], patience = 5_000) =>
  (await listTools(from, AbortSignal.timeout(patience))).map(({ name }) => name)
const failing = (reason: string) => expect.objectContaining({ name: 'UpstreamError', reason })

describe('a server of 2026-07-28', () => {
  it('is asked once, with our credential and its own headers', async () => {
    const modern = await upstream((message, _req, res) => json(res, result(message, { tools: tools('a', 'b') })))
    expect(await names(modern)).toEqual(['a', 'b'])
    expect(seen).toHaveLength(1)
    expect(seen[0]?.headers).toMatchObject({
      authorization: 'Bearer ours',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/list',
    })
  })

  it('is asked for every page', async () => {
    const pages = await upstream((message, _req, res) => {
      const at = Number(message.params?.['cursor'] ?? 0)
      const next = at < 2 ? { nextCursor: String(at + 1) } : {}
      json(res, result(message, { tools: tools(`t${at}`), ...next }))
    })
    expect(await names(pages)).toEqual(['t0', 't1', 't2'])
  })

  it('may answer as a stream that it does not end', async () => {
    const streaming = await upstream((message, _req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' })
      res.write(': hello\n\n')
      res.write(`data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: {} })}\n\n`)
      res.write(`data: ${JSON.stringify(result(message, { tools: tools('streamed') }))}\n\n`)
    })
    expect(await names(streaming)).toEqual(['streamed'])
  })

  it('that refuses in its own words is not asked for a handshake', async () => {
    const refusing = await upstream((message, _req, res) =>
      json(res, { jsonrpc: '2.0', id: message.id, error: { code: -32022, message: 'no' } }, 400),
    )
    await expect(names(refusing)).rejects.toEqual(failing('upstream_error'))
    expect(seen).toHaveLength(1)
  })
})

describe('a server of the handshake era', () => {
  const legacy: Answer = (message, req, res) => {
    const session = req.headers['mcp-session-id']
    if (message.method === 'initialize')
      return json(res, result(message, { protocolVersion: '2025-06-18', capabilities: {} }), 200, {
        'Mcp-Session-Id': 's1',
      })
    if (session !== 's1')
      return json(res, { jsonrpc: '2.0', id: null, error: { code: -32000, message: 'no session' } }, 400)
    if (message.method === 'notifications/initialized') return void res.writeHead(202).end()
    if (message.method === 'tools/list') return json(res, result(message, { tools: tools('old') }))
    res.writeHead(200).end()
  }

  it('is met with a handshake, and its session is ended', async () => {
    const old = await upstream(legacy)
    expect(await names(old)).toEqual(['old'])
    await expect
      .poll(() => seen.map(({ method }) => method))
      .toEqual(['tools/list', 'initialize', 'notifications/initialized', 'tools/list', 'DELETE'])
    for (const { headers } of seen.slice(2))
      expect(headers).toMatchObject({
        authorization: 'Bearer ours',
        'mcp-session-id': 's1',
        'mcp-protocol-version': '2025-06-18',
      })
  })

  it('that has no sessions is served as well', async () => {
    const plain = await upstream((message, _req, res) => {
      if (message.method === 'tools/list' && seen.length === 1) return json(res, { error: 'what?' }, 404)
      if (message.id === undefined) return void res.writeHead(202).end()
      json(res, result(message, { tools: tools('old'), protocolVersion: '2025-11-25' }))
    })
    expect(await names(plain)).toEqual(['old'])
    expect(seen.map(({ method }) => method)).not.toContain('DELETE')
  })
})

describe('a child process', () => {
  const child = (request: StdioUpstream['request']): StdioUpstream => ({
    kind: 'stdio',
    id: 'a',
    requestTimeout: 1_000,
    initialize: () => new Promise(() => undefined),
    request,
    notify: () => undefined,
    subscribe: () => () => undefined,
    close: async () => undefined,
  })

  it('is asked over its channel', async () => {
    const asked = child(async ({ id }) => ({ jsonrpc: '2.0', id, result: { tools: tools('piped') } }))
    expect(await names(asked)).toEqual(['piped'])
  })

  it('that does not answer, or cannot be started, is not waited for', async () => {
    await expect(
      names(
        child(() => new Promise(() => undefined)),
        20,
      ),
    ).rejects.toEqual(failing('timeout'))
    const gone = child(() => Promise.reject(new UpstreamError('spawn', 'no such program')))
    await expect(names(gone)).rejects.toEqual(failing('spawn'))
  })
})

describe('a server that does not do its part', () => {
  it.each<[string, Answer, string]>([
    ['refuses our credential', (_m, _q, res) => void res.writeHead(401).end(), 'upstream_unauthorized'],
    [
      'sends us elsewhere',
      (_m, _q, res) => void res.writeHead(302, { Location: 'http://evil.example/' }).end(),
      'redirect',
    ],
    ['fails', (_m, _q, res) => void res.writeHead(500).end(), 'upstream_error'],
    ['breaks off', (_m, _q, res) => void res.destroy(), 'reset'],
    ['answers something else', (message, _q, res) => json(res, result(message, { tools: 'all' })), 'protocol'],
    ['answers without end', (_m, _q, res) => json(res, { x: 'x'.repeat(200_000) }), 'too_large'],
    ['has no handshake either', (_m, _q, res) => void res.writeHead(404).end(), 'upstream_error'],
  ])('%s', async (_what, answer, reason) => {
    await expect(names(await upstream(answer))).rejects.toEqual(failing(reason))
  })

  it('turns pages for ever', async () => {
    const endless = await upstream((message, _req, res) => json(res, result(message, { tools: [], nextCursor: 'x' })))
    await expect(names(endless)).rejects.toEqual(failing('too_large'))
  })

  it('never answers', async () => {
    await expect(names(await upstream(() => undefined), 50)).rejects.toEqual(failing('timeout'))
  })

  it('is not there', async () => {
    const dead = openRemoteUpstream({
      id: 'dead',
      url: 'http://127.0.0.1:1/mcp',
      requestTimeout: 1_000,
      idleTimeout: 1_000,
      connectTimeout: 500,
      connections: 1,
      maxAnswer: 1000,
      credentials: { type: 'none' },
    })
    closing.push(dead.close)
    await expect(names(dead)).rejects.toEqual(failing('connect'))
  })
})
