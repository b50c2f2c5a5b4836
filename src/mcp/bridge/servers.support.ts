// Servers for the tests of the bridge: one that answers what a test says, and one of the handshake era that knows its sessions.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { AROUND, remoteConfig } from '../../../test/support/configured.ts'
import { ANONYMOUS, type Principal } from '../../protocol/principal.ts'
import { type OpenUpstream, openRemoteUpstream } from '../../upstreams/pool.ts'

export interface Message {
  readonly id?: number | string
  readonly method: string
  readonly params?: Record<string, unknown>
}
export type Answer = (message: Message, req: IncomingMessage, res: ServerResponse) => void | Promise<void>

export interface TestServer {
  readonly upstream: OpenUpstream
  readonly url: string
  /** What arrived, a DELETE and a GET as their methods. */
  readonly seen: { readonly method: string; readonly message: Message; readonly headers: IncomingMessage['headers'] }[]
  close(): Promise<void>
}

export async function startServer(answer: Answer, settings: Partial<Settings> = {}): Promise<TestServer> {
  const seen: TestServer['seen'] = []
  const server = createServer(async (req, res) => {
    let text = ''
    for await (const chunk of req) text += chunk
    const message: Message = text === '' ? { method: req.method ?? '' } : JSON.parse(text)
    seen.push({ method: message.method ?? 'response', message, headers: req.headers })
    await answer(message, req, res)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  const upstream = remote(url, settings)
  return {
    upstream,
    url,
    seen,
    async close() {
      await upstream.close()
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

interface Settings {
  readonly id: string
  readonly requestTimeout: number
  readonly idleTimeout: number
  readonly maxAnswer: number
}

/** Bound to somebody: it comes with a credential. */
export const remote = (url: string, settings: Partial<Settings> = {}): OpenUpstream => ({
  ...openRemoteUpstream(
    remoteConfig({
      id: 'a',
      url,
      requestTimeout: 10_000,
      idleTimeout: 10_000,
      connectTimeout: 10_000,
      connections: 128,
      maxAnswer: 1_000_000,
      ...settings,
    }),
    AROUND,
  ),
  addedHeaders: { authorization: 'Bearer ours' },
})

export const json = (res: ServerResponse, body: unknown, status = 200, headers = {}): void => {
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body))
}
export const events = (res: ServerResponse, ...messages: readonly unknown[]): ServerResponse => {
  if (!res.headersSent) res.writeHead(200, { 'Content-Type': 'text/event-stream' })
  for (const message of messages) res.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
  return res
}
export const result = (message: Message, value: object) => ({ jsonrpc: '2.0', id: message.id, result: value })
export const error = (message: Message, code: number, text = 'no') => ({
  jsonrpc: '2.0',
  id: message.id,
  error: { code, message: text },
})

export const person = (subject: string): Principal => ({ ...ANONYMOUS, kind: 'person', subject, identity: subject })

export interface HandshakeServer extends TestServer {
  /** Sessions that are open now. */
  readonly sessions: ReadonlyMap<string, { readonly params: Record<string, unknown>; calls: number }>
  /** As after a restart; with words, a request in a session of before is 400. */
  forget(words?: string): void
}

/**
 * Every tool answers with the session in which it was called, its arguments and its id; `slow` takes the milliseconds that it is
 * given, `steps` tells its progress.
 */
export async function startHandshakeServer(
  given: { revision?: string; lost?: (message: Message, res: ServerResponse) => void; id?: string } = {},
): Promise<HandshakeServer> {
  const sessions = new Map<string, { params: Record<string, unknown>; calls: number }>()
  let words: string | undefined
  const refuse = (message: Message, res: ServerResponse): void =>
    words === undefined
      ? json(res, error(message, -32001, 'Session not found'), 404)
      : json(res, error(message, -32000, words), 400)
  const lost = given.lost ?? refuse
  const server = await startServer(
    async (message, req, res) => {
      const { method, params = {} } = message
      if (params['_meta'] !== undefined && method === 'server/discover')
        return json(res, error(message, -32000, 'Bad Request: Mcp-Session-Id is missing'), 400)
      if (method === 'initialize') {
        const id = randomUUID()
        sessions.set(id, { params, calls: 0 })
        const capabilities = { tools: {}, logging: {} }
        const serverInfo = { name: 'handshake', version: '1' }
        const protocolVersion = given.revision ?? params['protocolVersion']
        const introduction = { protocolVersion, capabilities, serverInfo, instructions: 'Shake hands.' }
        return json(res, result(message, introduction), 200, { 'Mcp-Session-Id': id })
      }
      const id = String(req.headers['mcp-session-id'])
      const session = sessions.get(id)
      if (session === undefined) return lost(message, res)
      if (method === 'DELETE') {
        sessions.delete(id)
        return void res.writeHead(200).end()
      }
      if (message.id === undefined || !('method' in message)) return void res.writeHead(202).end()
      if (method === 'logging/setLevel') return json(res, result(message, {}))
      session.calls += 1
      await answerCall(message, id, res)
    },
    { id: given.id ?? 'a' },
  )
  return {
    ...server,
    sessions,
    forget(said) {
      words = said
      sessions.clear()
    },
  }
}

async function answerCall(message: Message, session: string, res: ServerResponse): Promise<void> {
  const { method, params = {} } = message
  if (method === 'tools/list') return json(res, result(message, { tools: [{ name: 'echo' }], session }))
  const args = params['arguments'] as Record<string, unknown> | undefined
  const meta = params['_meta'] as Record<string, unknown> | undefined
  await delay(Number(args?.['slow'] ?? 0))
  const steps = Number(args?.['steps'] ?? 0)
  const progressToken = meta?.['progressToken']
  for (let progress = 1; progress <= steps; progress++)
    events(res, { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress } })
  const answer = result(message, { content: [], structuredContent: { session, args, id: message.id, meta } })
  if (steps > 0) events(res, answer).end()
  else json(res, answer)
}
