// The answer to one call where its bytes are ours: JSON, or a stream from the first word of the server on. MCP 2025-11-25, Transports.
import type { Exchange } from '../http/exchange.ts'
import { EVENT_STREAM, writeEvent } from '../protocol/events.ts'
import type { RpcId } from '../protocol/jsonrpc.ts'
import { sendRpc } from './answer.ts'
import { type Fault, faultMessage, retryField } from './fault.ts'
import { keepAlive } from './keep-alive.ts'
import type { Ending } from './relay.ts'

export interface Reply {
  /** Before the answer. */
  say(message: object): void
  answer(response: object): Ending
  /** Gives the place of its stream back. */
  end(): void
}

export function openReply(
  { res }: Exchange,
  needs: {
    /** Takes a place for the stream, where it becomes one. */
    openStream(): () => void
    readonly limits: { readonly streamBuffer: number; readonly streamKeepAlive: number }
  },
): Reply {
  let closeStream: (() => void) | undefined
  return {
    say(message) {
      if (res.destroyed) return
      if (closeStream === undefined) {
        res.writeHead(200, [...EVENT_STREAM])
        closeStream = needs.openStream()
        keepAlive(res, needs.limits.streamKeepAlive)
      }
      res.write(writeEvent(message))
      // A reader that does not read loses its stream; the call itself goes on (leaving is not cancelling).
      if (res.writableLength > needs.limits.streamBuffer) res.destroy()
    },
    answer(response) {
      if (res.destroyed) return { status: undefined, outcome: 'cancelled', fault: undefined }
      if (res.headersSent) res.end(writeEvent(response))
      else sendRpc(res, 200, response)
      return { status: 200, outcome: 'answered', fault: undefined }
    },
    end: () => closeStream?.(),
  }
}

/** In place of an answer, or at the end of its stream. */
export function sendFault({ res, id: requestId }: Exchange, id: RpcId | undefined, fault: Fault): Ending {
  const body = faultMessage(fault, id, requestId)
  if (!res.headersSent) sendRpc(res, fault.status, body, retryField(fault))
  else if (!res.destroyed) res.end(writeEvent(body))
  const outcome = fault.reason === 'cancelled' ? 'cancelled' : 'upstream_error'
  return { status: res.statusCode, outcome, fault: fault.reason }
}
