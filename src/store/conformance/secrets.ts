// Promises of the vault's tables: no secret is lost to a race, none is sealed with a key that the others do not have.
import { describe, expect, it } from 'vitest'
import type { Rewrapped, SecretRecord, VaultKeyRecord } from '../secrets.ts'
import type { Store } from '../store.ts'
import { fresh, NOW, type Pair } from './pair.ts'

const keyRecord = (given: Partial<VaultKeyRecord> = {}): VaultKeyRecord => ({
  id: fresh('key'),
  canary: 'wrapped-canary',
  canaryHash: fresh('hash'),
  createdAt: NOW,
  ...given,
})

const secretUnder = (key: VaultKeyRecord, given: Partial<SecretRecord> = {}): SecretRecord => ({
  principal: fresh('person'),
  upstream: 'github',
  field: 'token',
  version: 1,
  keyId: key.id,
  wrappedKey: fresh('wrapped'),
  sealed: fresh('sealed'),
  createdAt: NOW,
  updatedAt: NOW,
  ...given,
})

async function knownKey({ durable }: Store): Promise<VaultKeyRecord> {
  return durable.secrets.ensureKey(keyRecord())
}

async function storedSecret(store: Store, key: VaultKeyRecord, given: Partial<SecretRecord> = {}) {
  const made = secretUnder(key, given)
  const { expected, next } = await store.durable.secrets.find(made)
  const record = { ...made, version: next }
  expect(await store.durable.secrets.put(record, expected)).toBe(true)
  return record
}

const rewrapOf = (record: SecretRecord, to: VaultKeyRecord, given: Partial<Rewrapped> = {}): Rewrapped => ({
  principal: record.principal,
  upstream: record.upstream,
  field: record.field,
  version: record.version,
  oldWrappedKey: record.wrappedKey,
  keyId: to.id,
  wrappedKey: fresh('wrapped-anew'),
  ...given,
})

