import { expect, it } from 'vitest'
import { createBackoff } from './backoff.ts'

it('doubles from one second to a minute, and starts over after a minute of running', () => {
  const backoff = createBackoff(undefined, () => 0)
  expect(backoff.wait(0)).toBe(0)
  const waits = Array.from({ length: 8 }, () => {
    backoff.failed(0, 0)
    return backoff.wait(0)
  })
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
  expect(backoff.wait(59_999)).toBe(1)
  expect(backoff.wait(60_000)).toBe(0)
  backoff.failed(60_000, 119_999)
  expect(backoff.wait(119_999)).toBe(60_000)
  backoff.failed(60_000, 120_000)
  expect(backoff.wait(120_000)).toBe(1000)
})

it('comes back at most a quarter earlier', () => {
  const backoff = createBackoff(undefined, () => 0.999)
  backoff.failed(0, 0)
  expect(backoff.wait(0)).toBe(750)
})

it('of what proxies end does not wait after a good run', () => {
  const backoff = createBackoff({ goodRun: 5000, waitAfterGoodRun: 0 }, () => 0)
  backoff.failed(0, 5000)
  expect(backoff.wait(5000)).toBe(0)
  backoff.failed(5000, 5100)
  expect(backoff.wait(5100)).toBe(2000)
})
