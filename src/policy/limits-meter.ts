// Meters: each counts one thing, by key. One that counts in this process alone, and one for calls under way.
import { boundedCounts } from './limits-counts.ts'
import { levelAt, type Measure } from './limits-measure.ts'

export type LimitReason = 'rate_limited' | 'quota_exhausted' | 'too_many_running'

export interface Meter {
  readonly reason: LimitReason
  /** Takes one and answers 0, or takes none and answers the milliseconds after which to come back. Rejects never. */
  take(key: string, now: number): number | Promise<number>
  /** What was taken for a call that is not made after all. */
  giveBack(key: string, now: number): void
  /** When a call that was made has ended. */
  end(key: string): void
}

const nothing = (): void => undefined

export function ownMeter(measure: Measure, onCrowded: () => void): Meter {
  const counts = boundedCounts({
    make: () => ({ level: 0 }),
    isSpent: ({ level }, now) => level <= measure.floor(now),
    onCrowded,
  })
  return {
    reason: measure.reason,
    take(key, now) {
      const count = counts.at(key, now)
      const level = levelAt(count.level, measure, now)
      const wait = measure.wait(level, 1, now)
      if (wait === 0) count.level = level + measure.unit
      return wait
    },
    giveBack(key, now) {
      counts.at(key, now).level -= measure.unit
    },
    end: nothing,
  }
}

/** Nobody knows when a call will end: to come back soon is all that can be said. */
const SOON = 1000

/** As many entries as calls are under way. */
export function runningMeter(most: number): Meter {
  const running = new Map<string, number>()
  function end(key: string): void {
    const left = (running.get(key) ?? 1) - 1
    if (left === 0) running.delete(key)
    else running.set(key, left)
  }
  return {
    reason: 'too_many_running',
    take(key) {
      const now = running.get(key) ?? 0
      if (now >= most) return SOON
      running.set(key, now + 1)
      return 0
    },
    giveBack: end,
    end,
  }
}
