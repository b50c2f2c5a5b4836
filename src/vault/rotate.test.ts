// Rotation: every secret under the first key, whatever else happens meanwhile, and nothing lost of what does not open.
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SecretPlace } from '../protocol/vault.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { openVaultKeyring } from './keyring.ts'
import { localKey } from './kms/local.ts'
import { type RotationProgress, rotateVault } from './rotate.ts'
import { type OpenVault, openVault } from './vault.ts'
import type { WrappingKey } from './wrapping-key.ts'

const clock = () => 1_800_000_000_000
const placeOf = (at: number): SecretPlace => ({
  principal: `person-${at % 7}`,
  upstream: `server-${at}`,
  field: 'token',
})

let store: Store
let vaults: OpenVault[]
beforeEach(async () => {
  store = await openStore({ url: 'sqlite::memory:', directory: '/nowhere' })
  vaults = []
})
afterEach(async () => {
  for (const vault of vaults) vault.close()
  await store.close()
})

const keyringOf = (...keys: WrappingKey[]) => openVaultKeyring({ keys, secrets: store.durable.secrets, clock })

async function vaultOf(...keys: WrappingKey[]): Promise<OpenVault> {
  const { secrets } = store.durable
  const vault = await openVault({
    secrets,
    keyring: await keyringOf(...keys),
    clock,
    tell: async () => undefined,
    onError: () => undefined,
  })
  vaults.push(vault)
  return vault
}

async function filled(key: WrappingKey, count: number): Promise<OpenVault> {
  const vault = await vaultOf(key)
  for (let at = 0; at < count; at++) await vault.put(placeOf(at), Buffer.from(`secret ${at}`))
  return vault
}

const textAt = async (vault: OpenVault, at: number) => (await vault.get(placeOf(at)))?.secret.toString()

describe('rotation', () => {
  const [old, young] = [localKey('old', randomBytes(32)), localKey('young', randomBytes(32))]

  it('moves every secret to the first key, tells how far it is, and the old key can go', async () => {
    await filled(old, 25)
    const told: RotationProgress[] = []
    const keyring = await keyringOf(young, old)
    const { secrets } = store.durable
    const rotation = await rotateVault({ secrets, keyring, batch: 10, onProgress: (far) => void told.push(far) })
    expect(rotation).toEqual({ moved: 25, unmoved: [], counts: new Map([['young', 25]]) })
    expect(told.map(({ done, total }) => [done, total])).toEqual([10, 20, 25].map((done) => [done, 25]))
    const after = await vaultOf(young)
    for (let at = 0; at < 25; at++) expect(await textAt(after, at)).toBe(`secret ${at}`)
    await expect(keyringOf(old)).rejects.toThrow(/lacks keys.*young \(25 secrets\)/s)
  })

  it('has nothing to do a second time, and changes no record then', async () => {
    await filled(old, 3)
    const keyring = await keyringOf(young, old)
    const { secrets } = store.durable
    await rotateVault({ secrets, keyring, onProgress: () => undefined })
    const epoch = await secrets.epoch()
    expect((await rotateVault({ secrets, keyring, onProgress: () => undefined })).moved).toBe(0)
    expect(await secrets.epoch()).toBe(epoch)
  })

  it('leaves alone what was put, changed or removed beside it', async () => {
    const gate = await filled(old, 20)
    const { secrets } = store.durable
    let beside = Promise.resolve()
    const keyring = await keyringOf(young, old)
    const busy: typeof secrets.rewrap = async (changes) => {
      // Between reading and writing, a gate that still seals with the old key is faster.
      const [first, second] = changes
      if (first !== undefined) beside = beside.then(async () => void (await gate.put(first, Buffer.from('faster'))))
      if (second !== undefined) beside = beside.then(async () => void (await gate.remove(second)))
      await beside
      return secrets.rewrap(changes)
    }
    const rotation = await rotateVault({
      secrets: { ...secrets, rewrap: busy },
      keyring,
      batch: 10,
      onProgress: () => undefined,
    })
    expect(rotation.moved).toBe(16)
    expect(rotation.counts).toEqual(
      new Map([
        ['young', 16],
        ['old', 2],
      ]),
    )
    const both = await vaultOf(young, old)
    const texts = await Promise.all(Array.from({ length: 20 }, (_, at) => textAt(both, at)))
    expect(texts.filter((text) => text === 'faster')).toHaveLength(2)
    expect(texts.filter((text) => text === undefined)).toHaveLength(2)
    expect((await rotateVault({ secrets, keyring, onProgress: () => undefined })).counts).toEqual(
      new Map([['young', 18]]),
    )
  })

  it('is seen by a running gate, which opens on', async () => {
    await filled(old, 5)
    const gate = await vaultOf(old, young)
    expect(await textAt(gate, 1)).toBe('secret 1')
    const { secrets } = store.durable
    await rotateVault({ secrets, keyring: await keyringOf(young, old), onProgress: () => undefined })
    await gate.poll()
    for (let at = 0; at < 5; at++) expect(await textAt(gate, at)).toBe(`secret ${at}`)
  })

  it('goes past what does not open, names it, and leaves it as it is', async () => {
    const gate = await filled(old, 12)
    const { secrets } = store.durable
    const { record, expected, next } = await secrets.find(placeOf(4))
    if (record === undefined) throw new Error('nothing there')
    const broken = { ...record, version: next, wrappedKey: Buffer.alloc(81, 1).toString('base64url') }
    await secrets.put(broken, expected)
    const keyring = await keyringOf(young, old)
    const rotation = await rotateVault({ secrets, keyring, batch: 3, onProgress: () => undefined })
    expect(rotation.moved).toBe(11)
    expect(rotation.unmoved).toEqual([{ ...placeOf(4), keyId: 'old', reason: 'secret_altered' }])
    expect((await secrets.find(placeOf(4))).record).toEqual(broken)
    await gate.remove(placeOf(4))
    expect((await keyringOf(young)).first.id).toBe('young')
  })

  it('ends where a key cannot be used, and goes on from there', async () => {
    await filled(old, 10)
    let left = 4
    const failing: WrappingKey = {
      ...young,
      wrap: (...given) => (left-- > 0 ? young.wrap(...given) : Promise.reject(new Error('unreachable'))),
    }
    await keyringOf(young, old)
    const { secrets } = store.durable
    const keyring = await keyringOf(failing, old)
    const rotating = rotateVault({ secrets, keyring, batch: 2, onProgress: () => undefined })
    await expect(rotating).rejects.toMatchObject({ reason: 'vault_key_unavailable' })
    expect((await secrets.countByKey()).get('young')).toBe(4)
    left = 100
    const rest = await rotateVault({ secrets, keyring, batch: 2, onProgress: () => undefined })
    expect([rest.moved, rest.counts]).toEqual([6, new Map([['young', 10]])])
  })
})
