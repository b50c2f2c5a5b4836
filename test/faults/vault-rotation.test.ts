// Rotation of the vault's keys under kill -9: wherever it ends, every secret opens, and the next run goes on from there.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate as setTurn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { openVaultKeyring } from '../../src/vault/keyring.ts'
import { localKey } from '../../src/vault/kms/local.ts'
import { type OpenVault, openVault } from '../../src/vault/vault.ts'
import type { WrappingKey } from '../../src/vault/wrapping-key.ts'
import { type FreshDatabase, freshDatabase } from '../support/postgres.ts'

const KILLS = 20
const SECRETS = 400
/** Small, so that there are many moments between two commits. */
const BATCH = 2
/** Batches of one run that is killed: all of them together leave something to rotate. */
const MOST = 8

/** Rotates from the old key to the young one, slowly, and says after each batch how far it is. */
const CHILD = `
import { writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
const at = (path) => new URL(path, ${JSON.stringify(new URL('../../src/', import.meta.url).href)}).href
const { openStore } = await import(at('store/open.ts'))
const { openVaultKeyring } = await import(at('vault/keyring.ts'))
const { localKey } = await import(at('vault/kms/local.ts'))
const { rotateVault } = await import(at('vault/rotate.ts'))
const [, url, directory, old, young, most] = process.argv
const store = await openStore({ url, directory })
const { secrets } = store.durable
const key = (id, hex) => localKey(id, Buffer.from(hex, 'hex'))
const keyring = await openVaultKeyring({ keys: [key('young', young), key('old', old)], secrets, clock: Date.now })
let batches = 0
const slow = {
  ...secrets,
  async rewrap(changes) {
    await pause(batches++ < Number(most) ? Math.random() * 4 : 600_000)
    return secrets.rewrap(changes)
  },
}
const done = await rotateVault({ secrets: slow, keyring, batch: ${BATCH}, onProgress: ({ done }) => writeSync(1, done + '\\n') })
writeSync(1, 'end ' + done.unmoved.length + '\\n')
await store.close()
`

let child: ChildProcess | undefined
afterEach(() => child?.kill('SIGKILL'))

interface Place {
  readonly url: string
  readonly directory: string
}

const [old, young] = [randomBytes(32), randomBytes(32)]
const [oldKey, youngKey] = [localKey('old', old), localKey('young', young)]
const placeOf = (at: number) => ({ principal: `person-${at % 9}`, upstream: `server-${at}`, field: 'token' })

/** After so many batches it stands still: whoever kills it comes before its end, however slow this process is. */
function startRotation(
  { url, directory }: Place,
  most: number,
): ChildProcess & { stdout: NonNullable<ChildProcess['stdout']> } {
  const words = [
    '--input-type=module',
    '--eval',
    CHILD,
    '--',
    url,
    directory,
    old.toString('hex'),
    young.toString('hex'),
    String(most),
  ]
  return spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function withVault<Result>(
  place: Place,
  keys: readonly WrappingKey[],
  use: (vault: OpenVault, store: Store) => Promise<Result>,
): Promise<Result> {
  const store = await openStore(place)
  const { secrets } = store.durable
  const vault = await openVault({
    secrets,
    keyring: await openVaultKeyring({ keys, secrets, clock: Date.now }),
    clock: Date.now,
    tell: async ({ place: where, reason }) => {
      throw new Error(`${JSON.stringify(where)} does not open: ${reason}`)
    },
    onError: () => undefined,
  })
  try {
    return await use(vault, store)
  } finally {
    vault.close()
    await store.close()
  }
}

/** Kills it a random moment after a random batch; answers whether it got there before its end. */
async function killedSomewhere(place: Place): Promise<boolean> {
  const victim = startRotation(place, MOST)
  child = victim
  const after = Math.floor(Math.random() * 4)
  let lines = 0
  let ended = false
  for await (const line of createInterface({ input: victim.stdout })) {
    ended ||= line.startsWith('end')
    if (lines++ === after) setTimeout(() => victim.kill('SIGKILL'), Math.random() * 5)
  }
  return !ended
}

async function expectAll(
  place: Place,
  keys: readonly WrappingKey[],
  changed: ReadonlyMap<number, string>,
): Promise<number> {
  return withVault(place, keys, async (vault, { durable: { secrets } }) => {
    for (let at = 0; at < SECRETS; at++) {
      const opened = await vault.get(placeOf(at))
      expect(opened?.secret.toString()).toBe(changed.get(at) ?? `secret ${at}`)
    }
    return (await secrets.countByKey()).get('old') ?? 0
  })
}

/** How many secrets were read beside the rotation; each of them opened. */
async function readUntil(over: Promise<unknown>, place: Place, changed: ReadonlyMap<number, string>): Promise<number> {
  let ended = false
  over.then(() => {
    ended = true
  })
  return withVault(place, [youngKey, oldKey], async (vault) => {
    let read = 0
    for (; !ended; read++) {
      const at = read % SECRETS
      const opened = await vault.get(placeOf(at))
      expect(opened?.secret.toString()).toBe(changed.get(at) ?? `secret ${at}`)
      await setTurn()
    }
    return read
  })
}

async function survives(place: Place): Promise<void> {
  await withVault(place, [oldKey], async (vault) => {
    for (let at = 0; at < SECRETS; at++) await vault.put(placeOf(at), Buffer.from(`secret ${at}`))
  })
  const changed = new Map<number, string>()
  let left = SECRETS
  for (let kill = 0; kill < KILLS; kill++) {
    expect(await killedSomewhere(place)).toBe(true)
    const still = await expectAll(place, [youngKey, oldKey], changed)
    expect(still).toBeLessThanOrEqual(left)
    // Half done: the old key alone or the young one alone is refused, and both stay where they are.
    if (still < SECRETS) await expect(withVault(place, [oldKey], async () => undefined)).rejects.toThrow(/young/)
    await expect(withVault(place, [youngKey], async () => undefined)).rejects.toThrow(/old/)
    // A gate that has the old key first goes on between two runs.
    await withVault(place, [oldKey, youngKey], async (vault) => {
      const at = Math.floor(Math.random() * SECRETS)
      await vault.put(placeOf(at), Buffer.from(`changed ${kill}`))
      changed.set(at, `changed ${kill}`)
    })
    left = still + 1
  }
  const last = startRotation(place, SECRETS)
  child = last
  const said: string[] = []
  last.stdout.on('data', (chunk: Buffer) => said.push(chunk.toString()))
  const closed = once(last, 'close')
  const read = readUntil(closed, place, changed)
  const [code] = await closed
  expect([code, said.join('').trim().split('\n').at(-1)]).toEqual([0, 'end 0'])
  // R9: a gate goes on opening them meanwhile.
  expect(await read).toBeGreaterThan(0)
  expect(await expectAll(place, [youngKey], changed)).toBe(0)
}

describe(`G3, R9: ${KILLS} kills of a rotation lose nothing`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-rotation-'))
  let database: FreshDatabase
  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(async () => {
    await database?.drop()
    rmSync(directory, { recursive: true, force: true })
  })

  it('on SQLite', { timeout: 180_000 }, () =>
    survives({ url: `sqlite:${join(directory, 'portcullis.db')}`, directory }),
  )

  it('on PostgreSQL', { timeout: 180_000 }, () => survives({ url: database.url, directory }))
})
