// The vault over a real store: what goes in comes out by its place, what was tampered with stays closed and is told of.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from 'vitest'
import { SecretUnreadable } from '../protocol/vault.ts'
import { openStore } from '../store/open.ts'
import type { Secrets } from '../store/secrets.ts'
import type { Store } from '../store/store.ts'
import { openVaultKeyring } from './keyring.ts'
import { localKey } from './kms/local.ts'
import { type OpenVault, openVault, type Unreadable } from './vault.ts'
import type { WrappingKey } from './wrapping-key.ts'

const ANN = { principal: 'ann', upstream: 'github', field: 'token' }
const BOB = { ...ANN, principal: 'bob' }
const clock = () => 1_800_000_000_000

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function fileStore(): Promise<{ store: Store; database: DatabaseSync }> {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-vault-'))
  cleanups.push(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'portcullis.db')
  const store = await openStore({ url: `sqlite:${path}`, directory })
  cleanups.push(() => store.close())
  const database = new DatabaseSync(path)
  cleanups.push(() => database.close())
  return { store, database }
}

interface Vaulted {
  readonly vault: OpenVault
  readonly told: Unreadable[]
  /** Opened records so far. */
  readonly unwraps: () => number
}

async function vaultOver(
  store: Store,
  key: WrappingKey,
  given: Partial<Secrets> = {},
  mostOpened?: number,
): Promise<Vaulted> {
  let count = 0
  const counting: WrappingKey = {
    ...key,
    unwrap(wrapped, context) {
      count++
      return key.unwrap(wrapped, context)
    },
  }
  const { secrets } = store.durable
  const keyring = await openVaultKeyring({ keys: [counting], secrets, clock })
  count = 0
  const told: Unreadable[] = []
  const vault = await openVault({
    secrets: { ...secrets, ...given },
    keyring,
    clock,
    tell: async (unreadable) => void told.push(unreadable),
    onError: (error) => {
      throw error
    },
    ...(mostOpened !== undefined && { mostOpened }),
  })
  cleanups.push(() => vault.close())
  return { vault, told, unwraps: () => count }
}

async function memoryVault(given?: Partial<Secrets>, mostOpened?: number): Promise<Vaulted & { store: Store }> {
  const store = await openStore({ url: 'sqlite::memory:', directory: '/nowhere' })
  cleanups.push(() => store.close())
  return { store, ...(await vaultOver(store, localKey('k1', randomBytes(32)), given, mostOpened)) }
}

const textAt = async (vault: OpenVault, place = ANN) => (await vault.get(place))?.secret.toString()

