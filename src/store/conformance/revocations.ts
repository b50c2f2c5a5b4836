// Promises of revocation: numbers that appear in their order, and readers that lose nothing.
import { describe, expect, it } from 'vitest'
import { CLOCK_GRACE } from '../../protocol/clock.ts'
import type { Revocation } from '../durable.ts'
import { fresh, NOW, type Pair } from './pair.ts'

const revocation = (given: Partial<Revocation> = {}): Revocation => ({
  kind: 'jti',
  value: fresh('jti'),
  at: NOW,
  expiresAt: NOW + 1000,
  ...given,
})

export function revocationPromises(pair: () => Pair): void {
  describe('revocations', () => {
    it('answers what is above a number, and the newest number', async () => {
      const { one, two } = pair()
      const { epoch } = await one.durable.revocations.since(0)
      const [first, second] = [revocation(), revocation({ kind: 'subject' })]
      expect(await one.durable.revocations.add(first)).toBe(epoch + 1)
      expect(await two.durable.revocations.add(second)).toBe(epoch + 2)
      expect(await one.durable.revocations.since(epoch)).toEqual({ epoch: epoch + 2, entries: [first, second] })
      expect(await two.durable.revocations.since(epoch + 1)).toEqual({ epoch: epoch + 2, entries: [second] })
      expect(await two.durable.revocations.since(epoch + 2)).toEqual({ epoch: epoch + 2, entries: [] })
    })

    it('extends an entry and never shortens it, each time under a new number', async () => {
      const { revocations } = pair().one.durable
      const first = revocation({ kind: 'client' })
      const number = await revocations.add(first)
      await revocations.add({ ...first, at: NOW + 10, expiresAt: NOW + 2000 })
      await revocations.add({ ...first, at: NOW - 10, expiresAt: NOW - 5 })
      const { epoch, entries } = await revocations.since(number)
      expect(epoch).toBe(number + 2)
      expect(entries).toEqual([{ ...first, at: NOW + 10, expiresAt: NOW + 2000 }])
    })

    it('numbers fifty concurrent ones without a gap or a double', async () => {
      const { one, race } = pair()
      const { epoch } = await one.durable.revocations.since(0)
      const numbers = await race(50, ({ durable }) => durable.revocations.add(revocation()))
      expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => epoch + index + 1))
    })

    it('loses nothing to a reader who follows the numbers while others write', async () => {
      const { two, race } = pair()
      let { epoch } = await two.durable.revocations.since(0)
      const seen = new Set<string>()
      const written: string[] = []
      let writing = true
      const writers = race(200, async ({ durable }) => {
        const added = revocation()
        await durable.revocations.add(added)
        written.push(added.value)
      }).finally(() => {
        writing = false
      })
      const follow = async () => {
        const news = await two.durable.revocations.since(epoch)
        for (const entry of news.entries) seen.add(entry.value)
        epoch = news.epoch
      }
      while (writing) await Promise.all([follow(), new Promise(setImmediate)])
      await writers
      await follow()
      expect(written.filter((value) => !seen.has(value))).toEqual([])
      expect(written).toHaveLength(200)
    })

    it('forgets the expired, and only them', async () => {
      const { revocations } = pair().one.durable
      const [short, long] = [revocation({ expiresAt: 50 }), revocation({ expiresAt: 51 })]
      const number = await revocations.add(short)
      await revocations.add(long)
      // A clock that jumped ahead by an hour has deleted nothing when it is set back.
      await revocations.removeExpired(51 + 3_600_000)
      expect((await revocations.since(number - 1)).entries).toEqual([short, long])
      expect(await revocations.removeExpired(50 + CLOCK_GRACE)).toBe(1)
      expect((await revocations.since(number - 1)).entries).toEqual([long])
    })
  })
}
