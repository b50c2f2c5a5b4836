// A wrong or missing key refuses to open the vault, and changes nothing.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OperatorError } from '../protocol/errors.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { defaultKey } from './default-key.ts'
import { makeKeyFile } from './key-file.ts'
import { openVaultKeyring } from './keyring.ts'
import { localKey } from './kms/local.ts'
import { sealRecord } from './record.ts'
import type { WrappingKey } from './wrapping-key.ts'

const PLACE = { principal: 'ann', upstream: 'github', field: 'token' }
const clock = () => 1_800_000_000_000

let folder: string
let store: Store
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-keys-'))
  store = await openStore({ url: 'sqlite::memory:', directory: '/nowhere' })
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

const open = (...keys: WrappingKey[]) => openVaultKeyring({ keys, secrets: store.durable.secrets, clock })

async function sealOne(...keys: WrappingKey[]): Promise<void> {
  const sealed = await sealRecord(await open(...keys), { place: PLACE, version: 1, secret: Buffer.from('secret') })
  const record = { ...PLACE, version: 1, ...sealed, createdAt: 1, updatedAt: 1 }
  expect(await store.durable.secrets.put(record, 0)).toBe(true)
}

async function refusal(opening: Promise<unknown>): Promise<string> {
  const before = JSON.stringify(await everything())
  const error = await opening.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(OperatorError)
  expect(JSON.stringify(await everything())).toBe(before)
  return error instanceof Error ? error.message : ''
}

async function everything() {
  const { secrets } = store.durable
  return [await secrets.keys(), await secrets.find(PLACE)]
}

describe('the keys of the vault', () => {
  it('are known by what they once wrapped, from the first time on', async () => {
    const secret = randomBytes(32)
    await open(localKey('k1', secret))
    const [known] = await store.durable.secrets.keys()
    expect(known).toMatchObject({ id: 'k1', createdAt: clock() })
    await open(localKey('k1', secret))
    expect(await store.durable.secrets.keys()).toEqual([known])
  })

  it('refuse another key under a known name, with and without secrets, and take the right one afterwards', async () => {
    const right = localKey('k1', randomBytes(32))
    await open(right)
    expect(await refusal(open(localKey('k1', randomBytes(32))))).toMatch(/k1 is not the key it was/)
    await sealOne(right)
    expect(await refusal(open(localKey('k1', randomBytes(32))))).toMatch(/Put the former key back/)
    await open(right)
  })

  it('refuse to lack one that secrets are sealed with, and take both', async () => {
    const [old, young] = [localKey('k1', randomBytes(32)), localKey('k2', randomBytes(32))]
    await sealOne(old)
    expect(await refusal(open(young))).toMatch(/lacks keys.*k1 \(1 secret\).*keys rotate --vault/s)
    const ring = await open(young, old)
    expect([ring.first.id, ring.find('k1')?.id, ring.find('k3')]).toEqual(['k2', 'k1', undefined])
  })

  it('let go of one that nothing is sealed with', async () => {
    const [old, young] = [localKey('k1', randomBytes(32)), localKey('k2', randomBytes(32))]
    await open(old)
    expect((await open(young)).first.id).toBe('k2')
  })

  it('agree on one key of two that start at once under the same name', async () => {
    const outcomes = await Promise.allSettled([
      open(localKey('k1', randomBytes(32))),
      open(localKey('k1', randomBytes(32))),
    ])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await store.durable.secrets.keys()).toHaveLength(1)
  })

  it('say what is wrong when the keeper of a key does not answer, at the first time and later', async () => {
    const away = () => Promise.reject(new Error('connect ECONNREFUSED'))
    const key = localKey('k1', randomBytes(32))
    expect(await refusal(open({ id: 'k1', wrap: away, unwrap: away }))).toMatch(/k1 cannot be used now.*ECONNREFUSED/)
    await open(key)
    expect(await refusal(open({ id: 'k1', wrap: away, unwrap: away }))).toMatch(/k1 cannot be used now.*ECONNREFUSED/)
    await open(key)
  })
})

describe('the key file beside the database', () => {
  const at = () => join(folder, 'new', 'vault.key')
  const opened = () => defaultKey({ path: at(), secrets: store.durable.secrets })

  it('is made once, for its owner alone, and is the same key from then on', async () => {
    const first = await opened()
    expect(first.id).toMatch(/^local-[0-9a-f]{12}$/)
    expect(statSync(at()).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(folder, 'new'))).toEqual(['vault.key'])
    const wrapped = await first.wrap(Buffer.alloc(32, 1), Buffer.from('x'))
    const again = await opened()
    expect(again.id).toBe(first.id)
    expect(await again.unwrap(wrapped, Buffer.from('x'))).toEqual(Buffer.alloc(32, 1))
  })

  it('is never written over', async () => {
    const first = await opened()
    makeKeyFile(at())
    expect((await opened()).id).toBe(first.id)
  })

  it('is not made again while the store holds secrets, and is when it holds none', async () => {
    await sealOne(await opened())
    const kept = readFileSync(at())
    rmSync(at())
    expect(await refusal(opened())).toMatch(/vault\.key is missing, and the store holds 1 sealed secret/)
    expect(existsSync(at())).toBe(false)
    writeFileSync(at(), kept, { mode: 0o600 })
    await open(await opened())
    await store.durable.secrets.remove(PLACE, { expected: undefined, at: 1 })
    rmSync(at())
    await open(await opened())
  })

  it('refuses another file in its place while the store holds secrets', async () => {
    await sealOne(await opened())
    writeFileSync(at(), `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
    expect(await refusal(opened().then((key) => open(key)))).toMatch(/lacks keys that secrets are sealed with: local-/)
  })

  it('refuses what is no key, and leaves it', async () => {
    await opened()
    for (const text of ['', 'not a key', randomBytes(31).toString('base64'), randomBytes(33).toString('base64')]) {
      writeFileSync(at(), text)
      expect(await refusal(opened())).toMatch(/holds no vault key.*left as it is/)
      expect(readFileSync(at(), 'utf8')).toBe(text)
    }
  })

  it('says where it cannot be made', async () => {
    writeFileSync(join(folder, 'new'), 'a file, not a folder')
    expect(await refusal(opened())).toMatch(/vault\.key cannot be (read|made) \((ENOTDIR|EEXIST)\)/)
  })
})
