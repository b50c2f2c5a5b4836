// Promises of the table of families.
import { describe, expect, it } from 'vitest'
import { addedRefresh, fresh, NOW, type Pair, refreshRecord, savedFamily } from './pair.ts'

export function familyPromises(pair: () => Pair): void {
  describe('families', () => {
    it('finds what was saved, replaced as often as it is saved, until it expires', async () => {
      const { one, two } = pair()
      const family = await savedFamily(one)
      expect(await two.durable.families.find(family.id, NOW)).toEqual(family)
      const changed = { ...family, payload: { accountId: 'ann' }, expiresAt: NOW + 2000 }
      await two.durable.families.save(changed)
      expect(await one.durable.families.find(family.id, NOW + 1999)).toEqual(changed)
      expect(await one.durable.families.find(family.id, NOW + 2000)).toBeUndefined()
    })

    it('revokes with everything of the family, and says so to every replica', async () => {
      const { one, two } = pair()
      const [family, other] = [await savedFamily(one), await savedFamily(one)]
      const [mine, theirs] = [await addedRefresh(one, family.id), await addedRefresh(one, other.id)]
      const code = { kind: 'AuthorizationCode' as const, idHash: fresh('code'), uid: undefined, family: family.id }
      await one.ephemeral.artifacts.save({ ...code, payload: {}, expiresAt: NOW + 1000 })
      const { epoch } = await two.durable.revocations.since(0)

      await one.durable.families.revoke(family.id, NOW, NOW + 500)

      expect(await two.durable.families.find(family.id, NOW)).toBeUndefined()
      expect(await two.durable.refreshTokens.find(mine.idHash, NOW)).toBeUndefined()
      expect(await two.ephemeral.artifacts.find('AuthorizationCode', code.idHash, NOW)).toBeUndefined()
      expect((await two.durable.refreshTokens.find(theirs.idHash, NOW))?.idHash).toBe(theirs.idHash)
      const news = await two.durable.revocations.since(epoch)
      expect(news.entries).toEqual([{ kind: 'family', value: family.id, at: NOW, expiresAt: NOW + 500 }])
    })

    it('may be revoked twice, and when it is not there', async () => {
      const { durable } = pair().one
      const family = fresh('gone')
      await durable.families.revoke(family, NOW, NOW + 500)
      await durable.families.revoke(family, NOW, NOW + 500)
      const { entries } = await durable.revocations.since(0)
      expect(entries.filter((entry) => entry.value === family)).toHaveLength(1)
    })

    it('does not come back, and takes no token, once revoked', async () => {
      const { one, two } = pair()
      const family = await savedFamily(one)
      await one.durable.families.revoke(family.id, NOW, NOW + 500)
      await two.durable.families.save(family)
      const late = await addedRefresh(two, family.id)
      expect(await one.durable.families.find(family.id, NOW)).toBeUndefined()
      expect(await one.durable.refreshTokens.find(late.idHash, NOW)).toBeUndefined()
    })

    it('leaves no live token, whichever of a rotation and a revocation is faster', async () => {
      const { one, race } = pair()
      for (let round = 0; round < 20; round++) {
        const family = await savedFamily(one)
        const old = await addedRefresh(one, family.id)
        const next = refreshRecord(family.id)
        await race(4, async ({ durable }, racer) => {
          if (racer === 3) return durable.families.revoke(family.id, NOW, NOW + 500)
          await durable.refreshTokens.rotate({ oldHash: old.idHash, next, now: NOW, windowStart: 0 })
        })
        expect(await one.durable.refreshTokens.find(old.idHash, NOW)).toBeUndefined()
        expect(await one.durable.refreshTokens.find(next.idHash, NOW)).toBeUndefined()
      }
    })
  })
}
