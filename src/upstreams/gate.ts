// One server must not take the others down with it: a bound on the calls that are under way at it (bulkhead), and a rest after failures in
// a row (circuit breaker). Nor one caller everybody else's calls: of the places each has a share. Counters only: every call passes here
// twice.
import type { UpstreamConfig } from '../config/servers.ts'
import type { Clock } from '../protocol/clock.ts'
import { transportOf } from '../protocol/transports.ts'
import { createShare, createShares, type Share } from './shares.ts'
import { type Gate, type GateFigures, UpstreamError, type Verdict } from './upstream.ts'

interface Needs {
  /** Most calls under way; as many again may wait, for `patience` milliseconds. */
  readonly concurrency: number
  /** Of one caller, under way and waiting each. */
  readonly mostOfOne: number
  readonly patience: number
  readonly breaker: { readonly failures: number; readonly rest: number }
  readonly clock: Clock
  /** The server is left alone, or is called again. */
  onChange(resting: boolean): void
}

interface Waiting {
  readonly share: Share
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
    mostOfOne: mostOfOne(config),
    onChange(resting) {
      if (resting) log.warn({ server: id, rest: breaker.rest }, 'server left alone: it fails call after call')
      else log.info({ server: id }, 'server called again')
    },
  })
}

/** Rounded down: of two places or more one is always somebody else's, unless the share is the whole. */
function mostOfOne(config: UpstreamConfig): number {
  // HTTP/1.1 needs a connection for each call: who holds all of them holds all places, whatever their number.
  const isBoundByConnections = 'url' in config && transportOf(config) === 'http' && !config.http2
  const places = isBoundByConnections ? Math.min(config.concurrency, config.connections) : config.concurrency
  return Math.max(1, Math.floor(places * config.concurrencyShare))
}

export function createGate({ concurrency, mostOfOne, patience, breaker, clock, onChange }: Needs): Gate {
  let inFlight = 0
  let waiting: Waiting[] = []
  let timed = false
  const shareOf = createShares(mostOfOne)
  /** In a row. */
  let failures = 0
  /** 0: calls go through. Otherwise the end of the rest; from then on one call at a time finds out. */
  let restUntil = 0
  let probing = false
  const refused = { busy: 0, busy_principal: 0, resting: 0 }

  function rest(): UpstreamError {
    refused.resting += 1
    const retryAfter = Math.max(1, Math.ceil((restUntil - clock()) / 1000))
    return new UpstreamError('resting', 'The server has failed and is left alone for a while.', { retryAfter })
  }
  function busy(share: Share): UpstreamError {
    const reason = share.most < concurrency && share.inFlight >= share.most ? 'busy_principal' : 'busy'
    refused[reason] += 1
    return new UpstreamError(reason, 'Too many calls are under way at the server.', { retryAfter: 1 })
  }
  const isDue = (): boolean => !probing && clock() >= restUntil

  const fits = (share: Share): boolean => inFlight < concurrency && share.inFlight < share.most

  function take(share: Share): void {
    inFlight += 1
    share.count('inFlight', 1)
  }

  function wait(share: Share): Promise<void> {
    if (waiting.length >= concurrency || share.waiting >= share.most) throw busy(share)
    share.count('waiting', 1)
    return new Promise((resolve, reject) => {
      waiting.push({ share, until: performance.now() + patience, resolve, reject })
      if (!timed) time(patience)
    })
  }

  /** All wait equally long, so the first in the queue is the first to give up. */
  function giveUp(): void {
    const now = performance.now()
    const late = waiting.findIndex(({ until }) => until > now)
    for (const one of waiting.splice(0, late === -1 ? waiting.length : late)) sendAway(one, busy(one.share))
    const [first] = waiting
    timed = false
    if (first !== undefined) time(first.until - now)
  }

  function sendAway({ share, reject }: Waiting, error: UpstreamError): void {
    share.count('waiting', -1)
    reject(error)
  }

  function time(ms: number): void {
    timed = true
    setTimeout(giveUp, ms).unref()
  }

  /** The place that is free goes on to the first who waits for it, and has not had their share. */
  function passOn(): void {
    const at = waiting.findIndex(({ share }) => fits(share))
    const [next] = at === -1 ? [] : waiting.splice(at, 1)
    if (next === undefined) return
    next.share.count('waiting', -1)
    take(next.share)
    next.resolve()
  }

  function fail(): void {
    failures += 1
    if (restUntil === 0 && failures < breaker.failures) return
    if (restUntil === 0) onChange(true)
    restUntil = clock() + breaker.rest
    probing = false
    const sent = waiting
    waiting = []
    for (const one of sent) sendAway(one, rest())
  }

  function recover(): void {
    failures = 0
    probing = false
    if (restUntil !== 0) onChange(false)
    restUntil = 0
  }

  function enter(share: Share): Promise<void> | undefined {
    const trying = restUntil !== 0
    if (trying && !isDue()) throw rest()
    if (!fits(share)) {
      // Whoever waits finds nothing out, and would keep everybody else from it.
      if (trying) throw busy(share)
      return wait(share)
    }
    probing = trying
    take(share)
    return undefined
  }

  function leave(share: Share, verdict: Verdict): void {
    if (verdict === 'failed') fail()
    else if (verdict === 'ok') {
      if (failures !== 0 || restUntil !== 0) recover()
    } else probing = false
    inFlight -= 1
    share.count('inFlight', -1)
    passOn()
  }

  const common = {
    aside() {
      inFlight -= 1
      passOn()
      return () => {
        inFlight += 1
      }
    },
    check() {
      if (restUntil !== 0 && !isDue()) throw rest()
      return undefined
    },
    figures: (): GateFigures => ({
      inFlight,
      queued: waiting.length,
      breaker: restUntil === 0 ? 'closed' : probing || clock() >= restUntil ? 'half-open' : 'open',
      refused: { ...refused },
    }),
    of: (whose: string): Gate => ({
      ...common,
      enter: () => enter(shareOf(whose)),
      leave: (verdict) => leave(shareOf(whose), verdict),
    }),
  }
  // What the gate asks for itself.
  const own = createShare(concurrency)
  return { ...common, enter: () => enter(own), leave: (verdict) => leave(own, verdict) }
}
