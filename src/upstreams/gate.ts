// One server must not take the others down with it: a bound on the calls that are under way at it (bulkhead), and a rest after failures in
// a row (circuit breaker). Counters only: every call passes here twice.
import type { UpstreamConfig } from '../config/servers.ts'
import type { Clock } from '../protocol/clock.ts'
import { type Gate, UpstreamError, type Verdict } from './upstream.ts'

interface Needs {
  /** Most calls under way; as many again may wait, for `patience` milliseconds. */
  readonly concurrency: number
  readonly patience: number
  readonly breaker: { readonly failures: number; readonly rest: number }
  readonly clock: Clock
  /** The server is left alone, or is called again. */
  onChange(resting: boolean): void
}

interface Waiting {
  readonly until: number
  resolve(): void
  reject(error: UpstreamError): void
}

const FAILURES = new Set(['connect', 'timeout', 'reset', 'unavailable', 'spawn', 'exited'])

/** By the reason of a fault; `undefined` where there was an answer. */
export const verdictOf = (reason: string | undefined): Verdict =>
  reason === undefined ? 'ok' : FAILURES.has(reason) ? 'failed' : 'neither'

/** How long a call waits for a place where there is no connection to be opened. */
const PATIENCE = 3000

/** Of one server, by its configuration; its changes are logged. */
export function gateOf(
  config: UpstreamConfig,
  { clock, log }: { clock: Clock; log: Record<'info' | 'warn', (fields: object, message: string) => void> },
): Gate {
  const { id, concurrency, breaker } = config
  const patience = 'url' in config ? config.connectTimeout : PATIENCE
  return createGate({
    ...{ concurrency, breaker, patience, clock },
    onChange(resting) {
      if (resting) log.warn({ server: id, rest: breaker.rest }, 'server left alone: it fails call after call')
      else log.info({ server: id }, 'server called again')
    },
  })
}

export function createGate({ concurrency, patience, breaker, clock, onChange }: Needs): Gate {
  let inFlight = 0
  let waiting: Waiting[] = []
  let timed = false
  /** In a row. */
  let failures = 0
  /** 0: calls go through. Otherwise the end of the rest; from then on one call at a time finds out. */
  let restUntil = 0
  let probing = false
  const refused = { busy: 0, resting: 0 }

  function rest(): UpstreamError {
    refused.resting += 1
    const retryAfter = Math.max(1, Math.ceil((restUntil - clock()) / 1000))
    return new UpstreamError('resting', 'The server has failed and is left alone for a while.', { retryAfter })
  }
  function busy(): UpstreamError {
    refused.busy += 1
    return new UpstreamError('busy', 'Too many calls are under way at the server.', { retryAfter: 1 })
  }
  const isDue = (): boolean => !probing && clock() >= restUntil

  function wait(): Promise<void> {
    if (waiting.length >= concurrency) throw busy()
    return new Promise((resolve, reject) => {
      waiting.push({ until: performance.now() + patience, resolve, reject })
      if (!timed) time(patience)
    })
  }

  /** All wait equally long, so the first in the queue is the first to give up. */
  function giveUp(): void {
    const now = performance.now()
    const late = waiting.findIndex(({ until }) => until > now)
    for (const { reject } of waiting.splice(0, late === -1 ? waiting.length : late)) reject(busy())
    const [first] = waiting
    timed = false
    if (first !== undefined) time(first.until - now)
  }

  function time(ms: number): void {
    timed = true
    setTimeout(giveUp, ms).unref()
  }

  function fail(): void {
    failures += 1
    if (restUntil === 0 && failures < breaker.failures) return
    if (restUntil === 0) onChange(true)
    restUntil = clock() + breaker.rest
    probing = false
    const sent = waiting
    waiting = []
    for (const { reject } of sent) reject(rest())
  }

  function recover(): void {
    failures = 0
    probing = false
    if (restUntil !== 0) onChange(false)
    restUntil = 0
  }

  return {
    enter() {
      if (restUntil !== 0) {
        if (!isDue()) throw rest()
        probing = true
      }
      if (inFlight >= concurrency) return wait()
      inFlight += 1
      return undefined
    },
    leave(verdict) {
      if (verdict === 'failed') fail()
      else if (verdict === 'ok') {
        if (failures !== 0 || restUntil !== 0) recover()
      } else probing = false
      const next = waiting.shift()
      // The place goes on to whoever waits for it.
      if (next === undefined) inFlight -= 1
      else next.resolve()
    },
    check() {
      if (restUntil !== 0 && !isDue()) throw rest()
      return undefined
    },
    figures: () => ({
      inFlight,
      queued: waiting.length,
      breaker: restUntil === 0 ? 'closed' : probing || clock() >= restUntil ? 'half-open' : 'open',
      refused: { ...refused },
    }),
  }
}
