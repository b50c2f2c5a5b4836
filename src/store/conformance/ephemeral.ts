// Promises of tickets, marks, counters and the sweep.
import { describe, expect, it } from 'vitest'
import { CLOCK_GRACE } from '../../protocol/clock.ts'
import { addedRefresh, fresh, NOW, type Pair, savedFamily } from './pair.ts'

export function ephemeralPromises(pair: () => Pair): void {
  describe('tickets', () => {
    const ticket = () => ({ kind: 'federation', idHash: fresh('t'), payload: { nonce: 'n' }, expiresAt: NOW + 1000 })

    it('gives a ticket to one of twenty takers', async () => {
      const { one, race } = pair()
      const put = ticket()
      await one.ephemeral.tickets.put(put)
      const taken = await race(20, ({ ephemeral }) => ephemeral.tickets.take(put.kind, put.idHash, NOW))
      expect(taken.filter(Boolean)).toEqual([put.payload])
    })

    it('looks without taking', async () => {
      const { one, two } = pair()
      const put = ticket()
      await one.ephemeral.tickets.put(put)
      expect(await two.ephemeral.tickets.find(put.kind, put.idHash, NOW)).toEqual(put.payload)
      expect(await two.ephemeral.tickets.take(put.kind, put.idHash, NOW)).toEqual(put.payload)
      expect(await one.ephemeral.tickets.find(put.kind, put.idHash, NOW)).toBeUndefined()
    })

    it('gives nothing for another kind or after the expiry, and keeps the ticket', async () => {
      const { tickets } = pair().one.ephemeral
      const put = ticket()
      await tickets.put(put)
      expect(await tickets.take('setup', put.idHash, NOW)).toBeUndefined()
      expect(await tickets.take(put.kind, put.idHash, NOW + 1000)).toBeUndefined()
      expect(await tickets.find(put.kind, put.idHash, NOW + 1000)).toBeUndefined()
      expect(await tickets.take(put.kind, put.idHash, NOW)).toEqual(put.payload)
    })
  })

  describe('marks', () => {
    it('is new to the first of twenty, and to nobody else until it expires', async () => {
      const { one, race } = pair()
      const key = fresh('jti')
      expect(await one.ephemeral.marks.isSeen(key, NOW)).toBe(false)
      const first = await race(20, ({ ephemeral }) => ephemeral.marks.markSeen(key, NOW + 1000, NOW))
      expect(first.filter(Boolean)).toHaveLength(1)
      expect(await one.ephemeral.marks.isSeen(key, NOW + 999)).toBe(true)
      expect(await one.ephemeral.marks.isSeen(key, NOW + 1000)).toBe(false)
      const again = await race(20, ({ ephemeral }) => ephemeral.marks.markSeen(key, NOW + 2000, NOW + 1000))
      expect(again.filter(Boolean)).toHaveLength(1)
    })
  })

  describe('counters', () => {
    it('counts every one of a hundred concurrent hits', async () => {
      const { one, race } = pair()
      const key = fresh('counter')
      const counts = await race(100, ({ ephemeral }) => ephemeral.counters.hit(key, 60_000, NOW))
      expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
      expect(await one.ephemeral.counters.hit(key, 60_000, NOW)).toBe(101)
    })

    it('opens a window with its first hit, and a new one after its end', async () => {
      const { counters } = pair().one.ephemeral
      const key = fresh('counter')
      expect(await counters.hit(key, 1000, NOW)).toBe(1)
      expect(await counters.hit(key, 1000, NOW + 999)).toBe(2)
      expect(await counters.hit(key, 1000, NOW + 1000)).toBe(1)
    })

    it('keeps keys and windows apart, and resets all windows of a key', async () => {
      const { counters } = pair().one.ephemeral
      const [key, other] = [fresh('counter'), fresh('counter')]
      const hits = () => Promise.all([counters.hit(key, 1000, NOW), counters.hit(key, 2000, NOW)])
      await counters.hit(other, 1000, NOW)
      await counters.hit(key, 2000, NOW)
      expect(await hits()).toEqual([1, 2])
      await counters.reset(key)
      expect(await hits()).toEqual([1, 1])
      expect(await counters.hit(other, 1000, NOW)).toBe(2)
    })
  })

  describe('sweep', () => {
    it('removes what has expired, in bites, and nothing else', async () => {
      const { one, two } = pair()
      await drain(one.ephemeral.sweep, 1000)
      for (let index = 0; index < 501; index++) await one.ephemeral.marks.markSeen(fresh('old'), 500 - CLOCK_GRACE, 0)
      await one.ephemeral.tickets.put({ kind: 'k', idHash: fresh('t'), payload: {}, expiresAt: 500 })
      await one.ephemeral.counters.hit(fresh('c'), 500, 0)
      const family = await savedFamily(one, { expiresAt: 500 })
      await addedRefresh(one, family.id, { expiresAt: 500 })
      const kept = fresh('kept')
      await one.ephemeral.marks.markSeen(kept, 1001, 0)
      expect(await two.ephemeral.sweep(1000)).toBe(504)
      expect(await two.ephemeral.sweep(1000)).toBe(1)
      expect(await two.ephemeral.sweep(1000)).toBe(0)
      expect(await one.ephemeral.marks.isSeen(kept, 1000)).toBe(true)
      // A clock that jumped ahead has deleted no mark when it is set back.
      await drain(one.ephemeral.sweep, 1000 + CLOCK_GRACE)
      expect(await one.ephemeral.marks.isSeen(kept, 1000)).toBe(true)
      await drain(one.ephemeral.sweep, 1001 + CLOCK_GRACE)
      expect(await one.ephemeral.marks.isSeen(kept, 1000)).toBe(false)
    })
  })
}

async function drain(sweep: (now: number) => Promise<number>, now: number): Promise<void> {
  while ((await sweep(now)) > 0);
}