export function secretPromises(pair: () => Pair): void {
  describe('secrets', () => {
    it('are found by the other replica as they were put, and listed without what they hold', async () => {
      const { one, two } = pair()
      const record = await storedSecret(one, await knownKey(one))
      const { sealed: _, wrappedKey: __, ...metadata } = record
      expect((await two.durable.secrets.find(record)).record).toEqual(record)
      expect(await two.durable.secrets.list(record.principal)).toEqual([metadata])
      const elsewhere = { ...record, field: 'other' }
      expect(await two.durable.secrets.find(elsewhere)).toMatchObject({ record: undefined, expected: 0 })
    })

    it('have one winner of twenty who put one secret at once', async () => {
      const { one, race } = pair()
      const key = await knownKey(one)
      const made = secretUnder(key)
      const { next } = await one.durable.secrets.find(made)
      const outcomes = await race(20, ({ durable }, racer) =>
        durable.secrets.put({ ...made, version: next, sealed: `by ${racer}` }, 0),
      )
      expect(outcomes.filter((stored) => stored)).toHaveLength(1)
      expect((await one.durable.secrets.find(made)).record?.sealed).toBe(`by ${outcomes.indexOf(true)}`)
    })

    it('never give a place the same version twice, not after a removal and not after it was forgotten', async () => {
      const { one, two } = pair()
      const key = await knownKey(one)
      const first = await storedSecret(one, key)
      expect(await two.durable.secrets.remove(first, { expected: undefined, at: NOW })).toBe(true)
      expect(await two.durable.secrets.remove(first, { expected: undefined, at: NOW })).toBe(false)
      expect((await one.durable.secrets.find(first)).record).toBeUndefined()
      expect(await one.durable.secrets.list(first.principal)).toEqual([])
      const second = await storedSecret(one, key, { principal: first.principal, createdAt: NOW + 5 })
      expect(second.version).toBeGreaterThan(first.version)
      expect((await two.durable.secrets.find(second)).record).toEqual(second)
      await one.durable.secrets.remove(second, { expected: undefined, at: NOW - 10 })
      expect(await one.durable.secrets.removeForgotten(NOW - 10)).toBeGreaterThanOrEqual(1)
      const third = await storedSecret(two, key, { principal: first.principal })
      expect(third.version).toBeGreaterThan(second.version)
    })

    it('are removed in the version that was expected, and in no other', async () => {
      const { one } = pair()
      const record = await storedSecret(one, await knownKey(one))
      const wrong = { expected: record.version + 1, at: NOW }
      expect(await one.durable.secrets.remove(record, wrong)).toBe(false)
      expect(await one.durable.secrets.remove(record, { expected: record.version, at: NOW })).toBe(true)
    })

    it('keep when they were first put, and tell each change to those who ask', async () => {
      const { one, two } = pair()
      const key = await knownKey(one)
      const first = await storedSecret(one, key)
      const epoch = await two.durable.secrets.epoch()
      expect((await two.durable.secrets.since(epoch)).places).toEqual([])
      const later = { principal: first.principal, createdAt: NOW + 9, updatedAt: NOW + 9 }
      const second = await storedSecret(one, key, later)
      expect((await two.durable.secrets.find(first)).record).toMatchObject({ createdAt: NOW, updatedAt: NOW + 9 })
      const place = { principal: first.principal, upstream: 'github', field: 'token' }
      const told = await two.durable.secrets.since(epoch)
      expect(told.places).toEqual([place])
      await one.durable.secrets.remove(second, { expected: undefined, at: NOW })
      expect((await two.durable.secrets.since(told.epoch)).places).toEqual([place])
    })
  })

  describe('keys of the vault', () => {
    it('give racing replicas one and the same canary', async () => {
      const { one, race } = pair()
      const id = fresh('key')
      const answers = await race(20, ({ durable }, racer) =>
        durable.secrets.ensureKey(keyRecord({ id, canaryHash: `of ${racer}` })),
      )
      for (const answer of answers) expect(answer).toEqual(answers[0])
      expect((await one.durable.secrets.keys()).filter((key) => key.id === id)).toEqual([answers[0]])
    })

    it('are counted by the secrets they wrap, and lead to those that another one wraps', async () => {
      const { one, two } = pair()
      const [old, young] = [await knownKey(one), await knownKey(one)]
      const records = [await storedSecret(one, old), await storedSecret(one, old), await storedSecret(one, young)]
      const removed = await storedSecret(one, old)
      await one.durable.secrets.remove(removed, { expected: undefined, at: NOW })
      const counts = await two.durable.secrets.countByKey()
      expect([counts.get(old.id), counts.get(young.id)]).toEqual([2, 1])
      const found: SecretRecord[] = []
      for (let after: SecretRecord | undefined; ; after = found.at(-1)) {
        const page = await two.durable.secrets.wrappedOtherwise(young.id, { after, limit: 1 })
        if (page.length === 0) break
        found.push(...page)
      }
      const mine = found.filter(({ keyId }) => keyId === old.id).map(({ principal }) => principal)
      expect(mine.sort()).toEqual([records[0]?.principal, records[1]?.principal].sort())
    })

    it('are exchanged in records that nobody changed meanwhile', async () => {
      const { one, two } = pair()
      const [old, young] = [await knownKey(one), await knownKey(one)]
      const [still, changed] = [await storedSecret(one, old), await storedSecret(one, old)]
      const newer = await storedSecret(two, old, { principal: changed.principal })
      const change = rewrapOf(still, young)
      expect(await two.durable.secrets.rewrap([change, rewrapOf(changed, young)])).toBe(1)
      expect((await one.durable.secrets.find(still)).record).toEqual({
        ...still,
        keyId: young.id,
        wrappedKey: change.wrappedKey,
      })
      expect((await one.durable.secrets.find(newer)).record).toEqual(newer)
      const outrun = rewrapOf(still, young, { wrappedKey: 'late' })
      expect(await one.durable.secrets.rewrap([outrun])).toBe(0)
    })
  })
}
