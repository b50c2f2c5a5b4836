// Promises of the table of API tokens.
import { describe, expect, it } from 'vitest'
import type { ApiTokenRecord, ApiTokenRotation } from '../api-tokens.ts'
import { fresh, NOW, type Pair } from './pair.ts'

const apiToken = (given: Partial<ApiTokenRecord> = {}): ApiTokenRecord => ({
  id: fresh('tok'),
  name: fresh('name'),
  description: 'nightly "run" ünïcode',
  kind: 'person',
  owner: fresh('owner'),
  createdBy: 'ann',
  mask: 'pc_abc…wxyz',
  secretHash: fresh('hash'),
  previousHash: undefined,
  previousUntil: undefined,
  scopes: ['mcp:tools'],
  reach: ['files/read_*'],
  team: 'gate',
  conditions: { addresses: ['10.0.0.0/8'], rate: { most: 5, window: 60_000 } },
  createdAt: NOW,
  issuedAt: NOW,
  expiresAt: NOW + 1000,
  lastUsedAt: undefined,
  revokedAt: undefined,
  revokedBy: undefined,
  revokedReason: undefined,
  rotateEvery: undefined,
  rotateAt: undefined,
  ...given,
})

const rotationOf = (token: ApiTokenRecord, given: Partial<ApiTokenRotation> = {}): ApiTokenRotation => ({
  id: token.id,
  oldHash: token.secretHash,
  secretHash: fresh('hash'),
  mask: 'pc_new…new1',
  previousUntil: NOW + 50,
  expiresAt: NOW + 2000,
  rotateAt: undefined,
  now: NOW + 10,
  ...given,
})