describe('the vault', () => {
  it('gives back what was put, by its place alone, and tells of it without it', async () => {
    const { vault } = await memoryVault()
    expect(await vault.get(ANN)).toBeUndefined()
    const stored = await vault.put(ANN, Buffer.from('hers'))
    await vault.put(BOB, Buffer.from('his'))
    expect(await textAt(vault)).toBe('hers')
    expect(await textAt(vault, BOB)).toBe('his')
    expect(await textAt(vault, { ...ANN, field: 'refresh' })).toBeUndefined()
    const version = stored.status === 'stored' ? stored.version : 0
    const told = { ...ANN, version, keyId: 'k1', createdAt: clock(), updatedAt: clock() }
    expect(await vault.list('ann')).toEqual([told])
  })

  it('hands out copies: whoever overwrites theirs overwrites nobody else’s', async () => {
    const { vault } = await memoryVault()
    await vault.put(ANN, Buffer.from('hers'))
    for (let time = 0; time < 3; time++) (await vault.get(ANN))?.secret.fill(0)
    const both = await Promise.all([vault.get(BOB), vault.get(ANN), vault.get(ANN)])
    both[1]?.secret.fill(0)
    expect(both[2]?.secret.toString()).toBe('hers')
  })

  it('removes, and puts anew under a version that was never used', async () => {
    const { vault } = await memoryVault()
    const first = await vault.put(ANN, Buffer.from('one'))
    expect(await vault.remove(ANN)).toBe(true)
    expect(await vault.remove(ANN)).toBe(false)
    expect(await vault.get(ANN)).toBeUndefined()
    const second = await vault.put(ANN, Buffer.from('two'))
    expect(await textAt(vault)).toBe('two')
    expect(second).toMatchObject({ status: 'stored' })
    if (first.status === 'stored' && second.status === 'stored') expect(second.version).toBeGreaterThan(first.version)
  })

  it('changes the version that was expected, and tells a conflict otherwise', async () => {
    const { vault } = await memoryVault()
    const first = await vault.put(ANN, Buffer.from('one'), { expectedVersion: 0 })
    if (first.status !== 'stored') throw new Error('not stored')
    expect(await vault.put(ANN, Buffer.from('two'), { expectedVersion: 0 })).toEqual({ status: 'conflict' })
    expect(await vault.remove(ANN, { expectedVersion: first.version + 1 })).toBe(false)
    expect(await textAt(vault)).toBe('one')
    const second = await vault.put(ANN, Buffer.from('two'), { expectedVersion: first.version })
    expect(second).toEqual({ status: 'stored', version: first.version + 1 })
    expect(await vault.remove(ANN, { expectedVersion: first.version + 1 })).toBe(true)
    expect(await vault.put(ANN, Buffer.from('three'), { expectedVersion: 0 })).toMatchObject({ status: 'stored' })
  })

  it('has one winner of twenty who expect the same version, and keeps the last of twenty who expect none', async () => {
    const { vault } = await memoryVault()
    const racing = (expected: object) =>
      Promise.all(Array.from({ length: 20 }, (_, at) => vault.put(ANN, Buffer.from(`by ${at}`), expected)))
    const won = await racing({ expectedVersion: 0 })
    expect(won.filter(({ status }) => status === 'stored')).toHaveLength(1)
    expect(await textAt(vault)).toBe(`by ${won.findIndex(({ status }) => status === 'stored')}`)
    const all = await racing({})
    const versions = all.map((outcome) => (outcome.status === 'stored' ? outcome.version : 0))
    expect(new Set(versions).size).toBe(20)
    expect(await textAt(vault)).toBe(`by ${versions.indexOf(Math.max(...versions))}`)
  })

  it('opens once for many who ask at once, and not again for those who ask later', async () => {
    const { store, vault, unwraps } = await memoryVault()
    await vault.put(ANN, Buffer.from('hers'))
    const all = await Promise.all(Array.from({ length: 50 }, () => vault.get(ANN)))
    expect(all.every((one) => one?.secret.toString() === 'hers')).toBe(true)
    await textAt(vault)
    expect(unwraps()).toBe(1)
    expect(store).toBeDefined()
  })

  it('keeps no more opened than it may, the least recently used going first', async () => {
    const { vault, unwraps } = await memoryVault({}, 2)
    const places = ['ann', 'bob', 'eve'].map((principal) => ({ ...ANN, principal }))
    for (const place of places) await vault.put(place, Buffer.from(place.principal))
    const [ann = ANN, bob = BOB, eve = ANN] = places
    for (const place of [ann, bob, ann, eve]) await vault.get(place)
    expect(unwraps()).toBe(3)
    await vault.get(ann)
    expect(unwraps()).toBe(3)
    expect(await textAt(vault, bob)).toBe('bob')
    expect(unwraps()).toBe(4)
  })

  it('drops what another replica changed or removed at the next poll', async () => {
    const { store } = await fileStore()
    const key = localKey('k1', randomBytes(32))
    const [one, two] = [await vaultOver(store, key), await vaultOver(store, key)]
    await one.vault.put(ANN, Buffer.from('old'))
    await one.vault.put(BOB, Buffer.from('his'))
    await two.vault.poll()
    expect(await textAt(two.vault)).toBe('old')
    expect(await textAt(two.vault, BOB)).toBe('his')
    await one.vault.put(ANN, Buffer.from('new'))
    await one.vault.remove(BOB)
    await two.vault.poll()
    expect(await textAt(two.vault)).toBe('new')
    expect(await two.vault.get(BOB)).toBeUndefined()
  })

  it('does not keep what changed while it was opened', async () => {
    const store = await openStore({ url: 'sqlite::memory:', directory: '/nowhere' })
    cleanups.push(() => store.close())
    const inner = localKey('k1', randomBytes(32))
    let hold: Promise<void> | undefined
    const slow: WrappingKey = {
      ...inner,
      async unwrap(wrapped, context) {
        await hold
        return inner.unwrap(wrapped, context)
      },
    }
    const { vault } = await vaultOver(store, slow)
    await vault.put(ANN, Buffer.from('old'))
    const held = Promise.withResolvers<void>()
    hold = held.promise
    const asked = vault.get(ANN)
    await vault.put(ANN, Buffer.from('new'))
    hold = undefined
    held.resolve()
    expect((await asked)?.secret.toString()).toMatch(/old|new/)
    expect(await textAt(vault)).toBe('new')
  })
})

