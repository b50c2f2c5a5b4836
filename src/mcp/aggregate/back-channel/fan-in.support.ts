// An address at which clients listen to several servers, and clients that do.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { answerOf, sendAnswer } from '../../../http/responses.ts'
import { ANONYMOUS } from '../../../protocol/principal.ts'
import type { Caller } from '../../../upstreams/caller.ts'
import type { Upstream } from '../../../upstreams/upstream.ts'
import { createBridge } from '../../bridge/call.ts'
import { parseMessage } from '../../message.ts'
import { createStreams, type StreamEnd } from '../../streams.ts'
import { createSubscriptions } from '../../subscriptions.ts'
import { createAccountChanges } from './account-changes.ts'
import { type BackChannel, createBackChannel } from './back-channel.ts'

type Json = Record<string, unknown>

export interface Rules {
  hidden: Set<string>
  unreadable: Set<string>
  streamsPerPrincipal: number
  streamBuffer: number
  streamStall: number
  streamKeepAlive: number
}

/** `GET /?user=&session=` listens as a client of the handshake era; `POST` with a listening request as a modern one; a response answers. */
export async function startHub(
  upstreams: Record<string, Upstream>,
  modern: readonly string[] = [],
  options: Partial<Rules> = {},
) {
  const rules: Rules = {
    ...{ hidden: new Set<string>(), unreadable: new Set<string>(), streamsPerPrincipal: 10, streamBuffer: 65_536 },
    ...{ streamStall: 10_000, streamKeepAlive: 15_000, ...options },
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
  const bridge = createBridge({ report: () => undefined, clock: Date.now })
  const channel: BackChannel = createBackChannel({
    accounts: createAccountChanges(),
    get: (id) => upstreams[id],
    reach: (id) => upstreams[id],
    contextOf: () => undefined,
    listenAs: bridge.listenAs,
    eraOf: async ({ id }) => (modern.includes(id) ? 'modern' : 'legacy'),
    mostBytes: 65_536,
    waits: { first: 10, most: 50 },
    streams: createStreams({ most: rules.streamsPerPrincipal, watch }),
    subscriptions: createSubscriptions(),
    onListChanged: (server) => void changed.push(server),
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
        const became = await channel.answer({ subject, session }, incoming, { principal, rawHeaders: req.rawHeaders })
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
      bridge.close()
    },
  }
}
/** Somebody, at their latest request. */
export const NOBODY: Caller = { principal: ANONYMOUS, rawHeaders: [] }

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
  for (let left = 4000; !holds(); left--) {
    if (left === 0) throw new Error('It never came true.')
    await delay(5)
  }
}
