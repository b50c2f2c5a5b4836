import { beforeEach, describe, expect, it } from 'vitest'
import { rarely } from './rarely.ts'

let now: number
beforeEach(() => {
  now = 1_000_000
})
const build = (most = 2) => rarely({ every: 60_000, most, clock: () => now })

describe('rarely', () => {
  it('tells of each thing once in its time, and again after it', () => {
    const isTime = build()
    expect([isTime('a'), isTime('a'), isTime('b'), isTime('b')]).toEqual([true, false, true, false])
    now += 60_000
    expect([isTime('a'), isTime('a')]).toEqual([true, false])
  })

  it('tells of no more things than it may', () => {
    const isTime = build()
    expect(['a', 'b', 'c', 'd'].filter(isTime)).toEqual(['a', 'b'])
    now += 60_000
    expect(isTime('c')).toBe(true)
  })

  it('is not silenced by a clock that was set back', () => {
    const isTime = build()
    expect(isTime('a')).toBe(true)
    now -= 500_000
    expect(isTime('a')).toBe(true)
  })
})
