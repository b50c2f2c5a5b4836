// Open streams by principal: how many there are, and that each ends with the credential that opened it.
import { RequestError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'

/** Why a stream must end: its credential did, or the gate goes away and the client may come back at once. */
export type StreamEnd = 'expired' | 'revoked' | 'draining'

interface Needs {
  /** Most open streams of one principal. */
  readonly most: number
  /** Calls `onEnd` once when the principal's credential ends, or a `lasting` stream must; answers how to stop watching. */
  watch(principal: Principal, onEnd: (reason: StreamEnd) => void, lasting: boolean): () => void
}

export interface Streams {
  /** Throws RequestError 429 when the principal has no room for a further stream. */
  checkRoom(principal: Principal): void
  /** Counts and watches a stream; answers how to give its place back. `lasting`: no answer of its own ends it. */
  open(principal: Principal, onEnd: (reason: StreamEnd) => void, lasting: boolean): () => void
}

export function createStreams({ most, watch }: Needs): Streams {
  const open = new Map<string, number>()
  return {
    checkRoom({ subject }) {
      if ((open.get(subject) ?? 0) < most) return
      throw new RequestError(429, 'too_many_streams', 'Too many open streams.', { retryAfter: 5 })
    },
    open(principal, onEnd, lasting) {
      const { subject } = principal
      open.set(subject, (open.get(subject) ?? 0) + 1)
      const unwatch = watch(principal, onEnd, lasting)
      let closed = false
      return () => {
        if (closed) return
        closed = true
        unwatch()
        const left = (open.get(subject) ?? 1) - 1
        if (left > 0) open.set(subject, left)
        else open.delete(subject)
      }
    },
  }
}
