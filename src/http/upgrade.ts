// Connections that want to become something else (RFC 9110 §7.8): WebSocket at the addresses that speak it, nothing anywhere else.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Exchange } from './exchange.ts'
import { IdentifiedResponse } from './identified.ts'

/** Until it is taken over, a refusal is answered on `res` like any other, and the connection ends behind it. */
export interface UpgradeExchange extends Exchange {
  /** The bare connection and what came behind the head; `res` is of no use any more. */
  takeOver(): { socket: Duplex; head: Buffer }
}

export type UpgradeEndpoint = (exchange: UpgradeExchange) => void | Promise<void>

/** What a gateway does with connections that want to become a WebSocket. */
export interface Upgrades {
  /** There is a WebSocket at this target. */
  takes(target: string): boolean
  handle(req: IncomingMessage, socket: Duplex, head: Buffer): void
}

/** RFC 6455 §4.2.1: the only upgrade there is. Everything else stays an ordinary request. */
export const isWebSocketRequest = ({ method, httpVersion, headers }: IncomingMessage): boolean =>
  method === 'GET' && httpVersion === '1.1' && headers.upgrade?.toLowerCase() === 'websocket'

export function responseOn(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): { res: IdentifiedResponse; takeOver: UpgradeExchange['takeOver'] } {
  const res = new IdentifiedResponse(req)
  res.shouldKeepAlive = false
  // Node hands the connection over as a stream; a response needs no more of it than writing.
  res.assignSocket(socket as Parameters<typeof res.assignSocket>[0])
  const end = () => void socket.end(() => socket.destroy())
  res.once('finish', end)
  socket.on('error', () => socket.destroy())
  return {
    res,
    takeOver() {
      res.removeListener('finish', end)
      res.detachSocket(socket as Parameters<typeof res.detachSocket>[0])
      return { socket, head }
    },
  }
}
