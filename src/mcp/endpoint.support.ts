// The door over real sockets for its tests: a caller, the gate, a canary upstream that keeps what reached it, a child process that is none.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { AROUND, remoteConfig } from '../../test/support/configured.ts'
import type { CallEvent } from '../audit/event.ts'
import { doorCors } from '../http/cors.ts'
import { answerOf, sendAnswer } from '../http/responses.ts'
import { policyOfNames } from '../policy/policy.support.ts'
import type { Call } from '../protocol/decision.ts'
import { BearerError } from '../protocol/errors.ts'
import type { RpcNotification, RpcRequest, RpcResponse } from '../protocol/jsonrpc.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { createBinding } from '../upstreams/binding.ts'
import { openRemoteUpstream } from '../upstreams/pool.ts'
import { type ChannelUpstream, type Upstream, UpstreamError } from '../upstreams/upstream.ts'
import { type McpNeeds, mcpEndpoint } from './endpoint.ts'
import { createClientQuestions } from './held/client-questions.ts'
import { sessionNotFound } from './session.ts'
import { createStreams } from './streams.ts'
import { createSubscriptions } from './subscriptions.ts'

const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
export const ACCEPT = 'application/json, text/event-stream'

interface Seen {
  method: string
  headers: Record<string, string | string[] | undefined>
  rawHeaders: string[]
  body: string
}

/** Keeps what arrived; answers as the test says. */
async function startCanary() {
  const seen: Seen[] = []
  const state = {
    answer: (_req: IncomingMessage, res: ServerResponse, _body: string): void => void res.end(),
    aborted: 0,
  }
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    seen.push({ method: req.method ?? '', headers: req.headers, rawHeaders: req.rawHeaders, body })
    res.on('close', () => {
      if (!res.writableFinished) state.aborted++
    })
    state.answer(req, res, body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { seen, state, server, port: (server.address() as AddressInfo).port }
}

function fakeStdio(): ChannelUpstream & {
  say(message: RpcNotification): void
  gate: PromiseWithResolvers<void>
  asked: string[]
} {
  const listeners = new Set<(message: RpcNotification) => void>()
  const asked: string[] = []
  const gate = Promise.withResolvers<void>()
  return {
    kind: 'channel',
    id: 'child',
    requestTimeout: 1000,
    asked,
    gate,
    say: (message) => {
      for (const listener of listeners) listener(message)
    },
    async initialize() {
      return {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {}, logging: {}, tasks: {} },
        serverInfo: { name: 'child' },
      }
    },
    async request(message: RpcRequest, { signal, onNotification }): Promise<RpcResponse> {
      asked.push(message.method)
      if (message.params?.['name'] === 'slow') {
        onNotification({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1 } })
        const abort = new Promise<never>((_, reject) =>
          signal.addEventListener('abort', () => reject(new UpstreamError('cancelled', 'The caller gave up.'))),
        )
        await Promise.race([gate.promise, abort])
      }
      if (message.method === 'tools/list')
        return { jsonrpc: '2.0', id: message.id, result: { tools: [{ name: 'read' }, { name: 'secret' }] } }
      return { jsonrpc: '2.0', id: message.id, result: { said: message.method } }
    },
    notify: (message) => void asked.push(message.method),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {},
  }
}

