// An MCP server behind us, as the MCP door sees it.
import type { Dispatcher } from 'undici'
import type { RpcNotification, RpcRequest, RpcResponse } from '../protocol/jsonrpc.ts'
import type { Caller } from './caller.ts'
import type { ToldMeta } from './identity/meta.ts'

/** What a server is given as credential, for one caller or for all. */
export interface Given {
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** Added to the address's query, encoded. */
  readonly query?: string
}

/** How a call went, as far as it tells of the server itself: a caller's own mistakes and leaving say nothing. */
export type Verdict = 'ok' | 'failed' | 'neither'

export interface GateFigures {
  readonly inFlight: number
  readonly queued: number
  readonly breaker: 'closed' | 'half-open' | 'open'
  /** How many were sent away without being asked. */
  readonly refused: Readonly<Record<'busy' | 'busy_principal' | 'resting', number>>
}

/** Who is let through to one server: so many calls at once, and none while it rests after failures. */
export interface Gate {
  /** Takes a place: at once (`undefined`), or when one is free. Throws, or rejects with, UpstreamError `busy`, `busy_principal` or `resting`. */
  enter(): Promise<void> | undefined
  /** Once for each `enter` that did not throw. */
  leave(verdict: Verdict): void
  /** The call waits for a person: its place is another's until it goes on, which is told before it leaves. Its caller's share counts it still. */
  aside(): () => void
  /** For what takes no place, since it stays open as long as its client does. Throws UpstreamError `resting`. */
  check(): undefined
  figures(): GateFigures
  /** As one caller finds it: they have a share of the places, and no more. */
  of(whose: string): Gate
}

/** Connections to one server. */
export interface Carriers extends Dispatcher {
  /** What came was no answer to the request that has this handler, or these options: what else comes on its connection is nobody's. Absent where answers have names. */
  endConnectionOf?(known: Dispatcher.DispatchHandler | Dispatcher.RequestOptions): void
}

/** Reached over Streamable HTTP. Bytes go through; the door writes the request head itself. */
export interface RemoteUpstream {
  readonly kind: 'remote'
  readonly id: string
  /** Path and query of its endpoint, for the request line; the pool knows the origin. */
  readonly path: string
  readonly pool: Carriers
  /** For what stays open: idle streams must not use up the connections that calls wait for. */
  readonly streams: Dispatcher
  readonly gate: Gate
  /** For whom it is called, as connections and places are told apart; absent where the gate asks for itself. */
  readonly whose?: string
  /** What the gate adds for its caller (lower-case names): credential, identity; set last, over everything else. */
  readonly addedHeaders: Readonly<Record<string, string>>
  /** The credential among them, once it is bound to a caller. */
  readonly given?: Given
  /** That is one person's own: where it is refused, nothing is said of the server. */
  readonly personal?: boolean
  /** Which of one person's accounts there it is, where they bring it along. */
  readonly owner?: string | undefined
  /** What becomes of `_meta` on the way, where it says who calls. Else nothing but a forged identity is taken out. */
  readonly meta?: ToldMeta
  readonly requestTimeout: number
  readonly idleTimeout: number
  readonly maxAnswer: number
}

export interface ChannelInitialization {
  readonly protocolVersion: string
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly serverInfo: Readonly<Record<string, unknown>>
  readonly instructions?: string
}

/**
 * A question of the server (sampling, elicitation, roots) for the caller in the middle of whose call it came. `undefined`: they cannot
 * answer it, and the next may. The signal ends when the server takes it back, or the call has ended.
 */
export type Ask = (question: RpcRequest, signal: AbortSignal) => Promise<RpcResponse> | undefined

/** What the instance of a caller is opened with. */
export interface Grant {
  readonly given: Given
  /** Whose it is, where the caller's subject does not say it all; never the secret. */
  readonly owner?: string | undefined
  /** Who calls (lower-case names). One that callers share is told of nobody, since the next message is another's. */
  readonly told: Readonly<Record<string, string>>
  /** Another credential in place of the one that the server refused; `undefined` where there is none. */
  readonly renewed?: ((refused: Refused) => Promise<Given | undefined>) | undefined
}

