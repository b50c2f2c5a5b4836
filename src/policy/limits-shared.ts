// A meter that counts together with other replicas, and with what was counted before a start: it takes from the store in chunks, ahead of
// need, so that calls do not wait for it. A call may be made on credit, which the next chunk repays; where credit is used up too, it waits.
import type { Allowances } from '../store/ephemeral.ts'
import { boundedCounts } from './limits-counts.ts'
import { levelAt, type Measure } from './limits-measure.ts'
import type { Meter } from './limits-meter.ts'

type Ask = Parameters<Allowances['take']>[0]
type Grant = Awaited<ReturnType<Allowances['take']>>

/** The store, as far as it answers. */
export interface Exchange {
  /** `false`: every replica counts alone. */
  isUp(): boolean
  /** Whether it is time to ask a store that did not answer once more. */
  mayTry(now: number): boolean
  /** `undefined`: no answer. Never rejects. */
  take(asked: Ask): Promise<Grant | undefined>
}

interface Needs {
  readonly measure: Measure
  /** Of this meter among all that the store counts. */
  readonly name: readonly string[]
  readonly exchange: Exchange
  readonly clock: () => number
  onCrowded(): void
}

interface Count {
  readonly key: string
  /** What was used here alone: holds whatever the store says, and is all that holds while it says nothing. */
  level: number
  /** Taken from the store and not used. */
  held: number
  /** Used and not yet taken from the store. */
  owed: number
  /** Until when `held` and `owed` mean something. */
  until: number
  /** The store has nothing before. */
  emptyUntil: number
  waiting: number
  asking: Promise<void> | undefined
}

/**
 * Of what there is at all, what a replica takes at a time. It may hold as much unused and owe as much: three replicas let through less
 * than a fifth too much between them, or one call each where there are few.
 */
const CHUNKS = 32

export function sharedMeter({ measure, name, exchange, clock, onCrowded }: Needs): Meter {
  const { unit } = measure
  const chunk = Math.floor(measure.most / CHUNKS)
  const credit = Math.max(1, chunk)
  const counts = boundedCounts<Count>({
    make: (key) => ({ key, level: 0, held: 0, owed: 0, until: 0, emptyUntil: 0, waiting: 0, asking: undefined }),
    // What the store knows need not be known here too.
    isSpent: ({ level, owed, asking }, now) =>
      asking === undefined && ((exchange.isUp() && owed === 0) || level <= measure.floor(now)),
    onCrowded,
  })

  function take(key: string, now: number): number | Promise<number> {
    const count = counts.at(key, now)
    const level = levelAt(count.level, measure, now)
    const wait = measure.wait(level, 1, now)
    if (wait > 0) return wait
    if (now >= count.until) count.held = count.owed = 0
    if (!exchange.isUp()) {
      if (exchange.mayTry(now)) ask(count, now)
    } else if (count.held > 0) count.held -= 1
    else if (now < count.emptyUntil) return count.emptyUntil - now
    else if (count.owed < credit) owe(count, now)
    else return afterAnswer(count, now)
    count.level = level + unit
    if (exchange.isUp() && count.held < chunk / 2 && now >= count.emptyUntil) ask(count, now)
    return 0
  }

  function owe(count: Count, now: number): void {
    count.owed += 1
    count.until = measure.endsAt(now)
    ask(count, now)
  }

  async function afterAnswer(count: Count, now: number): Promise<number> {
    count.waiting += 1
    await ask(count, now)
    count.waiting -= 1
    return take(count.key, clock())
  }

  function ask(count: Count, now: number): Promise<void> {
    count.asking ??= fetch(count, now).finally(() => {
      count.asking = undefined
    })
    return count.asking
  }

  async function fetch(count: Count, now: number): Promise<void> {
    // What begins now counts those who begin to wait in this same turn.
    await Promise.resolve()
    const wanted = Math.max(1, count.owed + count.waiting + chunk)
    const floor = measure.floor(now)
    const grant = await exchange.take({
      name: JSON.stringify([...name, count.key]),
      wanted,
      unit,
      floor,
      ceiling: floor + measure.room,
      expiresAt: measure.endsAt(now) + 1,
    })
    if (grant === undefined) return
    const repaid = Math.min(count.owed, grant.granted)
    count.owed -= repaid
    count.held += grant.granted - repaid
    count.until = measure.endsAt(now)
    if (grant.granted < wanted) count.emptyUntil = now + measure.wait(grant.level, credit, now)
  }

  return {
    reason: measure.reason,
    take,
    giveBack(key, now) {
      const count = counts.at(key, now)
      count.level -= unit
      if (count.owed > 0) count.owed -= 1
      else count.held += 1
    },
    end: () => undefined,
  }
}
