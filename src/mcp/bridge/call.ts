// One request of a client to a server of the other era, or to one at a channel: asked as the server's era wants it, answered as the
// client's does. MCP 2026-07-28 and 2025-11-25.

import type { Clock } from '../../protocol/clock.ts'
import { type RpcNotification, type RpcRequest, type RpcResponse, rpcError } from '../../protocol/jsonrpc.ts'
import { isAtLeast, isLogLevel } from '../../protocol/log-level.ts'
import { RPC } from '../../protocol/mcp.ts'
import type { Principal } from '../../protocol/principal.ts'
import { UpstreamRefused } from '../../upstreams/credential.ts'
import {
  type Ask,
  type ChannelUpstream,
  type RemoteUpstream,
  type Upstream,
  UpstreamError,
  type Upstreams,
} from '../../upstreams/upstream.ts'
import { isOfItsHealth } from '../fault.ts'
import { askable } from '../held/askable.ts'
import { askInSession, HandshakeRefused, nextId, wordlessRefusal } from './handshake.ts'
import { type ClientHello, isModernHello } from './hello.ts'
import { createIntroduce, type Introduce } from './introduce.ts'
import { linksWanted } from './links-wanted.ts'
import { createListenAs } from './listen-as.ts'
import { post } from './post.ts'
import { probeEra } from './probe.ts'
import { legacyRequest, logLevelOf, modernRequest, progressTokenOf } from './request.ts'
import { legacyResponse, modernResponse, notificationFor } from './response.ts'
import { inRounds } from './rounds.ts'
import { createSessionPool, type PooledSession } from './session-pool.ts'
import { createUpstreamEras, type UpstreamEras } from './upstream-era.ts'
import { withSession } from './with-session.ts'

export interface BridgeCall {
  readonly principal: Principal
  /** As policy judged it, under the server's own names. */
  readonly message: RpcRequest
  readonly hello: ClientHello
  readonly signal: AbortSignal
  /** Progress of this call, under the client's own token, and the log messages that it asked for. */
  onNotification(notification: RpcNotification): void
  /** The tool as its server defines it: which arguments it wants in the head. */
  readonly definition?: Readonly<Record<string, unknown>> | undefined
  /** What a client of the handshake era has set for its session; a modern one says it with the request. */
  readonly logLevel?: string | undefined
  /** Puts a question of the server to the client. Absent: the client is asked nothing, and the server told so. */
  readonly ask?: Ask | undefined
}

export interface Bridge {
  /** The answer has the client's id. Rejects with UpstreamError, whose reason is one of FAULTS. */
  bridgeCall(upstream: Upstream, call: BridgeCall): Promise<RpcResponse>
  /** What it says of itself. */
  readonly introduce: Introduce
  readonly eraOf: UpstreamEras['eraOf']
  /** Listening in the session of the person's calls. */
  readonly listenAs: ReturnType<typeof createListenAs>
  /** Sessions that are open for clients without. */
  sessions(): number
  /** The person has another account at the server now, or none: their session there ends. */
  forgetPrincipal(server: string, subject: string): void
  /** Ends sessions that nobody uses. Called on a timer. */
  sweep(): void
  close(): void
}

interface Needs {
  readonly report: Upstreams['report']
  readonly clock: Clock
}

export function createBridge({ report, clock }: Needs): Bridge {
  const eras = createUpstreamEras({ probe: probeEra, clock })
  const pool = createSessionPool({ clock })

  async function callRemote(upstream: RemoteUpstream, call: BridgeCall): Promise<RpcResponse> {
    const { message, hello, signal } = call
    const era = await eras.eraOf(upstream, signal)
    if (era === 'modern') {
      const send = (asked: RpcRequest) => callModern(upstream, { ...call, message: asked }, () => eras.forget(upstream))
      if (isModernHello(hello)) return { ...(await send(message)), id: message.id }
      return legacyResponse(await inRounds(message, call, send), message)
    }
    const lease = pool.lease(upstream, call.principal, askableOf(call))
    try {
      return await withSession(lease, { method: message.method, signal }, (session) =>
        callLegacy(upstream, session, call),
      )
    } catch (error) {
      // The handshake was no more understood than the probe: it may have been taken down, upgraded, replaced.
      if (error instanceof HandshakeRefused) eras.forget(upstream)
      throw error
    } finally {
      lease.end()
    }
  }

  async function reported(upstream: RemoteUpstream, answer: Promise<RpcResponse>): Promise<RpcResponse> {
    try {
      const response = await answer
      report(upstream.id, { ok: true })
      return response
    } catch (error) {
      // What is refused with a credential may be had anew, or be one person's own.
      const ofCredential = error instanceof UpstreamRefused && upstream.given !== undefined
      if (error instanceof UpstreamError && !ofCredential && isOfItsHealth(error.reason))
        report(upstream.id, { ok: false, reason: error.reason })
      throw error
    }
  }

  return {
    async bridgeCall(upstream, call) {
      const { message } = call
      // Ours to answer: one era has it and the other does not.
      if (message.method === 'ping') return { jsonrpc: '2.0', id: message.id, result: {} }
      return upstream.kind === 'channel' ? callChannel(upstream, call) : reported(upstream, callRemote(upstream, call))
    },
    introduce: createIntroduce({ eraOf: eras.eraOf, lease: pool.lease }),
    eraOf: eras.eraOf,
    listenAs: createListenAs(pool),
    sessions: pool.size,
    forgetPrincipal: pool.forgetPrincipal,
    sweep: pool.sweep,
    close: pool.close,
  }
}

