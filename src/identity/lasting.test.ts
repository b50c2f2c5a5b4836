// Fetched when needed, once at a time, seldom, and kept on while its publisher is down. The clock is in hand.
import { beforeEach, describe, expect, it } from 'vitest'
import { lasting, Unavailable } from './lasting.ts'

let now = 1_000_000
let fetched = 0
let failures: unknown[] = []
let answer: () => Promise<string> = async () => `v${fetched}`
const open = (more: object = {}) =>
  lasting({
    fetch: () => {
      fetched++
      return answer()
    },
    onFailure: (error) => failures.push(error),
    clock: () => now,
    ...more,
  })
const down = () => {
  answer = () => Promise.reject(new Error('down'))
}
beforeEach(() => {
  now = 1_000_000
  fetched = 0
  failures = []
  answer = async () => `v${fetched}`
})

it('is not fetched before it is needed, and by one fetch then', async () => {
  const value = open()
  expect(fetched).toBe(0)
  expect(await Promise.all([value.get(), value.get(), value.renew()])).toEqual(['v1', 'v1', 'v1'])
  expect(fetched).toBe(1)
})

it('is fetched anew when it has aged', async () => {
  const value = open()
  await value.get()
  now += 599_999
  expect(await value.get()).toBe('v1')
  now += 1
  expect(await value.get()).toBe('v2')
})

describe('renew', () => {
  it('fetches at most once in thirty seconds, however often it is asked', async () => {
    const value = open()
    await value.get()
    for (let n = 0; n < 100; n++) expect(await value.renew()).toBe('v1')
    now += 29_999
    expect(await value.renew()).toBe('v1')
    now += 1
    expect(await Promise.all([value.renew(), value.renew()])).toEqual(['v2', 'v2'])
    expect(fetched).toBe(2)
  })
})

describe('while its publisher is down', () => {
  it('what was had is used on, for a day', async () => {
    const value = open()
    await value.get()
    down()
    for (const minutes of [20, 60, 23 * 60]) {
      now = 1_000_000 + minutes * 60_000
      expect(await value.get()).toBe('v1')
    }
    expect(failures.length).toBe(3)
    now = 1_000_000 + 24 * 3_600_000
    await expect(value.get()).rejects.toThrow(Unavailable)
  })

  it('nothing is had where nothing was had, and the wait is told', async () => {
    down()
    const value = open()
    await expect(value.get()).rejects.toMatchObject({ retryAfter: 30 })
    now += 12_300
    await expect(value.get()).rejects.toMatchObject({ retryAfter: 18 })
    expect(fetched).toBe(1)
  })

  it('it is there again thirty seconds after it is there again', async () => {
    down()
    const value = open()
    await expect(value.get()).rejects.toThrow(Unavailable)
    answer = async () => 'back'
    now += 30_000
    expect(await value.get()).toBe('back')
    expect(failures).toEqual([new Error('down')])
  })
})

describe('a clock that is set back', () => {
  it('tells no age: it is fetched anew, and no attempt is put off for ever', async () => {
    const value = open()
    await value.get()
    now -= 3_600_000
    expect(await value.get()).toBe('v2')
    down()
    now -= 3_600_000
    await expect(value.get()).rejects.toThrow(Unavailable)
    answer = async () => 'back'
    now += 30_000
    expect(await value.get()).toBe('back')
  })
})

it('has its times from whoever opens it', async () => {
  const value = open({ pause: 10, fresh: 100, last: 1000 })
  await value.get()
  now += 10
  expect(await value.renew()).toBe('v2')
  down()
  now += 1000
  await expect(value.get()).rejects.toThrow(Unavailable)
})
