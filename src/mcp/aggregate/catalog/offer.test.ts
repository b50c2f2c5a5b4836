// Asking servers of both eras for what they offer, and what becomes of those that do not do their part.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { AROUND, remoteConfig } from '../../../../test/support/configured.ts'
import { openRemoteUpstream } from '../../../upstreams/pool.ts'
import { type ChannelUpstream, type Upstream, UpstreamError } from '../../../upstreams/upstream.ts'
import { createBridge } from '../../bridge/call.ts'
import { readOffer } from './offer.ts'

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
  const opened = openRemoteUpstream(
    remoteConfig({
      id: 'a',
      url: `http://127.0.0.1:${port}/mcp`,
      requestTimeout: 20_000,
      idleTimeout: 20_000,
      connectTimeout: 10_000,
      connections: 4,
      maxAnswer,
    }),
    AROUND,
  )
  closing.push(
    () => server.close(),
    () => server.closeAllConnections(),
    opened.close,
  )
  return { ...opened, addedHeaders: { authorization: 'Bearer ours' } }
}

const json = (res: ServerResponse, body: unknown, status = 200, headers = {}) => {
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body))
}
const result = (message: Message, value: object) => ({ jsonrpc: '2.0', id: message.id, result: value })
const tools = (...names: string[]) => names.map((name) => ({ name }))
const { eraOf } = createBridge({ report: () => undefined, clock: Date.now })
const offer = (from: Upstream, patience = 20_000) => readOffer(from, eraOf, AbortSignal.timeout(patience))
const names = async (from: Upstream) => (await offer(from)).lists.tools.entries.map(({ name }) => name)
const whyNoTools = async (from: Upstream, patience?: number) => (await offer(from, patience)).lists.tools.reason
const TOOLS = { capabilities: { tools: {} } }
/** A server of 2026-07-28 that has tools, and answers the rest as the test says. */
const modern =
  (answer: Answer): Answer =>
  (message, req, res) =>
    message.method === 'server/discover' ? json(res, result(message, TOOLS)) : answer(message, req, res)
const failing = (reason: string) => expect.objectContaining({ name: 'UpstreamError', reason })

describe('a server of 2026-07-28', () => {
  it('is asked with our credential and its own headers', async () => {
    const server = await upstream(
      modern((message, _req, res) => json(res, result(message, { tools: tools('a', 'b') }))),
    )
    expect(await names(server)).toEqual(['a', 'b'])
    // For its era, for what it is, for its tools; for nothing that it has not said it has.
    expect(seen.map(({ method }) => method)).toEqual(['server/discover', 'server/discover', 'tools/list'])
    expect(seen[2]?.headers).toMatchObject({
      authorization: 'Bearer ours',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/list',
    })
  })

  it('is asked for every page, and each name counts once', async () => {
    const pages = await upstream(
      modern((message, _req, res) => {
        const at = Number(message.params?.['cursor'] ?? 0)
        const next = at < 2 ? { nextCursor: String(at + 1) } : {}
        json(res, result(message, { tools: tools(`t${at}`, 'same'), ...next }))
      }),
    )
    expect(await names(pages)).toEqual(['t0', 'same', 't1', 't2'])
  })

  it('may answer as a stream that it does not end', async () => {
    const streaming = await upstream(
      modern((message, _req, res) => {
        res.writeHead(200, { 'Content-Type': 'text/event-stream' })
        res.write(': hello\n\n')
        res.write(`data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: {} })}\n\n`)
        res.write(`data: ${JSON.stringify(result(message, { tools: tools('streamed') }))}\n\n`)
      }),
    )
    expect(await names(streaming)).toEqual(['streamed'])
  })

  it('says itself how long its lists count', async () => {
    const short = await upstream(
      modern((message, _req, res) => json(res, result(message, { tools: [], ttlMs: 7000, cacheScope: 'public' }))),
    )
    expect((await offer(short)).ttl).toBe(7000)
  })
})

