// One HTTP request and its answer, after the gates of http/ (target, headers, address) have passed it.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Principal } from '../protocol/principal.ts'

export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** Path exactly as received: no dot segments, no encoded separators, no `//`, no backslash. */
  readonly path: string
  /** After `?`, without it; empty when there is none. */
  readonly query: string
  /** UUIDv7, ours; the key of log, audit and explain. */
  readonly id: string
  /** Address of the client: the peer, or the rightmost untrusted one of X-Forwarded-For behind a trusted proxy. */
  readonly address: string
  /** The peer itself is a trusted proxy. */
  readonly viaProxy: boolean
  /** Clock at arrival, milliseconds since the epoch. */
  readonly at: number
  /** It came through another replica, which has proved who calls. */
  readonly handed?: { readonly principal: Principal }
  /** Its stream is carried on a channel, which has a place among its caller's streams already. */
  readonly carried?: boolean
}

export type Endpoint = (exchange: Exchange) => void | Promise<void>
