// Promises of allowances.
import { describe, expect, it } from 'vitest'
import { fresh, NOW, type Pair } from './pair.ts'

export function allowancePromises(pair: () => Pair): void {
  describe('allowances', () => {
    /** Ten in all, of the kind that a quota is. */
    const ten = (name: string) => ({ name, unit: 1, floor: 0, ceiling: 10, expiresAt: NOW + 1000 })

    it('gives forty takers of one no more than there is', async () => {
      const { race } = pair()
      const name = fresh('allowance')
      const taken = await race(40, ({ ephemeral }) => ephemeral.allowances.take({ ...ten(name), wanted: 1 }))
      expect(taken.reduce((sum, { granted }) => sum + granted, 0)).toBe(10)
    })

    it('gives twenty takers of three all that there is, the last of them what is left', async () => {
      const { race } = pair()
      const name = fresh('allowance')
      const taken = await race(20, ({ ephemeral }) => ephemeral.allowances.take({ ...ten(name), wanted: 3 }))
      const granted = taken.map((one) => one.granted).sort((one, other) => other - one)
      expect(granted.slice(0, 5)).toEqual([3, 3, 3, 1, 0])
    })

    it('gives the first taker no more than the ceiling', async () => {
      const { allowances } = pair().one.ephemeral
      const name = fresh('allowance')
      expect(await allowances.take({ ...ten(name), wanted: 30 })).toEqual({ granted: 10, level: 10 })
      expect(await allowances.take({ ...ten(name), wanted: 1 })).toEqual({ granted: 0, level: 10 })
    })

    it('fills with the floor, as a rate does with the clock', async () => {
      const { one, two } = pair()
      const name = fresh('allowance')
      const at = (now: number) => ({ name, unit: 500_000, floor: now * 1000, ceiling: (now + 2000) * 1000 })
      const take = (store: typeof one, now: number) =>
        store.ephemeral.allowances.take({ ...at(now), wanted: 3, expiresAt: NOW + 10_000 })
      expect((await take(one, NOW)).granted).toBe(3)
      expect((await take(two, NOW)).granted).toBe(1)
      expect((await take(one, NOW)).granted).toBe(0)
      expect((await take(two, NOW + 499)).granted).toBe(0)
      expect(await take(two, NOW + 1000)).toEqual({ granted: 2, level: (NOW + 3000) * 1000 })
      expect((await take(one, NOW + 60_000)).granted).toBe(3)
    })

    it('counts what lies above a ceiling that was lowered, or a clock that was set back, as the ceiling', async () => {
      const { allowances } = pair().one.ephemeral
      const name = fresh('allowance')
      await allowances.take({ ...ten(name), wanted: 10 })
      expect(await allowances.take({ ...ten(name), ceiling: 5, wanted: 1 })).toEqual({ granted: 0, level: 5 })
      expect((await allowances.take({ ...ten(name), ceiling: 6, wanted: 4 })).granted).toBe(1)
    })

    it('keeps names apart, and sweeps what has expired', async () => {
      const { one, two } = pair()
      const [name, other] = [fresh('allowance'), fresh('allowance')]
      await one.ephemeral.allowances.take({ ...ten(name), wanted: 10, expiresAt: 100 })
      expect((await two.ephemeral.allowances.take({ ...ten(other), wanted: 10 })).granted).toBe(10)
      while ((await two.ephemeral.sweep(100)) > 0);
      expect((await one.ephemeral.allowances.take({ ...ten(name), wanted: 10 })).granted).toBe(10)
      expect((await one.ephemeral.allowances.take({ ...ten(other), wanted: 1 })).granted).toBe(0)
    })
  })
}
