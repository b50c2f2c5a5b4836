// The event stream that answers one request: its notifications, then its one answer. What else an upstream puts there is refused.
// MCP 2025-11-25, Transports: sending messages to the server; MCP 2026-07-28, Transports, where a server asks nothing on it.

import { dataInParts, readEvent, replaceData, writeEvent } from '../protocol/events.ts'
import type { RpcId } from '../protocol/jsonrpc.ts'
import { answering, readJson } from './answer.ts'
import { FAULTS, type Fault } from './fault.ts'
import type { Hears } from './hearing.ts'
import { ALIVE } from './keep-alive.ts'
import { ownAnswer } from './own-answer.ts'
import type { Screen } from './screen.ts'

export interface AnswerStream {
  /** The bytes to hand on in place of a whole event, or why the stream must end. */
  pass(event: Buffer): Buffer | Fault
  /** An event too long to be held; `last` part of it. */
  passPart(part: Buffer, last: boolean): Buffer | Fault
  /** No answer has come yet. */
  pending(): boolean
  /** MCP 2025-11-25: an event had an id, so a client may come back for the answer after the stream has closed. */
  resumable(): boolean
}

const NOTHING = Buffer.alloc(0)
/** For what may have been no more than a comment. */
const COMMENT = Buffer.from(ALIVE)

export function answerStream(needs: {
  id: RpcId
  screen: Screen
  /** The handshake era lets a server ask its client on this stream. */
  requestsAllowed: boolean
}): AnswerStream {
  const { id, screen, requestsAllowed } = needs
  const { edit, reword, hears, aside } = screen
  let pending = true
  let resumable = false
  let isOwn: ((part: Buffer) => boolean) | undefined
  return {
    pending: () => pending,
    resumable: () => resumable,
    pass(event) {
      const { data, hasId } = readEvent(event)
      // Who may not resume is not sent to try: a stream that ends without an answer is then an error.
      resumable ||= hasId && hears === undefined && aside === undefined
      if (data === undefined) return aside === undefined ? event : COMMENT
      const kind = answering(data, id)
      if (aside !== undefined && (kind === 'notification' || (kind === 'request' && requestsAllowed))) {
        const said = aside(readJson(data))
        return said === undefined ? NOTHING : writeEvent(said)
      }
      if (kind === 'notification' && hears?.(data) === false) return NOTHING
      if (kind === 'notification' || (kind === 'request' && requestsAllowed)) return event
      if (kind !== 'answer' || !pending) return FAULTS.protocol
      const exchange = edit ?? reword
      const message = exchange && readJson(data)
      const edited = exchange?.(message)
      // What could not be read could not be judged.
      if (exchange !== undefined && (edit === undefined ? message : edited) === undefined) return FAULTS.protocol
      pending = false
      return edited === undefined ? event : replaceData(event, edited)
    },
    passPart(part, last) {
      // What must be filtered must be seen whole. Otherwise so much data at once is the answer: notifications are small.
      if (edit !== undefined || aside !== undefined) return FAULTS.too_large
      isOwn ??= ownDataOf(id)
      if (!pending || !isOwn(part)) return FAULTS.protocol
      if (last) pending = false
      return part
    },
  }
}

/** Of an event that comes in parts. */
function ownDataOf(id: RpcId): (part: Buffer) => boolean {
  const dataOf = dataInParts()
  const isOwn = ownAnswer(id, 'asking')
  return (part) => isOwn(dataOf(part))
}

/** A GET stream has no request of its own, and may replay the answers of others. */
export function heard(event: Buffer, whole: boolean, hears: Hears | undefined): Buffer | Fault {
  if (hears !== undefined && !whole) return FAULTS.too_large
  const data = hears && readEvent(event).data
  return data === undefined || hears?.(data) ? event : NOTHING
}
