// Which requests of one connection are served: none behind an answer that said `close` (RFC 9112 §9.6). Node hands on every request
// of one read at once, so behind a refused frame there may stand requests that no other reader of these bytes would see (§11.2).
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export interface Succession {
  /** `false`: the connection ends with an answer before this request, which stays unanswered. */
  admit(req: IncomingMessage, res: ServerResponse): boolean
  /**
   * The parser gave up on a connection. `false`: no answer is under way, and a refusal may be written. `true`: it would be read as
   * that answer, or as a part of it; the connection ends behind it without a word.
   */
  endBehindAnswer(socket: Socket): boolean
  /** Every answer of the connection has been given: it may become something else. */
  isFree(socket: Duplex): boolean
}

/** At the connection itself: a WeakMap costs ten times as much, with every request and every collection. */
const NEWEST = Symbol('newest answer')
type Answering = Duplex & { [NEWEST]?: ServerResponse }

export function createSuccession(): Succession {
  const newestOf = (socket: Answering): ServerResponse | undefined => socket[NEWEST]
  return {
    admit(req, res) {
      const socket: Answering = req.socket
      if (socket[NEWEST]?.getHeader('connection') === 'close') return false
      socket[NEWEST] = res
      return true
    },
    isFree(socket) {
      const answer = newestOf(socket)
      return answer === undefined || (answer.closed && answer.getHeader('connection') !== 'close')
    },
    endBehindAnswer(socket) {
      const answer = newestOf(socket)
      if (answer === undefined || answer.closed) return false
      const { complete } = answer.req
      // What broke is the body of the request whose turn it is, and nothing has been said to it yet.
      if (!complete && !answer.headersSent && answer.socket === socket) return false
      if (complete) answer.once('close', () => socket.destroySoon())
      else socket.destroySoon()
      return true
    },
  }
}