describe('a server of the handshake era', () => {
  const legacy: Answer = (message, req, res) => {
    const session = req.headers['mcp-session-id']
    if (message.method === 'initialize')
      return json(res, result(message, { protocolVersion: '2025-06-18', ...TOOLS, instructions: 'Be kind.' }), 200, {
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
    const read = await offer(old)
    expect(read).toMatchObject({ era: 'legacy', instructions: 'Be kind.', capabilities: { tools: {} } })
    expect(read.lists.tools.entries).toEqual([{ name: 'old' }])
    await expect
      .poll(() => seen.map(({ method }) => method))
      .toEqual(['server/discover', 'initialize', 'notifications/initialized', 'tools/list', 'DELETE'])
    for (const { headers } of seen.slice(2))
      expect(headers).toMatchObject({
        authorization: 'Bearer ours',
        'mcp-session-id': 's1',
        'mcp-protocol-version': '2025-06-18',
      })
  })

  it('asks what it likes of a client that can do everything, and is refused it', async () => {
    const answers: unknown[] = []
    const curious = await upstream((message, req, res) => {
      if (message.method === 'initialize')
        expect(message.params?.['capabilities']).toEqual({
          roots: {},
          sampling: { tools: {} },
          elicitation: { form: {}, url: {} },
        })
      if (message.method !== 'tools/list') {
        if (message.method === undefined) answers.push(message)
        return legacy(message, req, res)
      }
      res.writeHead(200, { 'Content-Type': 'text/event-stream' })
      res.write(
        `data: ${JSON.stringify({ jsonrpc: '2.0', id: 'q', method: 'sampling/createMessage', params: {} })}\n\n`,
      )
      res.end(`data: ${JSON.stringify(result(message, { tools: tools('old') }))}\n\n`)
    })
    expect(await names(curious)).toEqual(['old'])
    await expect.poll(() => answers).toMatchObject([{ id: 'q', error: { code: -32601 } }])
  })

  it('that has no sessions is served as well', async () => {
    const plain = await upstream((message, _req, res) => {
      if (message.method === 'server/discover') return json(res, { error: 'what?' }, 404)
      if (message.id === undefined) return void res.writeHead(202).end()
      json(res, result(message, { tools: tools('old'), protocolVersion: '2025-11-25', ...TOOLS }))
    })
    expect(await names(plain)).toEqual(['old'])
    expect(seen.map(({ method }) => method)).not.toContain('DELETE')
  })
})

describe('a child process', () => {
  const child = (request: ChannelUpstream['request']): ChannelUpstream => ({
    kind: 'channel',
    id: 'a',
    requestTimeout: 1_000,
    initialize: async () => ({ protocolVersion: '2025-11-25', serverInfo: {}, ...TOOLS }),
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
    const silent = child(() => new Promise(() => undefined))
    expect(await whyNoTools(silent, 20)).toBe('timeout')
    const gone = { ...silent, initialize: () => Promise.reject(new UpstreamError('spawn', 'no such program')) }
    await expect(offer(gone)).rejects.toEqual(failing('spawn'))
    const stuck = { ...silent, initialize: () => new Promise<never>(() => undefined) }
    await expect(offer(stuck, 20)).rejects.toEqual(failing('timeout'))
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
    ['answers without end', (_m, _q, res) => json(res, { x: 'x'.repeat(200_000) }), 'too_large'],
    ['has no handshake either', (_m, _q, res) => void res.writeHead(404).end(), 'upstream_error'],
  ])('%s', async (_what, answer, reason) => {
    await expect(offer(await upstream(answer))).rejects.toEqual(failing(reason))
  })

  it.each<[string, Answer, string]>([
    ['answers something else', (message, _q, res) => json(res, result(message, { tools: 'all' })), 'protocol'],
    [
      'turns pages for ever',
      (message, _q, res) => json(res, result(message, { tools: [], nextCursor: 'x' })),
      'too_large',
    ],
    ['breaks off at its list', (_m, _q, res) => void res.destroy(), 'reset'],
  ])('%s: its other lists are read all the same', async (_what, answer, reason) => {
    const lists = { tools: {}, prompts: {} }
    const server = await upstream((message, req, res) => {
      if (message.method === 'server/discover') return json(res, result(message, { capabilities: lists }))
      if (message.method === 'prompts/list') return json(res, result(message, { prompts: [{ name: 'p' }] }))
      answer(message, req, res)
    })
    const read = (await offer(server)).lists
    expect(read.tools).toEqual({ entries: [], reason })
    expect(read.prompts.entries).toEqual([{ name: 'p' }])
  })

  it('shows what is no entry, or too deep or too long for one: the others are shown', async () => {
    const deep = JSON.parse(`${'{"a":'.repeat(100)}1${'}'.repeat(100)}`)
    const strange = [null, 'x', {}, { name: 7 }, { name: '' }, { name: 'deep', deep }]
    const long = { name: 'long', description: 'x'.repeat(300_000) }
    const server = await upstream(
      modern((message, _q, res) => json(res, result(message, { tools: [...strange, long, { name: 'good' }] }))),
      1_000_000,
    )
    expect(await names(server)).toEqual(['good'])
  })

  it('never answers', async () => {
    await expect(offer(await upstream(() => undefined), 50)).rejects.toEqual(failing('timeout'))
  })

  it('is not there', async () => {
    const dead = openRemoteUpstream(
      remoteConfig({
        id: 'dead',
        url: 'http://127.0.0.1:1/mcp',
        requestTimeout: 1_000,
        idleTimeout: 1_000,
        connectTimeout: 500,
        connections: 1,
        maxAnswer: 1000,
      }),
      AROUND,
    )
    closing.push(dead.close)
    await expect(offer(dead)).rejects.toEqual(failing('connect'))
  })
})
