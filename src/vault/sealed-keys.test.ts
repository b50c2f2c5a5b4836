// The gate's own keys in the vault: the same keys as before, and nothing of them in the store, whatever ended where.
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freshDatabase } from '../../test/support/postgres.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { SecretStored } from '../protocol/vault.ts'
import type { KeyRecord, Keys } from '../store/durable.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { openVaultKeyring } from './keyring.ts'
import { localKey } from './kms/local.ts'
import { sealClearKeys, sealedKeys } from './sealed-keys.ts'
import { type OpenVault, openVault } from './vault.ts'

const USES = ['signing', 'cookie'] as const
const clock = () => 1_800_000_000_000

const BACKENDS: Readonly<Record<string, () => Promise<{ url: string; drop(): Promise<void> }>>> = {
  SQLite: async () => ({ url: 'sqlite::memory:', drop: async () => undefined }),
  PostgreSQL: freshDatabase,
}

describe.each(Object.entries(BACKENDS))('on %s', (_name, makeDatabase) => {
  let database: { url: string; drop(): Promise<void> }
  let store: Store
  let keys: Keys
  let vault: OpenVault
  beforeEach(async () => {
    database = await makeDatabase()
    store = await openStore({ url: database.url, directory: '/nowhere' })
    const { secrets } = store.durable
    keys = store.durable.keys
    const keyring = await openVaultKeyring({ keys: [localKey('k1', randomBytes(32))], secrets, clock })
    vault = await openVault({ secrets, keyring, clock, tell: async () => undefined, onError: () => undefined })
  })
  afterEach(async () => {
    vault.close()
    await store.close()
    await database.drop()
  })

  const key = (given: Partial<KeyRecord> = {}): KeyRecord => ({
    id: randomBytes(6).toString('hex'),
    use: 'cookie',
    material: randomBytes(32).toString('base64url'),
    createdAt: 1,
    activeAt: 1,
    retireAt: undefined,
    ...given,
  })
  const materials = async () => (await keys.list('cookie')).map(({ material }) => material)
  const secretCount = async () =>
    [...(await store.durable.secrets.countByKey()).values()].reduce((sum, n) => sum + n, 0)

  describe('keys in the vault', () => {
    it('are what they were made as, and in the store a mark', async () => {
      const sealed = sealedKeys(keys, vault, { seals: true })
      const [first, second] = [key(), key({ activeAt: 2 })]
      expect(await sealed.ensure(first)).toEqual([first])
      expect(await sealed.ensure(key())).toEqual([first])
      await sealed.add(second)
      expect(await sealed.list('cookie')).toEqual([first, second])
      expect(await materials()).toEqual(['vault:', 'vault:'])
      await sealed.retire(first.id, 9)
      expect(await sealed.list('cookie')).toEqual([{ ...first, retireAt: 9 }, second])
    })

    it('are one for twenty replicas that start at once, and leave no other behind', async () => {
      const sealed = sealedKeys(keys, vault, { seals: true })
      const answers = await Promise.all(Array.from({ length: 20 }, () => sealed.ensure(key())))
      for (const answer of answers) expect(answer).toEqual(answers[0])
      expect(answers[0]).toHaveLength(1)
      expect(await secretCount()).toBe(1)
    })

    it('open also for a gate that seals none, which keeps its own in clear', async () => {
      const [first, second] = [key(), key({ activeAt: 2 })]
      await sealedKeys(keys, vault, { seals: true }).ensure(first)
      const clear = sealedKeys(keys, vault, { seals: false })
      await clear.add(second)
      expect(await clear.list('cookie')).toEqual([first, second])
      expect(await clear.ensure(key())).toEqual([first, second])
      expect(await materials()).toEqual(['vault:', second.material])
    })

    it('refuse, in words, to be taken for what they are not', async () => {
      const sealed = sealedKeys(keys, vault, { seals: true })
      const made = key()
      await sealed.ensure(made)
      await vault.remove({ principal: 'portcullis', upstream: ':keyring', field: made.id })
      await expect(sealed.list('cookie')).rejects.toThrow(OperatorError)
      await expect(sealed.ensure(key())).rejects.toThrow(/does not open: The vault does not have it/)
    })
  })

  describe('keys of an earlier version', () => {
    it('are sealed once, and are the same keys', async () => {
      const [cookie, signing, retired] = [
        key(),
        key({ use: 'signing', material: '{"kty":"EC"}' }),
        key({ retireAt: 3 }),
      ]
      for (const clear of [cookie, signing, retired]) await keys.add(clear)
      expect(await sealClearKeys(keys, USES, vault)).toBe(3)
      expect(await sealClearKeys(keys, USES, vault)).toBe(0)
      const sealed = sealedKeys(keys, vault, { seals: true })
      expect(await sealed.list('signing')).toEqual([signing])
      expect(new Set(await sealed.list('cookie'))).toEqual(new Set([cookie, retired]))
      expect(await materials()).toEqual(['vault:', 'vault:'])
    })

    it('are sealed by ten replicas that start at once, each key once', async () => {
      const clear = Array.from({ length: 5 }, (_, at) => key({ activeAt: at }))
      for (const one of clear) await keys.add(one)
      const counts = await Promise.all(Array.from({ length: 10 }, () => sealClearKeys(keys, USES, vault)))
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(5)
      expect(await sealedKeys(keys, vault, { seals: true }).list('cookie')).toEqual(clear)
      expect(await secretCount()).toBe(5)
    })

    it('are all there wherever the start that sealed them was ended', async () => {
      const clear = Array.from({ length: 4 }, (_, at) => key({ activeAt: at }))
      for (const one of clear) await keys.add(one)
      // Ended after every possible number of writes: to the vault, to the table.
      for (let writes = 0; writes < 8; writes++) {
        let left = writes
        const step = async <Result>(act: () => Promise<Result>): Promise<Result> => {
          if (left-- <= 0) throw new Error('ended')
          return act()
        }
        const ending = {
          ...vault,
          put: (...given: Parameters<OpenVault['put']>): Promise<SecretStored> => step(() => vault.put(...given)),
        }
        const endingKeys = {
          ...keys,
          replaceMaterial: (...given: Parameters<Keys['replaceMaterial']>) =>
            step(() => keys.replaceMaterial(...given)),
        }
        await sealClearKeys(endingKeys, USES, ending).catch((error: Error) => expect(error.message).toBe('ended'))
        expect(await sealedKeys(keys, vault, { seals: true }).list('cookie')).toEqual(clear)
      }
      await sealClearKeys(keys, USES, vault)
      expect(await materials()).toEqual(clear.map(() => 'vault:'))
      expect(await sealedKeys(keys, vault, { seals: true }).list('cookie')).toEqual(clear)
    })

    it('are not sealed over another material of the same name', async () => {
      const clear = key()
      await keys.add(clear)
      await vault.put({ principal: 'portcullis', upstream: ':keyring', field: clear.id }, Buffer.from('another'))
      await expect(sealClearKeys(keys, USES, vault)).rejects.toThrow(/another material/)
      expect(await materials()).toEqual([clear.material])
    })
  })
})
