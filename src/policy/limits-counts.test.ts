import { describe, expect, it } from 'vitest'
import { boundedCounts } from './limits-counts.ts'

function counting(most: number) {
  const crowded: number[] = []
  const counts = boundedCounts({
    make: () => ({ until: 0, hits: 0 }),
    isSpent: ({ until }, now) => until <= now,
    onCrowded: () => crowded.push(counts.size),
    most,
  })
  const hit = (key: string, now: number, until: number): number => {
    const count = counts.at(key, now)
    count.until = until
    count.hits += 1
    return count.hits
  }
  return { counts, hit, crowded }
}

describe('counts in bounded memory', () => {
  it('forget nobody whose count still says something, whoever else comes', () => {
    const { counts, hit, crowded } = counting(100)
    hit('ann', 0, 1000)
    for (let other = 0; other < 10_000; other++) hit(`other ${other}`, other % 500, 1000)
    expect(counts.size).toBe(100)
    expect(hit('ann', 500, 1000)).toBe(2)
    expect(crowded.length).toBe(10_000 - 99)
  })

  it('give newcomers a count together while nobody can be forgotten', () => {
    const { hit } = counting(2)
    hit('ann', 0, 1000)
    hit('bob', 0, 1000)
    expect([hit('eve', 0, 1000), hit('mallory', 0, 1000), hit('eve', 0, 1000)]).toEqual([1, 2, 3])
    expect([hit('ann', 0, 1000), hit('bob', 0, 1000)]).toEqual([2, 2])
  })

  it('make room of those that are spent, wherever they stand', () => {
    const { counts, hit, crowded } = counting(200)
    for (let at = 0; at < 200; at++) hit(`old ${at}`, 0, at === 199 ? 10 : 1000)
    // Sixteen are looked at for each newcomer: after thirteen everyone has been.
    for (let at = 0; at < 13; at++) hit(`new ${at}`, 20, 1000)
    expect(counts.size).toBe(200)
    expect(crowded.length).toBeLessThan(13)
    for (let at = 0; at < 200; at++) hit(`later ${at}`, 2000, 3000)
    expect(hit('later 199', 2000, 3000)).toBe(2)
    expect(counts.size).toBe(200)
  })
})
