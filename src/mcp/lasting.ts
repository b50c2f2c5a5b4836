// What a lasting channel of the handshake era (a WebSocket, the event stream of 2024-11-05) needs of the door.
import type { Exchange } from '../http/exchange.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Principal } from '../protocol/principal.ts'
import type { HandOn } from './cluster/hand-on.ts'
import type { StreamLimits, Streams } from './streams.ts'

export interface LastingNeeds {
  /** Throws RequestError 403 for a foreign origin; sets the CORS fields for one of ours. */
  cors(exchange: Exchange): void
  /** Throws BearerError. */
  authenticate(exchange: Exchange, serverId: string): Principal | Promise<Principal>
  /** Throws RequestError 404 for a server that is not there, or that the principal cannot see. */
  checkVisible(principal: Principal, serverId: string): void
  /** The server's own endpoint. */
  serve(exchange: Exchange, serverId: string): Promise<void>
  /** Answers a refusal with the challenge of the address. */
  refuse(exchange: Exchange, error: unknown, serverId: string): void
  readonly streams: Pick<Streams, 'reserve'>
  /** This replica and boot. */
  readonly self: string
  /** With other replicas: to the one that has the stream. */
  readonly handOn: HandOn | undefined
  newId(at: number): string
  /** A mistake of ours; the channel has ended with it. */
  onError(error: unknown): void
  readonly clock: Clock
  readonly limits: StreamLimits & { readonly body: number; readonly bodyTimeout: number }
}

/** Most requests of one channel under way at once; beyond it nothing more is read. */
export const MOST_RUNNING = 64
/** And no more bytes than so many of the largest messages have. */
export const MOST_BODIES = 4
/** Largest message that a channel hands to its client: what cannot be streamed is held whole. */
export const MOST_MESSAGE = 64 * 1024 * 1024