/** The channel has ids and progress tokens of its own; log messages of a server that callers share are nobody's. */
async function callChannel(upstream: ChannelUpstream, call: BridgeCall) {
  const { message, hello, signal, onNotification, ask } = call
  // It goes with each request: where callers share the process, nobody may set it for the others.
  if (message.method === 'logging/setLevel')
    return rpcError(message.id, { code: RPC.methodNotFound, message: 'Method not found' })
  const id = nextId()
  const logLevel = isModernHello(hello) ? logLevelOf(message) : call.logLevel
  const hear = forwarder({ ourToken: id, progressToken: progressTokenOf(message), logLevel }, onNotification)
  const response = await upstream.request(legacyRequest(message, id), {
    signal,
    onNotification: hear,
    onRequest: ask,
    logs: isLogLevel(logLevel) ? { level: logLevel, hear } : undefined,
  })
  if (!isModernHello(hello)) return { ...response, id: message.id }
  const { serverInfo } = await upstream.initialize()
  return toModern(response, { message, hello, ask }, serverInfo)
}

async function callModern(upstream: RemoteUpstream, call: BridgeCall, doubt: () => void): Promise<RpcResponse> {
  const { message, hello, signal, definition } = call
  // The level is the client's session's, and goes with each of its requests from now on.
  if (message.method === 'logging/setLevel') return { jsonrpc: '2.0', id: message.id, result: {} }
  const id = nextId()
  const logLevel = isModernHello(hello) ? logLevelOf(message) : call.logLevel
  const request = modernRequest(message, { id, hello, logLevel, definition, askable: askableOf(call) })
  const heard = { ourToken: id, progressToken: progressTokenOf(message), logLevel }
  const posted = await post(upstream, {
    ...request,
    signal,
    onNotification: forwarder(heard, call.onNotification),
  })
  if (posted.status >= 400 && !isModernRefusal(posted.response)) doubt()
  return posted.response ?? wordlessRefusal(message)
}

/** A server of 2026-07-28 refuses in its own words; the handshake's, or none, are another's. */
function isModernRefusal(response: RpcResponse | undefined): boolean {
  const code = response?.error?.code
  return code !== undefined && code !== RPC.legacyServerError && code !== RPC.unsupportedVersion
}

async function callLegacy(upstream: RemoteUpstream, pooled: PooledSession, call: BridgeCall): Promise<RpcResponse> {
  const { message, hello, signal } = call
  const { session } = pooled
  const modern = isModernHello(hello)
  const id = nextId()
  const logLevel = modern ? logLevelOf(message) : call.logLevel
  await setLogLevel(upstream, pooled, { logLevel, signal })
  const heard = { ourToken: id, progressToken: progressTokenOf(message), logLevel }
  const forget = call.ask && pooled.stream.begin(call.ask)
  try {
    const response = await askInSession(upstream, session, {
      message: legacyRequest(message, id),
      signal,
      onNotification: forwarder(heard, call.onNotification),
      ask: call.ask,
    })
    return modern ? toModern(response, call, session.serverInfo) : { ...response, id: message.id }
  } finally {
    forget?.()
  }
}

/** Links that the server wants followed first are asked for where the client is asked at all. */
function toModern(
  response: RpcResponse,
  { message, hello, ask }: Pick<BridgeCall, 'message' | 'hello' | 'ask'>,
  serverInfo: Parameters<typeof modernResponse>[2],
): RpcResponse {
  const wanted = ask && linksWanted(response, message, hello.capabilities)
  return wanted === undefined ? modernResponse(response, message, serverInfo) : { ...wanted, id: message.id }
}

/** What a server is told that it may ask: nothing where nobody would put the question. */
const askableOf = ({ ask, hello }: BridgeCall) => askable(ask === undefined ? {} : hello.capabilities)

/** MCP 2025-11-25, Logging: one level a session. It only gets less severe, and each call takes of it what it asked for. */
async function setLogLevel(
  upstream: RemoteUpstream,
  pooled: PooledSession,
  { logLevel, signal }: { readonly logLevel: string | undefined; readonly signal: AbortSignal },
): Promise<void> {
  const { session, logLevel: told } = pooled
  if (!isLogLevel(logLevel) || session.capabilities['logging'] === undefined) return
  if (told !== undefined && isAtLeast(logLevel, told)) return
  const message = { jsonrpc: '2.0' as const, id: nextId(), method: 'logging/setLevel', params: { level: logLevel } }
  await askInSession(upstream, session, { message, signal })
  pooled.logLevel = logLevel
}

function forwarder(heard: Parameters<typeof notificationFor>[1], onNotification: BridgeCall['onNotification']) {
  return (notification: RpcNotification): void => {
    const told = notificationFor(notification, heard)
    if (told !== undefined) onNotification(told)
  }
}
