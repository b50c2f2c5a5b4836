// The request leaves for a remote upstream, over its pool: the same bytes, a head of our own, and its credentials last.
import type { RemoteUpstream, Upstreams } from '../upstreams/upstream.ts'
import type { Passage } from './passage.ts'
import { type Ending, Relay } from './relay.ts'

export interface Departure {
  readonly method: 'POST' | 'GET' | 'DELETE'
  /** Flat list of names and values. */
  readonly headers: string[]
  readonly body: Buffer | null
  /** A GET stream or a subscription, open as long as the client is. */
  readonly lasting: boolean
}

interface Needs {
  readonly report: Upstreams['report']
}

export type Forward = (upstream: RemoteUpstream, departure: Departure, passage: Passage) => Promise<Ending>

/** Faults that say nothing of the upstream's health. */
const NOT_ITS_HEALTH = new Set(['credential_ended', 'session_lost', 'too_large'])

const UP = { ok: true } as const

export function createForward({ report }: Needs): Forward {
  return function forward(upstream, { method, headers, body, lasting }, passage) {
    const { promise, resolve } = Promise.withResolvers<Ending>()
    const relay = new Relay(passage, (ending) => {
      if (ending.fault !== undefined && !NOT_ITS_HEALTH.has(ending.fault))
        report(upstream.id, { ok: false, reason: ending.fault })
      else if (ending.outcome === 'answered') report(upstream.id, UP)
      resolve(ending)
    })
    const dispatcher = lasting ? upstream.streams : upstream.pool
    dispatcher.dispatch(
      {
        path: upstream.path,
        method,
        headers,
        body,
        // The relay's own timer covers the wait for a connection and the first byte.
        headersTimeout: 0,
        bodyTimeout: upstream.idleTimeout,
      },
      relay,
    )
    return promise
  }
}
