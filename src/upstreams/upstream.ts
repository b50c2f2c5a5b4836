// An MCP server behind us, as the MCP door sees it.
import type { Dispatcher } from 'undici'
import type { RpcNotification, RpcRequest, RpcResponse } from '../protocol/jsonrpc.ts'

/** What a server is given as credential, for one caller or for all. */
export interface Given {
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** Added to the address's query, encoded. */
  readonly query?: string
}

/** Reached over Streamable HTTP. Bytes go through; the door writes the request head itself. */
export interface RemoteUpstream {
  readonly kind: 'remote'
  readonly id: string
  /** Path and query of its endpoint, for the request line; the pool knows the origin. */
  readonly path: string
  readonly pool: Dispatcher
  /** For what stays open: idle streams must not use up the connections that calls wait for. */
  readonly streams: Dispatcher
  /** What the gate adds for its caller (lower-case names): credential, identity; set last, over everything else. */
  readonly addedHeaders: Readonly<Record<string, string>>
  /** The credential among them, once it is bound to a caller. */
  readonly given?: Given
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

/** A child process that speaks the handshake era over stdin and stdout; one process, shared by all callers for now. */
export interface ChannelUpstream {
  readonly kind: 'channel'
  readonly id: string
  readonly requestTimeout: number
  /** Starts the child when it is not running and answers its (one) initialization. Throws UpstreamError. */
  initialize(): Promise<ChannelInitialization>
  /**
   * Sends one request; ids and progress tokens are remapped, so callers cannot meet. The answer carries the caller's id.
   * Progress of this request goes to `onNotification`. An abort sends `notifications/cancelled` and rejects with UpstreamError `cancelled`.
   */
  request(
    message: RpcRequest,
    options: { signal: AbortSignal; onNotification(message: RpcNotification): void },
  ): Promise<RpcResponse>
  /** Notifications of a client that concern the server itself. `cancelled` and `initialized` are not passed on. */
  notify(message: RpcNotification): void
  /** What belongs to no request: list changes, resource updates, log messages. Answers the end of the subscription. */
  subscribe(listener: (message: RpcNotification) => void): () => void
  close(): Promise<void>
}

export type Upstream = RemoteUpstream | ChannelUpstream

/** An upstream that did not do its part. `reason` is a stable slug: `connect`, `timeout`, `reset`, `protocol`, `spawn`, `exited`, `cancelled`. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly reason: string

  constructor(reason: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.reason = reason
  }
}

export interface Upstreams {
  get(id: string): Upstream | undefined
  /** What /ready says of each: reachable at the last attempt, and when. Unknown before the first. */
  health(): readonly { id: string; state: 'unknown' | 'up' | 'down'; reason?: string; at?: number }[]
  /** The door reports how an attempt ended. */
  report(id: string, outcome: { ok: true } | { ok: false; reason: string }): void
  close(): Promise<void>
}
