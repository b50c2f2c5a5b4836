import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Deadline } from './deadlines.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

it('fall once, in their order, and not before their time; a cancelled one never', async () => {
  const fallen: string[] = []
  const note = (name: string) => () => void fallen.push(name)
  new Deadline(1000, note('long'))
  const met = new Deadline(200, note('met'))
  new Deadline(200, () => {
    fallen.push('short')
    new Deadline(100, note('set while one fell'))
  })
  met.cancel()
  await vi.advanceTimersByTimeAsync(199)
  expect(fallen).toEqual([])
  await vi.advanceTimersByTimeAsync(51)
  expect(fallen).toEqual(['short'])
  await vi.advanceTimersByTimeAsync(150)
  expect(fallen).toEqual(['short', 'set while one fell'])
  await vi.advanceTimersByTimeAsync(10_000)
  expect(fallen).toEqual(['short', 'set while one fell', 'long'])
  expect(vi.getTimerCount()).toBe(0)
})

it('runs no timer while nothing is due any more', async () => {
  new Deadline(1000, () => undefined).cancel()
  await vi.advanceTimersByTimeAsync(50)
  expect(vi.getTimerCount()).toBe(0)
})
