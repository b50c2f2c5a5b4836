// The request leaves for a remote upstream, over its pool: the same bytes, a head of our own, and its credentials last.
import { UpstreamRefused } from '../upstreams/credential.ts'
import { verdictOf } from '../upstreams/gate.ts'
import type { SharedOptions } from '../upstreams/network/shared-connections.ts'
import { type RemoteUpstream, UpstreamError, type Upstreams, type Verdict } from '../upstreams/upstream.ts'
import { faultOfUpstream, isOfItsHealth } from './fault.ts'
import type { Passage } from './passage.ts'
import { type Ending, Relay } from './relay.ts'
import type { HttpMethod } from './visit.ts'

export interface Departure {
  readonly method: HttpMethod
  /** Flat list of names and values. */
  readonly headers: string[]
  readonly body: Buffer | null
  /** A GET stream or a subscription, open as long as the client is. */
  readonly lasting: boolean
}

interface Needs {
  readonly report: Upstreams['report']
}

/** Rejects with UpstreamRefused where the passage is renewable. */
export type Forward = (upstream: RemoteUpstream, departure: Departure, passage: Passage) => Promise<Ending>

/** One person's credential, refused, says nothing of it either. */
const isPersonal = ({ personal }: RemoteUpstream, { fault }: Ending): boolean =>
  personal === true && fault === 'upstream_unauthorized'

const UP = { ok: true } as const
const nothing = (): void => undefined

export function createForward({ report }: Needs): Forward {
  return function forward(upstream, departure, passage) {
    const { gate } = upstream
    // What takes a place among the calls under way: a request that an answer of its own ends.
    const counts = passage.expects === 'answer' && !departure.lasting
    const { promise, resolve, reject } = Promise.withResolvers<Ending>()
    let verdict: Verdict = 'neither'
    const relay = new Relay(
      passage,
      (ending) => {
        if (ending.refused !== undefined) return reject(new UpstreamRefused(ending.refused))
        if (ending.fault !== undefined && isOfItsHealth(ending.fault) && !isPersonal(upstream, ending))
          report(upstream.id, { ok: false, reason: ending.fault })
        else if (ending.outcome === 'answered') report(upstream.id, UP)
        if (ending.outcome !== 'cancelled') verdict = verdictOf(ending.fault)
        resolve(ending)
      },
      counts ? () => gate.leave(verdict) : nothing,
    )
    try {
      const waiting = counts ? gate.enter() : departure.lasting ? gate.check() : undefined
      if (waiting === undefined) dispatch(upstream, departure, relay)
      else
        waiting.then(
          () => (relay.isDone() ? gate.leave('neither') : dispatch(upstream, departure, relay)),
          (error: unknown) => refuse(relay, error),
        )
    } catch (error) {
      refuse(relay, error)
    }
    return promise
  }
}

/** The server was not asked. */
function refuse(relay: Relay, error: unknown): void {
  if (!(error instanceof UpstreamError)) throw error
  relay.fail(faultOfUpstream(error))
}

function dispatch(upstream: RemoteUpstream, { method, headers, body, lasting }: Departure, relay: Relay): void {
  const options: SharedOptions = {
    path: upstream.path,
    method,
    headers,
    body,
    // The relay's own timer covers the wait for a connection and the first byte.
    headersTimeout: 0,
    bodyTimeout: upstream.idleTimeout,
    whose: upstream.whose,
  }
  const dispatcher = lasting ? upstream.streams : upstream.pool
  dispatcher.dispatch(options, relay)
}
