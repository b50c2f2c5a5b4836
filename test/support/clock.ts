// The clock in hand.
import type { Clock } from '../../src/protocol/clock.ts'

export interface TestClock {
  now: Clock
  /** `500ms`, `30s`, `11m`, `2h`, `40d`. */
  advance(duration: string): void
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Goes on by itself too, as the clocks of other processes do. */
export const testClock = (): TestClock => clockOver(Date.now)

/** Time passes when it is told to, however long the machine takes: for what depends on a second, or on none having passed. */
export function standingClock(): TestClock {
  const start = Date.now()
  return clockOver(() => start)
}

function clockOver(base: Clock): TestClock {
  let ahead = 0
  return {
    now: () => base() + ahead,
    advance(duration) {
      const [, count, unit = ''] = /^(\d+)(ms|s|m|h|d)$/.exec(duration) ?? []
      if (count === undefined) throw new TypeError(`Not a duration: ${duration}`)
      ahead += Number(count) * (UNITS[unit] ?? 0)
    },
  }
}
