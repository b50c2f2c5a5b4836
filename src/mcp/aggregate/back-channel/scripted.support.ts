// Servers that say what a test tells them to, in either era, and a child process that is none.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AROUND, remoteConfig } from '../../../../test/support/configured.ts'
import type { RpcNotification, RpcRequest } from '../../../protocol/jsonrpc.ts'
import { openRemoteUpstream } from '../../../upstreams/pool.ts'
import type { ChannelUpstream } from '../../../upstreams/upstream.ts'

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
  const upstream = openRemoteUpstream(
    remoteConfig({
      id,
      url,
      requestTimeout: 20_000,
      idleTimeout: 60_000,
      connectTimeout: 10_000,
      connections: 8,
      maxAnswer: 1_000_000,
    }),
    AROUND,
  )
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

export function startChild(id: string): ChannelUpstream & { say(message: RpcNotification): void; asked: RpcRequest[] } {
  const listeners = new Set<(message: RpcNotification) => void>()
  const asked: RpcRequest[] = []
  return {
    kind: 'channel',
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
