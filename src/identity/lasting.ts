// A value that somebody else publishes: fetched when it is first needed, by one fetch at a time, kept on while its publisher is down.
import type { Clock } from '../protocol/clock.ts'

export interface Lasting<Value> {
  /** The value, fetched anew when it has aged. Throws Unavailable where there is none to go on with. */
  get(): Promise<Value>
  /** The value, fetched anew now; where that was tried lately, as it is. */
  renew(): Promise<Value>
}

/** It was never had, or too long ago. `retryAfter`: seconds until the next attempt. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
  readonly retryAfter: number

  constructor(retryAfter: number) {
    super('It cannot be had now.')
    this.retryAfter = retryAfter
  }
}

interface Needs<Value> {
  fetch(): Promise<Value>
  /** Told of every failed attempt; what is at hand is used on. */
  onFailure(error: unknown): void
  readonly clock: Clock
  /** Milliseconds between attempts, however they end: a stranger's tokens must not make us knock as often as they like. */
  readonly pause?: number
  /** Milliseconds until it is asked for anew. */
  readonly fresh?: number
  /** Milliseconds until it counts no more, though its publisher does not answer. */
  readonly last?: number
}

const MINUTE = 60_000

export function lasting<Value>({
  fetch,
  onFailure,
  clock,
  pause = MINUTE / 2,
  fresh = 10 * MINUTE,
  last = 24 * 60 * MINUTE,
}: Needs<Value>): Lasting<Value> {
  let held: { readonly value: Value; readonly at: number } | undefined
  let attemptedAt: number | undefined
  let running: Promise<void> | undefined

  /** A clock that was set back tells no age. */
  const isWithin = (at: number | undefined, span: number): boolean => {
    const age = at === undefined ? span : clock() - at
    return age >= 0 && age < span
  }

  async function attempt(): Promise<void> {
    const at = clock()
    attemptedAt = at
    try {
      held = { value: await fetch(), at }
    } catch (error) {
      onFailure(error)
    } finally {
      running = undefined
    }
  }

  async function attemptNow(): Promise<void> {
    if (running === undefined && isWithin(attemptedAt, pause)) return
    running ??= attempt()
    await running
  }

  function current(): Value {
    if (held !== undefined && isWithin(held.at, last)) return held.value
    throw new Unavailable(Math.max(1, Math.ceil(((attemptedAt ?? clock()) + pause - clock()) / 1000)))
  }

  return {
    async get() {
      if (!isWithin(held?.at, fresh)) await attemptNow()
      return current()
    },
    async renew() {
      await attemptNow()
      return current()
    },
  }
}
