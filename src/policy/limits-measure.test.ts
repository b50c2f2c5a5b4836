import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRate } from '../protocol/rate.ts'
import { levelAt, type Measure, measureQuota, measureRate } from './limits-measure.ts'

const NOON = Date.UTC(2027, 0, 15, 12)

/** Calls that get through, of as many as there are times. */
function through(measure: Measure, times: readonly number[]): number[] {
  let used = 0
  return times.filter((now) => {
    const level = levelAt(used, measure, now)
    if (measure.wait(level, 1, now) > 0) return false
    used = level + measure.unit
    return true
  })
}

const times = (count: number, at = NOON, apart = 0) => Array.from({ length: count }, (_, index) => at + index * apart)

describe('a rate', () => {
  it('lets all of one time through at once, and then as many as its time brings', () => {
    const measure = measureRate(parseRate('120/min'))
    expect(through(measure, [...times(200), ...times(10, NOON + 1000)])).toHaveLength(122)
  })

  it('lets no more than its burst through at once', () => {
    const measure = measureRate(parseRate('120/min'), 5)
    expect(through(measure, times(200))).toHaveLength(5)
    expect(through(measure, times(200, NOON, 500))).toHaveLength(200)
  })

  it('says when the next one may come, to the millisecond', () => {
    const measure = measureRate(parseRate('120/min'), 1)
    const level = measure.floor(NOON) + measure.unit
    expect(measure.wait(level, 1, NOON)).toBe(500)
    expect(measure.wait(level, 1, NOON + 499)).toBe(1)
    expect(measure.wait(level, 1, NOON + 500)).toBe(0)
  })

  it('never lets more through than burst and rate together, whenever the calls come', () => {
    const gaps = fc.array(fc.nat({ max: 3000 }), { minLength: 50, maxLength: 200 })
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 20 }), (between, most, burst) => {
        let at = NOON
        const passed = through(
          measureRate({ most, window: 60_000 }, burst),
          between.map((gap) => (at += gap)),
        )
        passed.forEach((from, first) => {
          passed.slice(first).forEach((to, more) => {
            expect(more + 1).toBeLessThanOrEqual(burst + ((to - from) * most) / 60_000 + 1e-6)
          })
        })
      }),
      { numRuns: 100 },
    )
  })

  it('waits no longer than its own time when the clock was set back', () => {
    const measure = measureRate(parseRate('60/min'), 2)
    const level = measure.floor(NOON + 86_400_000) + 2 * measure.unit
    const now = levelAt(level, measure, NOON)
    expect(measure.wait(now, 1, NOON)).toBe(1000)
    expect(through(measure, times(5, NOON, 1000))).toHaveLength(5)
  })
})

describe('a quota', () => {
  const DAY = 86_400_000
  const midnight = Date.UTC(2027, 0, 16)

  it('is for a day of UTC, and whole again with the next', () => {
    const measure = measureQuota(parseRate('3/day'))
    expect(through(measure, [...times(5), ...times(5, midnight - 1), ...times(5, midnight)])).toHaveLength(6)
  })

  it('sends whoever used it up to the end of the day', () => {
    const measure = measureQuota(parseRate('3/day'))
    expect(measure.wait(measure.floor(NOON) + 3, 1, NOON)).toBe(DAY / 2)
    expect(measure.wait(measure.floor(NOON) + 2, 1, NOON)).toBe(0)
  })

  it('that was lowered counts what was used', () => {
    const [before, after] = [measureQuota(parseRate('10/day')), measureQuota(parseRate('5/day'))]
    const used = before.floor(NOON) + 8
    expect(after.wait(levelAt(used, after, NOON), 1, NOON)).toBe(DAY / 2)
    const raised = measureQuota(parseRate('9/day'))
    expect(raised.wait(levelAt(used, raised, NOON), 1, NOON)).toBe(0)
  })
})