describe('a secret that was tampered with', () => {
  const columns = 'version, key_id, wrapped_key, sealed'
  const change = (database: DatabaseSync, set: string, principal = 'ann') =>
    expect(database.prepare(`UPDATE secrets SET ${set}, n = n + 1000 WHERE principal = ?`).run(principal).changes).toBe(
      1,
    )

  async function annAndBob() {
    const { store, database } = await fileStore()
    const vaulted = await vaultOver(store, localKey('k1', randomBytes(32)))
    const { vault } = vaulted
    await vault.put(ANN, Buffer.from('hers'))
    await vault.put(BOB, Buffer.from('his'))
    return { store, database, ...vaulted }
  }

  async function expectClosed({ vault, told }: Vaulted, reason: Unreadable['reason']): Promise<void> {
    for (let time = 0; time < 3; time++) {
      const error = await vault.get(ANN).then(
        () => undefined,
        (refused: unknown) => refused,
      )
      expect(error).toBeInstanceOf(SecretUnreadable)
      expect(error).toMatchObject({ reason })
    }
    expect(told.map((event) => [event.place, event.reason])).toEqual([[ANN, reason]])
    expect(await textAt(vault, BOB)).toBe('his')
  }

  it.each([
    [
      'the row of somebody else in its place',
      `(${columns}) = (SELECT ${columns} FROM secrets WHERE principal = 'bob')`,
    ],
    ['somebody else’s sealed part', `sealed = (SELECT sealed FROM secrets WHERE principal = 'bob')`],
    ['somebody else’s data key', `wrapped_key = (SELECT wrapped_key FROM secrets WHERE principal = 'bob')`],
    ['another version', 'version = version + 1'],
    ['its end cut off', 'sealed = substr(sealed, 1, length(sealed) - 8)'],
    ['a block cut off', 'sealed = substr(sealed, 1, length(sealed) - 344)'],
    ['nothing left of it', "sealed = ''"],
    ['no data key', "wrapped_key = ''"],
  ])('stays closed and is told of once: %s', async (_name, set) => {
    const all = await annAndBob()
    change(all.database, set)
    await expectClosed(all, 'secret_altered')
  })

  it('stays closed when its row moved to another upstream or field', async () => {
    for (const part of ['upstream', 'field'] as const) {
      const { database, vault } = await annAndBob()
      change(database, `${part} = 'moved'`)
      await expect(vault.get({ ...ANN, [part]: 'moved' })).rejects.toThrow(SecretUnreadable)
      expect(await textAt(vault, BOB)).toBe('his')
    }
  })

  it('stays closed when it names a key that is not ours', async () => {
    const all = await annAndBob()
    change(all.database, "key_id = 'k9'")
    await expectClosed(all, 'vault_key_missing')
  })

  it('stays closed when the row is put back as it once was, also after it was removed', async () => {
    const all = await annAndBob()
    const { database, vault } = all
    const keep = database.prepare("SELECT * FROM secrets WHERE principal = 'ann'").get() ?? {}
    const putBack = () =>
      database
        .prepare(
          "UPDATE secrets SET version = ?, key_id = ?, wrapped_key = ?, sealed = ?, n = n + 1000 WHERE principal = 'ann'",
        )
        .run(...['version', 'key_id', 'wrapped_key', 'sealed'].map((column) => keep[column] ?? null))
    await vault.put(ANN, Buffer.from('newer'))
    expect(await textAt(vault)).toBe('newer')
    putBack()
    await vault.poll()
    await expectClosed({ ...all }, 'secret_replayed')
    await vault.remove(ANN)
    expect(await vault.get(ANN)).toBeUndefined()
    putBack()
    await vault.poll()
    await expect(vault.get(ANN)).rejects.toMatchObject({ reason: 'secret_replayed' })
  })

  it('opens again once it is put anew', async () => {
    const all = await annAndBob()
    change(all.database, 'version = version + 1')
    await expectClosed(all, 'secret_altered')
    await all.vault.put(ANN, Buffer.from('again'))
    expect(await textAt(all.vault)).toBe('again')
  })

  it('is not an alarm when an answer was overtaken by a change on its way', async () => {
    const store = await openStore({ url: 'sqlite::memory:', directory: '/nowhere' })
    cleanups.push(() => store.close())
    const { secrets } = store.durable
    let late: Awaited<ReturnType<Secrets['find']>> | undefined
    const find: Secrets['find'] = async (place) => {
      const answer = late ?? (await secrets.find(place))
      late = undefined
      return answer
    }
    const { vault, told } = await vaultOver(store, localKey('k1', randomBytes(32)), { find })
    await vault.put(ANN, Buffer.from('old'))
    const before = await secrets.find(ANN)
    await vault.put(ANN, Buffer.from('new'))
    late = before
    expect(await textAt(vault)).toBe('new')
    expect(told).toEqual([])
  })
})

describe('a key that cannot be used now', () => {
  it('keeps secrets closed without an alarm, and what is open is served on', async () => {
    const store = await openStore({ url: 'sqlite::memory:', directory: '/nowhere' })
    cleanups.push(() => store.close())
    const inner = localKey('k1', randomBytes(32))
    let down = false
    const failing: WrappingKey = {
      id: 'k1',
      wrap: (...given) => (down ? Promise.reject(new Error('unreachable')) : inner.wrap(...given)),
      unwrap: (...given) => (down ? Promise.reject(new Error('unreachable')) : inner.unwrap(...given)),
    }
    const { vault, told } = await vaultOver(store, failing)
    await vault.put(ANN, Buffer.from('hers'))
    await vault.put(BOB, Buffer.from('his'))
    expect(await textAt(vault)).toBe('hers')
    down = true
    expect(await textAt(vault)).toBe('hers')
    await expect(vault.get(BOB)).rejects.toMatchObject({ reason: 'vault_key_unavailable' })
    await expect(vault.put(BOB, Buffer.from('new'))).rejects.toMatchObject({ reason: 'vault_key_unavailable' })
    expect(told).toEqual([])
    down = false
    expect(await textAt(vault, BOB)).toBe('his')
  })
})
