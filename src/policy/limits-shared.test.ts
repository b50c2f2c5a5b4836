import { beforeAll, describe, expect, it } from 'vitest'
import { NOON, openAllowances, person, type TestLimits, testLimits, toolCall } from '../../test/support/limits.ts'
import type { Allowances } from '../store/ephemeral.ts'

const ANN = person('ann')
const CALL = toolCall(ANN)

let allowances: Allowances
let now = NOON
const clock = () => now
let made = 0

beforeAll(async () => {
  allowances = await openAllowances()
})

/** So many replicas of one configuration, over one store. */
function replicas(count: number, limit: object, over: Allowances = allowances): TestLimits[] {
  now = NOON
  const limits = [{ id: `shared ${made++}`, ...limit }]
  return Array.from({ length: count }, () => testLimits(limits, { allowances: over, clock, shared: true }))
}

/** Whatever was asked of the store has come back. */
const answered = () => new Promise((resolve) => setImmediate(resolve))

const total = async (asked: Promise<number>[]) => (await Promise.all(asked)).reduce((sum, one) => sum + one, 0)

/** Counts what the store is asked, and answers when it is told to. */
function watched(): Allowances & { asked: number; broken: boolean; hold: Promise<void> | undefined } {
  const store = {
    asked: 0,
    broken: false,
    hold: undefined as Promise<void> | undefined,
    async take(asked: Parameters<Allowances['take']>[0]) {
      store.asked += 1
      if (store.broken) throw new Error('connection lost')
      await store.hold
      return allowances.take(asked)
    },
  }
  return store
}

describe('a rate that three replicas share', () => {
  it.each([
    ['120/min', 120, 144],
    ['1000/min', 1000, 1200],
    ['10/s', 10, 13],
    ['1/min', 1, 4],
  ])('%s lets through what is written, and at most a fifth or one call each more', async (rate, least, most) => {
    const each = replicas(3, { rate })
    const passed = await total(each.map((one) => one.pass(2000, CALL)))
    expect(passed).toBeGreaterThanOrEqual(least)
    expect(passed).toBeLessThanOrEqual(most)
  })

  it('stays near it over time, whoever is asked', async () => {
    const each = replicas(3, { rate: '120/min' })
    let passed = 0
    for (let tick = 0; tick < 600; tick++) {
      passed += await (each[tick % 3] as TestLimits).pass(3, CALL)
      now += 100
    }
    // A minute: what comes at once, and what a minute brings.
    expect(passed).toBeGreaterThanOrEqual(230)
    expect(passed).toBeLessThanOrEqual(240 * 1.1)
  })

  it('leaves to the others what a replica does not use', async () => {
    const [one, other] = replicas(2, { rate: '320/min' }) as [TestLimits, TestLimits]
    expect(await one.pass(1, CALL)).toBe(1)
    expect(await other.pass(400, CALL)).toBeGreaterThanOrEqual(320 - 1 - 10 - 10)
  })

  it('refuses nobody wrongly: forty at once of a full hundred get in, at a replica that has seen nobody', async () => {
    const [one] = replicas(1, { rate: '100/min' }) as [TestLimits]
    expect(await one.pass(40, CALL)).toBe(40)
  })

  it('gives back what another limit refused', async () => {
    now = NOON
    const limits = [
      { id: `shared ${made++}`, rate: '64/min' },
      { id: `shared ${made++}`, rate: '1/min', match: 'github/search' },
    ]
    const one = testLimits(limits, { allowances, clock, shared: true })
    expect(await one.pass(60, CALL)).toBeLessThanOrEqual(2)
    expect(await one.pass(100, toolCall(ANN, 'read'))).toBeGreaterThanOrEqual(60)
  })
})

describe('a store that is asked', () => {
  it('keeps no call waiting while there is credit, and is asked in chunks', async () => {
    const store = watched()
    const [one] = replicas(1, { rate: '3200/min' }, store) as [TestLimits]
    for (let call = 0; call < 1000; call++) {
      // What it answers comes behind every tenth call.
      if (call % 10 === 0) await answered()
      expect(typeof one.admit(CALL)).toBe('function')
    }
    expect(store.asked).toBeLessThanOrEqual(25)
  })

  it('is not asked again and again by whoever is refused', async () => {
    const store = watched()
    const [one] = replicas(1, { rate: '32/min' }, store) as [TestLimits]
    await one.pass(100, CALL)
    const before = store.asked
    expect(await one.pass(10_000, CALL)).toBe(0)
    expect(store.asked).toBe(before)
  })
})

describe('a store that does not answer', () => {
  it('leaves each replica to count alone, and is used again when it is back', async () => {
    const store = watched()
    const each = replicas(3, { rate: '30/min' }, store)
    store.broken = true
    for (const one of each) expect(await one.pass(100, CALL)).toBe(30)
    expect(each.map(({ changes }) => changes)).toEqual([[false], [false], [false]])
    const whileDown = store.asked
    for (const one of each) expect(await one.pass(100, CALL)).toBe(0)
    expect(store.asked).toBe(whileDown)
    store.broken = false
    now += 120_000
    // Each asks whether it is back with a call, and counts that one alone.
    for (const one of each) expect(await one.pass(1, CALL)).toBe(1)
    await answered()
    expect(each.map(({ changes }) => changes)).toEqual([
      [false, true],
      [false, true],
      [false, true],
    ])
    expect(await total(each.map((one) => one.pass(100, CALL)))).toBeLessThanOrEqual(36)
  })

  it('is tried every few seconds, with one question', async () => {
    const store = watched()
    const [one] = replicas(1, { rate: '1000/min' }, store) as [TestLimits]
    store.broken = true
    await one.pass(10, CALL)
    await answered()
    const before = store.asked
    for (let second = 0; second < 20; second++) {
      now += 1000
      await one.pass(5, CALL)
      await answered()
    }
    expect(store.asked - before).toBe(4)
  })

  it('holds nobody for longer than its patience', async () => {
    const store = watched()
    const held = Promise.withResolvers<void>()
    store.hold = held.promise
    const [one] = replicas(1, { rate: '30/min' }, store) as [TestLimits]
    // Comes to its end although the store never answers: then the replica counts alone.
    expect(await one.pass(50, CALL)).toBe(30)
    expect(one.changes).toEqual([false])
    held.resolve()
  })
})
