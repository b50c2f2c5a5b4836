// Servers that say what a test tells them to, in either era, and an address at which clients listen to several of them.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { answerOf, sendAnswer } from '../../http/responses.ts'
import type { RpcNotification, RpcRequest } from '../../protocol/jsonrpc.ts'
import { ANONYMOUS } from '../../protocol/principal.ts'
import { openRemoteUpstream } from '../../upstreams/pool.ts'
import type { StdioUpstream, Upstream } from '../../upstreams/upstream.ts'
import { parseMessage } from '../message.ts'
import { createStreams, type StreamEnd } from '../streams.ts'
import { type BackChannel, createBackChannel } from './back-channel.ts'

type Json = Record<string, unknown>
interface Scripted {
  readonly url: string
  readonly upstream: ReturnType<typeof openRemoteUpstream>
  /** Bodies that were posted, in order; sessions as the head named them. */
  readonly posted: (Json & { session?: unknown })[]
  /** Streams that are open now, and how many there were. */
  readonly streams: Set<ServerResponse>
  opened: number
  /** Streams are opened when it has resolved. */
  hold: Promise<void> | undefined
  /** Sessions that were ended. */
  readonly ended: unknown[]
  /** The latest of a session. */
  of(session: string): ServerResponse | undefined
  /** Bytes on every open stream. */
  write(text: string): void
  say(message: object): void
  close(): Promise<void>
}

const META_SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId'

