// The answer to one call where its bytes are ours: JSON, or a stream from the first word of the server on. MCP 2025-11-25, Transports.
import type { Exchange } from '../http/exchange.ts'
import { EVENT_STREAM, writeEvent } from '../protocol/events.ts'
import type { RpcId } from '../protocol/jsonrpc.ts'
import { CredentialFailed } from '../upstreams/credential.ts'
import { UpstreamError } from '../upstreams/upstream.ts'
import { sendRpc } from './answer.ts'
import { type Fault, faultMessage, faultOfUpstream, retryField } from './fault.ts'
import { keepAlive } from './keep-alive.ts'
import type { Ending } from './relay.ts'
import type { StreamLimits } from './streams.ts'

export interface Reply {
  /** Somebody may still hear what is said. */
  isOpen(): boolean
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
    readonly limits: Pick<StreamLimits, 'streamBuffer' | 'streamKeepAlive'>
  },
): Reply {
  let closeStream: (() => void) | undefined
  return {
    isOpen: () => !res.destroyed && !res.writableEnded,
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

/**
 * What became of a call that a server was to do. Whoever has no credential is refused, and a server that failed has not refused anybody:
 * throws what is not the server's.
 */
export function sendFailure(exchange: Exchange, id: RpcId | undefined, error: unknown): Ending {
  if (!(error instanceof UpstreamError) || error instanceof CredentialFailed) throw error
  return sendFault(exchange, id, faultOfUpstream(error))
}

/** In place of an answer, or at the end of its stream. */
export function sendFault({ res, id: requestId }: Exchange, id: RpcId | undefined, fault: Fault): Ending {
  const body = faultMessage(fault, id, requestId)
  if (!res.headersSent) sendRpc(res, fault.status, body, retryField(fault))
  else if (!res.destroyed) res.end(writeEvent(body))
  const outcome = fault.reason === 'cancelled' ? 'cancelled' : 'upstream_error'
  return { status: res.statusCode, outcome, fault: fault.reason }
}
