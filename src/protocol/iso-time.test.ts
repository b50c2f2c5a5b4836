import { expect, it } from 'vitest'
import { isoTime } from './iso-time.ts'

it.each([
  0, 7, 999, 1000, 1_790_000_000_000, 1_790_000_000_001, 1_790_000_000_099, 1_790_000_000_999, -1, -1500, 8.64e15,
])('writes %d as a date does, whatever came before', (at) => {
  expect([isoTime(at), isoTime(at)]).toEqual([new Date(at).toISOString(), new Date(at).toISOString()])
})

it('refuses what is no moment', () => {
  expect(() => isoTime(Number.NaN)).toThrow(RangeError)
  expect(() => isoTime(9e15)).toThrow(RangeError)
})