export async function startGate(upstreams: Record<string, Upstream>) {
  const events: CallEvent[] = []
  const ends = new Set<() => void>()
  const marks = new Set<string>()
  const key = randomBytes(32)
  const state = {
    view: 'all' as 'all' | 'some' | 'none',
    spool: true,
    /** A decision is on record when it resolves. */
    spooled: Promise.resolve(),
    scopes: true,
    streams: 3,
  }
  const decide = ({ kind, name }: Call) =>
    state.view === 'all' || kind === 'method' || name === 'read' || name === 'slow' || name === 'file:///docs'
      ? { effect: 'allow' as const, reason: 'allowed_by_rule', rule: 'r1' }
      : { effect: 'deny' as const, reason: 'no_rule_allows', rule: undefined }
  const needs: McpNeeds = {
    clock: Date.now,
    binding: createBinding(new Map(), { get: () => undefined }, () => undefined),
    cors: doorCors({ serverUrl: 'http://gate.example', allowed: ['https://ide.example'] }),
    async authenticate(exchange) {
      const match = /^Bearer (\w+)$/.exec(exchange.req.headers.authorization ?? '')
      if (match?.[1] === undefined) throw new BearerError(undefined, 'no_credential', 'Authentication required.')
      if (match[1] === 'revoked')
        throw new BearerError('invalid_token', 'revoked', 'The access token is not valid here.')
      const principal: Principal = { ...ANONYMOUS, kind: 'person', subject: match[1] }
      return principal
    },
    policy: policyOfNames({ decide, view: () => state.view }),
    admit: () => () => undefined,
    checkScopes(_, call) {
      if (!state.scopes && call.kind === 'tool')
        throw new BearerError('insufficient_scope', 'scope_missing', 'More is needed.', ['mcp:tools'])
    },
    denials: 'hidden',
    minimumRevision: () => undefined,
    // A child speaks the handshake, and every other server here whatever it is asked.
    speaks: ({ kind }, era) => kind === 'remote' || era === 'legacy',
    // And no session began anywhere else.
    bridge: () => Promise.reject(sessionNotFound()),
    upstreams: { get: (id) => upstreams[id], report: () => {} },
    recorder: {
      async decide(event) {
        if (!state.spool) throw new Error('The disk is full.')
        events.push(event)
        await state.spooled
        return event
      },
      finish: (_, event, outcome) => void events.push({ ...event, ...outcome }),
    },
    refuse: (exchange, error, _, rpcId) => sendAnswer(exchange, answerOf(error, { rpcId })),
    streams: createStreams({
      most: 3,
      watch(_, onEnd) {
        const end = () => onEnd('expired')
        ends.add(end)
        return () => ends.delete(end)
      },
    }),
    subscriptions: createSubscriptions(),
    marks: {
      async markSeen(mark) {
        marks.add(mark)
        return true
      },
      isSeen: async (mark) => marks.has(mark),
    },
    sealKeys: () => [{ key }],
    self: 'replica/boot',
    asking: createClientQuestions({ sealKeys: () => [{ key }], self: 'replica/boot', clock: Date.now }),
    limits: {
      body: 4096,
      bodyTimeout: 1000,
      depth: 32,
      keys: 200,
      streamBuffer: 65_536,
      streamStall: 200,
      streamKeepAlive: 15_000,
    },
  }
  const serve = mcpEndpoint(needs)
  const server = createServer((req, res) => {
    const exchange = {
      req,
      res,
      path: req.url ?? '',
      query: '',
      id: 'request-1',
      address: '127.0.0.1',
      viaProxy: false,
      at: Date.now(),
    }
    serve(exchange, (req.url ?? '').split('/')[2] ?? '').catch((error: unknown) =>
      sendAnswer(exchange, answerOf(error)),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, port: (server.address() as AddressInfo).port, events, ends, state }
}

export const stop = async (server: Server): Promise<void> => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}

/** Everything for one test; its server has time, unless it is the time that is tested. */
export async function openDoor({ requestTimeout = 20_000 } = {}) {
  const canary = await startCanary()
  const child = fakeStdio()
  const remote = openRemoteUpstream(
    remoteConfig({
      id: 'canary',
      url: `http://127.0.0.1:${canary.port}/base/mcp?tenant=1`,
      requestTimeout,
      idleTimeout: 20_000,
      connectTimeout: 10_000,
      connections: 64,
      maxAnswer: 200_000,
    }),
    AROUND,
  )
  const bound = { ...remote, addedHeaders: { authorization: 'Bearer of-the-gate' } }
  const gate = await startGate({ canary: bound, child })
  const url = (server = 'canary') => `http://127.0.0.1:${gate.port}/servers/${server}/mcp`
  return {
    canary,
    child,
    gate,
    url,
    post: (body: unknown, headers: Record<string, string> = {}, server = 'canary', token = 'alice') =>
      fetch(url(server), {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: ACCEPT, ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    /** The canary answers every request with this result. */
    answerAll(result: unknown = { ok: true }) {
      canary.state.answer = (_, res, body) =>
        void json(res, { jsonrpc: '2.0', id: JSON.parse(body || '{}').id, result })
    },
    async close() {
      await stop(gate.server)
      await remote.close()
      await stop(canary.server)
    },
  }
}
export type Door = Awaited<ReturnType<typeof openDoor>>

interface Answer {
  readonly id: unknown
  readonly result: Record<string, unknown>
  readonly error: { code: number; message: string; data?: unknown }
}
/** A JSON-RPC answer as tests look at it. */
export const rpc = async (response: Response): Promise<Answer> => (await response.json()) as Answer

export const call = (name: string, id: number | string = 1) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name },
})
export const modern = (method: string, params: object = {}, id = 1) => ({
  jsonrpc: '2.0',
  id,
  method,
  params: { ...params, _meta: MODERN_META },
})
export const modernHeaders = (method: string, name?: string) => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
  ...(name !== undefined && { 'mcp-name': name }),
})
export const json = (res: ServerResponse, body: unknown, headers: Record<string, string> = {}, status = 200) =>
  res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
export const sse = (res: ServerResponse) => res.writeHead(200, { 'content-type': 'text/event-stream' })

/** Waits for what will come true. */
export const until = async (holds: () => boolean): Promise<void> => {
  for (let left = 4000; !holds(); left--) {
    if (left === 0) throw new Error('It never came true.')
    await delay(5)
  }
}
