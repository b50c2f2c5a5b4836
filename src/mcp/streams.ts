// Open streams by caller: how many there are, and that each ends with the credential that opened it.
import { RequestError } from '../protocol/errors.ts'
import { countedAs, type Principal } from '../protocol/principal.ts'

/** Why a stream must end: its credential did, or the gate goes away and the client may come back at once. */
export type StreamEnd = 'expired' | 'revoked' | 'draining'

/** Of each of them. */
export interface StreamLimits {
  /** Most that is written and not read, bytes. */
  readonly streamBuffer: number
  /** Longest time that a reader may stand still, milliseconds. */
  readonly streamStall: number
  /** Silence before a sign of life, milliseconds; 0 is never. */
  readonly streamKeepAlive: number
}

interface Needs {
  /** Most open streams of one principal, of whatever kind; of one network where nobody has signed in. */
  readonly most: number
  /** Calls `onEnd` once when the principal's credential ends, or a `lasting` stream must; answers how to stop watching. */
  watch(principal: Principal, onEnd: (reason: StreamEnd) => void, lasting: boolean): () => void
}

export interface Streams {
  /**
   * Takes the place of a lasting stream, one that no answer of its own ends: one that a channel carries has the channel's. Throws
   * RequestError 429 when the caller has none left.
   */
  reserve(principal: Principal, address: string, carried?: boolean): Place
  /** Counts and watches the stream of an answer; answers how to give its place back. */
  open(principal: Principal, address: string, onEnd: (reason: StreamEnd) => void): () => void
}

/** Held from before the upstream is asked, so that many requests at once cannot all find the last place free. */
export interface Place {
  /** Watches the credential; answers how to stop. */
  watch(onEnd: (reason: StreamEnd) => void): () => void
  release(): void
}

export function createStreams({ most, watch }: Needs): Streams {
  const open = new Map<string, number>()
  const take = (whose: string): (() => void) => {
    open.set(whose, (open.get(whose) ?? 0) + 1)
    let given = false
    return () => {
      if (given) return
      given = true
      const left = (open.get(whose) ?? 1) - 1
      if (left > 0) open.set(whose, left)
      else open.delete(whose)
    }
  }
  return {
    reserve(principal, address, carried = false) {
      const watching: Place['watch'] = (onEnd) => watch(principal, onEnd, true)
      if (carried) return { watch: watching, release: () => undefined }
      const whose = countedAs(principal, address)
      if ((open.get(whose) ?? 0) >= most)
        throw new RequestError(429, 'too_many_streams', 'Too many open streams.', { retryAfter: 5 })
      return { watch: watching, release: take(whose) }
    },
    open(principal, address, onEnd) {
      const release = take(countedAs(principal, address))
      const unwatch = watch(principal, onEnd, false)
      return () => {
        release()
        unwatch()
      }
    },
  }
}
