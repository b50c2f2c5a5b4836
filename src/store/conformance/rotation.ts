// Promises of refresh token rotation: one winner, the same successor for honest racers, betrayal for everyone else.
import { describe, expect, it } from 'vitest'
import { addedRefresh, fresh, NOW, type Pair, refreshRecord, savedFamily } from './pair.ts'

const count = (statuses: readonly string[], wanted: string) => statuses.filter((status) => status === wanted).length

export function rotationPromises(pair: () => Pair): void {
  const start = async (given = {}) => {
    const { one } = pair()
    const family = await savedFamily(one)
    const old = await addedRefresh(one, family.id, given)
    const next = refreshRecord(family.id)
    return { tokens: one.durable.refreshTokens, old, next, oldHash: old.idHash }
  }

  describe('refresh tokens', () => {
    it('finds a token until it expires', async () => {
      const { tokens, old } = await start()
      expect(await tokens.find(old.idHash, NOW)).toEqual({ ...old, consumedAt: undefined, successorUsed: false })
      expect(await tokens.find(old.idHash, old.expiresAt)).toBeUndefined()
    })

    it('rotates once: the old one is consumed, the next one lives', async () => {
      const { tokens, old, next, oldHash } = await start()
      expect(await tokens.rotate({ oldHash, next, now: NOW, windowStart: NOW })).toEqual({ status: 'rotated' })
      expect(await tokens.find(oldHash, NOW)).toEqual({ ...old, consumedAt: NOW, successorUsed: false })
      expect(await tokens.find(next.idHash, NOW)).toEqual({ ...next, consumedAt: undefined, successorUsed: false })
    })

    it('does not know a token that is unknown or expired, and consumes nothing', async () => {
      const { tokens, next, old, oldHash } = await start()
      const unknown = { status: 'unknown' }
      expect(await tokens.rotate({ oldHash: fresh('none'), next, now: NOW, windowStart: 0 })).toEqual(unknown)
      expect(await tokens.rotate({ oldHash, next, now: old.expiresAt, windowStart: 0 })).toEqual(unknown)
      expect(await tokens.find(next.idHash, NOW)).toBeUndefined()
      expect((await tokens.find(oldHash, NOW))?.consumedAt).toBeUndefined()
    })

    it('answers a retry inside the window with the same successor', async () => {
      const { tokens, next, oldHash } = await start()
      await tokens.rotate({ oldHash, next, now: NOW, windowStart: 0 })
      expect(await tokens.rotate({ oldHash, next, now: NOW + 30, windowStart: NOW })).toEqual({ status: 'retried' })
    })

    it('calls a replay after the window reuse', async () => {
      const { tokens, next, oldHash } = await start()
      await tokens.rotate({ oldHash, next, now: NOW, windowStart: 0 })
      expect(await tokens.rotate({ oldHash, next, now: NOW + 31, windowStart: NOW + 1 })).toEqual({ status: 'reused' })
    })

    it('calls a replay with another successor reuse, and inserts nothing', async () => {
      const { tokens, next, oldHash } = await start()
      await tokens.rotate({ oldHash, next, now: NOW, windowStart: 0 })
      const forged = refreshRecord(next.family)
      expect(await tokens.rotate({ oldHash, next: forged, now: NOW, windowStart: 0 })).toEqual({ status: 'reused' })
      expect(await tokens.find(forged.idHash, NOW)).toBeUndefined()
    })

    it('calls a replay after the successor was used reuse, also inside the window', async () => {
      const { tokens, next, oldHash } = await start()
      await tokens.rotate({ oldHash, next, now: NOW, windowStart: 0 })
      const third = refreshRecord(next.family)
      await tokens.rotate({ oldHash: next.idHash, next: third, now: NOW, windowStart: 0 })
      expect((await tokens.find(oldHash, NOW))?.successorUsed).toBe(true)
      expect(await tokens.rotate({ oldHash, next, now: NOW, windowStart: 0 })).toEqual({ status: 'reused' })
    })

    it('has one winner among twenty racers with the same successor, and nineteen retries', async () => {
      for (let round = 0; round < 10; round++) {
        const { next, oldHash } = await start()
        const race = pair().race(20, ({ durable }) =>
          durable.refreshTokens.rotate({ oldHash, next, now: NOW, windowStart: 0 }),
        )
        const statuses = (await race).map(({ status }) => status)
        expect([count(statuses, 'rotated'), count(statuses, 'retried')]).toEqual([1, 19])
      }
    })

    it('has one winner among twenty racers with different successors, and nineteen reuses', async () => {
      const { tokens, old, oldHash } = await start()
      const nexts = Array.from({ length: 20 }, () => refreshRecord(old.family))
      const results = await pair().race(20, async ({ durable }, racer) => {
        const next = nexts[racer] ?? old
        const { status } = await durable.refreshTokens.rotate({ oldHash, next, now: NOW, windowStart: 0 })
        return status
      })
      expect([count(results, 'rotated'), count(results, 'reused')]).toEqual([1, 19])
      const alive = await Promise.all(nexts.map(({ idHash }) => tokens.find(idHash, NOW)))
      expect(alive.filter(Boolean)).toHaveLength(1)
    })
  })
}