/** The server did not take what it was given: 401, or 403 with a challenge for more scopes. */
export interface Refused {
  readonly status: number
  /** Its `WWW-Authenticate`. */
  readonly challenge: string | undefined
}

export interface ChannelCall {
  readonly signal: AbortSignal
  /** Progress of this request. */
  onNotification(message: RpcNotification): void
  /** Heard at an instance of one caller's own; one that callers share asks nobody. */
  readonly onRequest?: Ask | undefined
  /** Log messages from this level on. Heard at an instance of one caller's own, by the oldest call that wants them: none is named. */
  readonly logs?: { readonly level: string; hear(message: RpcNotification): void } | undefined
  /** By whom the place is counted that it takes; absent: by nobody. */
  readonly whose?: string | undefined
  /** Who calls, and what of their own head goes along (lower-case names): sent where a message has a head of its own (HTTP+SSE). */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * Speaks the handshake era over one lasting channel: a child process, HTTP+SSE of 2024-11-05, WebSocket. What the registry knows is the
 * one that callers share, or that the gate asks for itself where each caller has one of their own.
 */
export interface ChannelUpstream {
  readonly kind: 'channel'
  readonly id: string
  readonly requestTimeout: number
  /** One caller's own: all it says is theirs, and it may ask them. */
  readonly personal?: boolean
  /** Each caller has one of their own, by `instanceFor`; this one is the gate's. */
  readonly perPrincipal?: boolean
  /** Opens the channel when it is not open and answers its (one) initialization. Throws UpstreamError. */
  initialize(): Promise<ChannelInitialization>
  /**
   * Sends one request; ids and progress tokens are remapped, so callers cannot meet. The answer carries the caller's id.
   * An abort sends `notifications/cancelled` and rejects with UpstreamError `cancelled`.
   */
  request(message: RpcRequest, options: ChannelCall): Promise<RpcResponse>
  /** Notifications of a client that concern the server itself. `cancelled` and `initialized` are not passed on. */
  notify(message: RpcNotification): void
  /** At one caller's own: log messages from this level on are wanted of it, and of whatever is opened in its place. Rejects with UpstreamError. */
  wantLogs?(level: string): Promise<void>
  /** What belongs to no request: list changes, resource updates, log messages. Answers the end of the subscription. */
  subscribe(listener: (message: RpcNotification) => void): () => void
  /** The one that serves this caller, where it is not this one. Throws RpcError `anonymous_caller` where each has one of their own. */
  instanceFor?(caller: Caller | undefined, grant: Grant): ChannelUpstream
  /** The caller's own, where there is one, ends now: what they were given counts no more. */
  endInstance?(subject: string): void
  close(): Promise<void>
}

export type Upstream = RemoteUpstream | ChannelUpstream

/** An upstream that did not do its part. `reason` is a stable slug: `connect`, `timeout`, `reset`, `protocol`, `spawn`, `exited`, `cancelled`; `busy`, `busy_principal` and `resting` where it was not asked. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly reason: string
  /** Seconds until it is worth another try, where that is known. */
  readonly retryAfter: number | undefined

  constructor(reason: string, message: string, options: { cause?: unknown; retryAfter?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.reason = reason
    this.retryAfter = options.retryAfter
  }
}

export interface Upstreams {
  get(id: string): Upstream | undefined
  /** What /ready says of each: reachable at the last attempt, and since when that is so. Unknown before the first. */
  health(): readonly { id: string; state: 'unknown' | 'up' | 'down' | 'resting'; reason?: string; since?: number }[]
  /** Of each server: how many are under way at it, wait, were sent away. */
  gates(): readonly { id: string; figures: GateFigures }[]
  /** The door reports how an attempt ended. */
  report(id: string, outcome: { ok: true } | { ok: false; reason: string }): void
  close(): Promise<void>
}