async function script(
  id: string,
  serve: (scripted: Scripted, req: IncomingMessage, res: ServerResponse, body: Json) => void,
) {
  const server = createServer(async (req, res) => {
    const body = Buffer.concat(await req.toArray()).toString()
    const message = body === '' ? {} : (JSON.parse(body) as Json)
    if (body !== '') scripted.posted.push({ ...message, session: req.headers['mcp-session-id'] })
    if (req.method === 'DELETE') scripted.ended.push(req.headers['mcp-session-id'])
    if (req.method === 'GET') await scripted.hold
    if (req.method === 'GET') bySession.set(String(req.headers['mcp-session-id']), res)
    serve(scripted, req, res, message)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  const upstream = openRemoteUpstream({
    id,
    url,
    requestTimeout: 2000,
    idleTimeout: 60_000,
    connectTimeout: 500,
    connections: 8,
    maxAnswer: 1_000_000,
    credentials: { type: 'none' },
  })
  const bySession = new Map<string, ServerResponse>()
  const scripted: Scripted = {
    url,
    upstream,
    posted: [],
    streams: new Set(),
    opened: 0,
    ended: [],
    hold: undefined,
    of: (session) => bySession.get(session),
    write(text) {
      for (const stream of scripted.streams) stream.write(text)
    },
    say: (message) => scripted.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`),
    async close() {
      await upstream.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return scripted
}

function stream(scripted: Scripted, res: ServerResponse): void {
  res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
  scripted.opened += 1
  scripted.streams.add(res)
  res.on('close', () => scripted.streams.delete(res))
}

const answer = (res: ServerResponse, body: object, headers: Record<string, string> = {}) =>
  res.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))

/** MCP 2025-11-25, with sessions. */
export function startLegacyServer(id: string): Promise<Scripted> {
  let sessions = 0
  return script(id, (scripted, req, res, { id: asked, method }) => {
    if (req.method === 'GET') return stream(scripted, res)
    if (method === 'initialize') {
      const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: id } }
      return answer(res, { jsonrpc: '2.0', id: asked, result }, { 'mcp-session-id': `${id}-${++sessions}` })
    }
    if (asked === undefined || method === undefined) return res.writeHead(202).end()
    return answer(res, { jsonrpc: '2.0', id: asked, result: {} })
  })
}

/** MCP 2026-07-28. Says `acknowledged` at once. */
export async function startModernServer(id: string): Promise<Scripted> {
  let listening: unknown
  const scripted = await script(id, (self, _req, res, { id: asked, method, params }) => {
    if (method !== 'subscriptions/listen') return res.writeHead(404).end()
    listening = asked
    stream(self, res)
    const { notifications } = params as Json
    self.say({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { notifications } })
  })
  const { say } = scripted
  scripted.say = (message) => {
    const { params, ...rest } = message as Json
    say({ ...rest, params: { ...(params as Json | undefined), _meta: { [META_SUBSCRIPTION]: listening } } })
  }
  return scripted
}

export function startChild(id: string): StdioUpstream & { say(message: RpcNotification): void; asked: RpcRequest[] } {
  const listeners = new Set<(message: RpcNotification) => void>()
  const asked: RpcRequest[] = []
  return {
    kind: 'stdio',
    id,
    requestTimeout: 1000,
    asked,
    say(message) {
      for (const listener of listeners) listener(message)
    },
    initialize: async () => ({ protocolVersion: '2025-11-25', capabilities: {}, serverInfo: {} }),
    async request(message) {
      asked.push(message)
      return { jsonrpc: '2.0', id: message.id, result: {} }
    },
    notify: () => undefined,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: async () => undefined,
  }
}

export interface Rules {
  hidden: Set<string>
  unreadable: Set<string>
  streamsPerPrincipal: number
  streamBuffer: number
  streamStall: number
}

/** `GET /?user=&session=` listens as a client of the handshake era; `POST` with a listening request as a modern one; a response answers. */
export async function startHub(
  upstreams: Record<string, Upstream>,
  modern: readonly string[] = [],
  options: Partial<Rules> = {},
) {
  const rules: Rules = {
    ...{ hidden: new Set<string>(), unreadable: new Set<string>(), streamsPerPrincipal: 10, streamBuffer: 65_536 },
    ...{ streamStall: 10_000, ...options },
  }
  const changed: string[] = []
  const errors: unknown[] = []
  const ends = new Set<(reason: StreamEnd) => void>()
  const marks = new Set<string>()
  const key = Buffer.alloc(32, 7)
  const clock = { now: Date.now }
  const watch = (_: unknown, onEnd: (reason: StreamEnd) => void) => {
    ends.add(onEnd)
    return () => void ends.delete(onEnd)
  }
  const channel: BackChannel = createBackChannel({
    get: (id) => upstreams[id],
    eraOf: async ({ id }) => (modern.includes(id) ? 'modern' : 'legacy'),
    mostBytes: 65_536,
    waits: { first: 10, most: 50 },
    streams: createStreams({ most: rules.streamsPerPrincipal, watch }),
    onListChanged: (server, list) => void changed.push(`${server} ${list}`),
    onError: (error) => void errors.push(error),
    limits: rules,
    sealKeys: () => [{ key }],
    marks: {
      async markSeen(mark) {
        if (marks.has(mark)) return false
        marks.add(mark)
        return true
      },
      isSeen: async (mark) => marks.has(mark),
    },
    now: () => clock.now(),
  })
  const audience = {
    sees: (server: string) => !rules.hidden.has(server),
    mayRead: (_: string, uri: string) => !rules.unreadable.has(uri),
  }
  /** What the client of every session declared. */
  const client: { capabilities: Json } = { capabilities: {} }
  let requests = 0

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '', 'http://hub')
    const [subject = 'ann', session = 's'] = [
      url.searchParams.get('user') ?? 'ann',
      url.searchParams.get('session') ?? 's',
    ]
    const principal = { ...ANONYMOUS, kind: 'person' as const, subject }
    const at = { path: '/mcp', query: '', id: `r${++requests}`, address: '127.0.0.1', viaProxy: false, at: Date.now() }
    const exchange = { req, res, ...at }
    const servers = Object.keys(upstreams)
    const listener = { exchange, principal, servers, audience }
    try {
      if (req.method === 'GET') {
        await channel.listen({ ...listener, session, places: [], capabilities: client.capabilities })
        return
      }
      const incoming = parseMessage(Buffer.concat(await req.toArray()), { depth: 32, keys: 200 })
      if (incoming.kind === 'response') {
        const became = await channel.answer({ subject, session }, incoming)
        res.writeHead(202, { 'x-became': typeof became === 'string' ? became : became.reason }).end()
      } else if (incoming.kind === 'request')
        await channel.listenTo({
          ...listener,
          message: incoming.message,
          locate: async (uri) => servers.find((server) => uri.startsWith(`${server}:`)),
        })
    } catch (error) {
      sendAnswer(exchange, answerOf(error))
    }
  }

  const server = createServer((req, res) => void serve(req, res))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return {
    url,
    channel,
    upstreams,
    rules,
    changed,
    errors,
    ends,
    client,
    clock,
    async close() {
      await stopServer(server)
    },
  }
}
export type Hub = Awaited<ReturnType<typeof startHub>>

async function stopServer(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}

/** A client that reads: what came, as messages. */
export async function listenAt(url: string, init: RequestInit = {}) {
  const stop = new AbortController()
  const response = await fetch(url, { ...init, signal: stop.signal })
  const heard: Json[] = []
  const state = { text: '', over: false }
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder()
    let held = ''
    for await (const chunk of response.body ?? []) {
      const text = decoder.decode(chunk, { stream: true })
      state.text += text
      const events = (held + text).split('\n\n')
      held = events.pop() ?? ''
      for (const event of events) {
        const data = /^data: (.+)$/m.exec(event)?.[1]
        if (data !== undefined) heard.push(JSON.parse(data))
      }
    }
  }
  const reading = read()
    .catch(() => undefined)
    .finally(() => {
      state.over = true
    })
  return {
    response,
    heard,
    state,
    methods: () => heard.map(({ method }) => method),
    async close() {
      stop.abort()
      await reading
    },
  }
}

export const listenRequest = (notifications: unknown, id: number | string = 'listen-1'): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ jsonrpc: '2.0', id, method: 'subscriptions/listen', params: { notifications } }),
})

/** Waits for what will come true. */
export const until = async (holds: () => boolean): Promise<void> => {
  for (let left = 1000; !holds(); left--) {
    if (left === 0) throw new Error('It never came true.')
    await delay(5)
  }
}