export function apiTokenPromises(pair: () => Pair): void {
  describe('API tokens', () => {
    it('keeps a token whole, and finds it by id and by either secret', async () => {
      const { one, two } = pair()
      const token = apiToken()
      const bare = apiToken({
        description: undefined,
        scopes: undefined,
        reach: undefined,
        team: undefined,
        conditions: {},
      })
      expect(await one.durable.apiTokens.create(token, 5)).toBe('created')
      expect(await one.durable.apiTokens.create(bare, 5)).toBe('created')
      expect(await two.durable.apiTokens.find(token.id)).toEqual(token)
      expect(await two.durable.apiTokens.findBySecret(bare.secretHash)).toEqual(bare)
      expect(await two.durable.apiTokens.findBySecret(token.id)).toBeUndefined()
      const rotated = await two.durable.apiTokens.rotate(rotationOf(token))
      for (const hash of [token.secretHash, rotated?.secretHash ?? ''])
        expect(await one.durable.apiTokens.findBySecret(hash)).toEqual(rotated)
    })

    it('gives a name of an owner once, and again when its token is revoked or expired', async () => {
      const { apiTokens } = pair().one.durable
      const first = apiToken()
      const namesake = (given: Partial<ApiTokenRecord> = {}) =>
        apiToken({ owner: first.owner, name: first.name, ...given })
      expect(await apiTokens.create(first, 5)).toBe('created')
      expect(await apiTokens.create(namesake(), 5)).toBe('name_taken')
      expect(await apiTokens.create(namesake({ owner: fresh('owner') }), 5)).toBe('created')
      expect(await apiTokens.create(namesake({ name: `${first.name} ` }), 5)).toBe('created')
      const later = namesake({ createdAt: first.expiresAt, expiresAt: NOW + 5000 })
      expect(await apiTokens.create(later, 5)).toBe('created')
      await apiTokens.revoke({ id: later.id, at: NOW, by: 'ann', reason: undefined, expiresAt: NOW + 5000 })
      expect(await apiTokens.create(namesake(), 5)).toBe('created')
    })

    it('has as many living tokens of an owner as are allowed, whoever races', async () => {
      const { one, race } = pair()
      const owner = fresh('owner')
      expect(await one.durable.apiTokens.create(apiToken({ owner, expiresAt: NOW }), 3)).toBe('created')
      const outcomes = await race(20, ({ durable }) => durable.apiTokens.create(apiToken({ owner }), 3))
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(3)
      expect(outcomes.filter((outcome) => outcome === 'too_many')).toHaveLength(17)
      const [one_] = await one.durable.apiTokens.list({ owner, living: NOW, limit: 1, offset: 0 })
      await one.durable.apiTokens.revoke({
        id: one_?.id ?? '',
        at: NOW,
        by: 'x',
        reason: undefined,
        expiresAt: NOW + 1000,
      })
      expect(await one.durable.apiTokens.create(apiToken({ owner }), 3)).toBe('created')
    })

    it('has one winner among those who want one name', async () => {
      const { race } = pair()
      const { owner, name } = apiToken()
      const outcomes = await race(20, ({ durable }) => durable.apiTokens.create(apiToken({ owner, name }), 50))
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
    })

    it('lists the newest first, page by page, of one owner, and the living alone where asked', async () => {
      const { apiTokens } = pair().one.durable
      const owner = fresh('owner')
      const tokens = [0, 1, 2].map((at) => apiToken({ owner, createdAt: NOW + at, expiresAt: NOW + 1000 + at }))
      for (const token of tokens) await apiTokens.create(token, 9)
      const ids = async (which: { living?: number; limit: number; offset: number }) =>
        (await apiTokens.list({ owner, ...which })).map(({ id }) => tokens.findIndex((token) => token.id === id))
      expect(await ids({ limit: 9, offset: 0 })).toEqual([2, 1, 0])
      expect(await ids({ limit: 2, offset: 1 })).toEqual([1, 0])
      expect(await ids({ limit: 9, offset: 0, living: NOW + 1001 })).toEqual([2])
      expect((await apiTokens.list({ limit: 1000, offset: 0 })).length).toBeGreaterThan(3)
    })

    it('renames, but not to the name of another', async () => {
      const { apiTokens } = pair().one.durable
      const [one, other] = [apiToken(), apiToken()]
      await apiTokens.create(one, 9)
      await apiTokens.create({ ...other, owner: one.owner }, 9)
      const to = { name: one.name, description: undefined }
      expect(await apiTokens.rename(other.id, to)).toBe('name_taken')
      expect(await apiTokens.rename(one.id, to)).toBe('renamed')
      expect(await apiTokens.find(one.id)).toEqual({ ...one, description: undefined })
      expect((await apiTokens.find(other.id))?.name).toBe(other.name)
    })
  })

  describe('rotation of API tokens', () => {
    it('keeps the id, and the old secret beside the new one for its time', async () => {
      const { apiTokens } = pair().one.durable
      const token = apiToken()
      await apiTokens.create(token, 9)
      const act = rotationOf(token, { rotateAt: NOW + 700 })
      const { secretHash, mask, previousUntil, expiresAt, rotateAt, now } = act
      const rotated = {
        ...token,
        ...{ secretHash, mask, previousUntil, expiresAt, rotateAt },
        issuedAt: now,
        previousHash: token.secretHash,
      }
      expect(await apiTokens.rotate(act)).toEqual(rotated)
      expect(await apiTokens.rotate(rotationOf(rotated))).toBeUndefined()
      const next = await apiTokens.rotate(rotationOf(rotated, { now: NOW + 50, previousUntil: undefined }))
      expect([next?.previousHash, next?.previousUntil]).toEqual([secretHash, undefined])
      expect(await apiTokens.findBySecret(token.secretHash)).toBeUndefined()
    })

    it('has one winner, and none for a token that has ended', async () => {
      const { one, race } = pair()
      const token = apiToken()
      await one.durable.apiTokens.create(token, 9)
      const outcomes = await race(20, ({ durable }) =>
        durable.apiTokens.rotate(rotationOf(token, { previousUntil: undefined })),
      )
      const won = outcomes.filter((outcome) => outcome !== undefined)
      expect(won).toEqual([await one.durable.apiTokens.find(token.id)])
      const [expired, revoked] = [apiToken({ expiresAt: NOW + 10 }), apiToken()]
      for (const dead of [expired, revoked]) await one.durable.apiTokens.create(dead, 9)
      await one.durable.apiTokens.revoke({ id: revoked.id, at: NOW, by: 'ann', reason: 'lost', expiresAt: NOW + 1000 })
      for (const dead of [expired, revoked])
        expect(await one.durable.apiTokens.rotate(rotationOf(dead))).toBeUndefined()
    })

    it('tells of transitions that are over until they are ended', async () => {
      const { apiTokens } = pair().one.durable
      const token = apiToken()
      await apiTokens.create(token, 9)
      await apiTokens.rotate(rotationOf(token))
      const past = async (now: number) => (await apiTokens.pastTransitions(now)).some(({ id }) => id === token.id)
      expect([await past(NOW + 49), await past(NOW + 50)]).toEqual([false, true])
      await apiTokens.endPrevious(token.id, 'another')
      expect(await past(NOW + 50)).toBe(true)
      await apiTokens.endPrevious(token.id, token.secretHash)
      expect(await past(NOW + 50)).toBe(false)
      expect((await apiTokens.findBySecret(token.secretHash))?.previousUntil).toBeUndefined()
    })
  })

  describe('the end of API tokens', () => {
    it('revokes once, under a number that every replica reads', async () => {
      const { one, two } = pair()
      const token = apiToken()
      await one.durable.apiTokens.create(token, 9)
      const { epoch } = await one.durable.revocations.since(0)
      const act = { id: token.id, at: NOW + 5, by: 'bob', reason: 'lost', expiresAt: token.expiresAt }
      expect(await one.durable.apiTokens.revoke(act)).toBe(true)
      expect(await one.durable.apiTokens.revoke({ ...act, by: 'eve' })).toBe(false)
      const ended = { revokedAt: NOW + 5, revokedBy: 'bob', revokedReason: 'lost' }
      expect(await two.durable.apiTokens.find(token.id)).toEqual({ ...token, ...ended })
      const { entries } = await two.durable.revocations.since(epoch)
      expect(entries).toEqual([{ kind: 'family', value: token.id, at: NOW + 5, expiresAt: token.expiresAt }])
    })

    it('tells each notice to one racer, and again once it was given back or the token rotated', async () => {
      const { one, race } = pair()
      const token = apiToken({ expiresAt: NOW + 900, rotateAt: NOW + 100 })
      await one.durable.apiTokens.create(token, 9)
      const when = { now: NOW + 675, before: NOW + 900 }
      const told = async (notice: 'expiry' | 'rotation', at = when) =>
        (await race(8, ({ durable }) => durable.apiTokens.announce(notice, at)))
          .flat()
          .filter(({ id }) => id === token.id).length
      expect(await told('expiry', { now: NOW + 675, before: NOW + 899 })).toBe(0)
      expect(await told('expiry', { now: NOW + 674, before: NOW + 900 })).toBe(0)
      expect([await told('expiry'), await told('expiry'), await told('rotation')]).toEqual([1, 0, 1])
      await one.durable.apiTokens.withdraw('expiry', token.id)
      expect([await told('expiry'), await told('rotation')]).toEqual([1, 0])
      await one.durable.apiTokens.rotate(rotationOf(token, { expiresAt: NOW + 800, rotateAt: NOW + 200 }))
      expect([await told('expiry'), await told('rotation')]).toEqual([1, 1])
      expect(await told('expiry', { now: NOW + 800, before: NOW + 5000 })).toBe(0)
    })

    it('remembers the last use, and removes what is long dead or was never told', async () => {
      const { apiTokens } = pair().one.durable
      const [living, expired, revoked, undone] = [
        apiToken({ expiresAt: NOW + 9_000_000 }),
        apiToken({ createdAt: 1, expiresAt: 50 }),
        apiToken({ createdAt: 1 }),
        apiToken({ expiresAt: NOW + 9_000_000 }),
      ] as const
      for (const token of [living, expired, revoked, undone]) await apiTokens.create(token, 9)
      await apiTokens.markUsed(living.id, NOW + 7)
      await apiTokens.markUsed(living.id, NOW + 6)
      await apiTokens.revoke({ id: revoked.id, at: 50, by: 'ann', reason: undefined, expiresAt: revoked.expiresAt })
      await apiTokens.remove(undone.id)
      expect(await apiTokens.removeDead(49)).toBe(0)
      expect(await apiTokens.removeDead(50)).toBe(2)
      const left = await Promise.all([living, expired, revoked, undone].map(({ id }) => apiTokens.find(id)))
      expect(left).toEqual([{ ...living, lastUsedAt: NOW + 7 }, undefined, undefined, undefined])
    })
  })
}
