// Rows G1, G2 and G6 of the attack catalogue at the vault: who has the database has no secret, who changes it gets none opened, and no
// secret stands anywhere in clear, in whatever spelling.
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from 'vitest'
import type { ActEvent } from '../../src/audit/event.ts'
import { eventLine } from '../../src/audit/event-line.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createLog } from '../../src/observe/log.ts'
import type { KeyRecord } from '../../src/store/durable.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { KEY_USES, listKeys, newKey } from '../../src/tokens/keyring.ts'
import type { OpenVault } from '../../src/vault/vault.ts'
import { openGateVault, openOwnKeys } from '../../src/wiring/vault.ts'
import { runCommand, serve, startCommand, writeConfig } from '../support/cli.ts'
import { type KeyServices, startKeyServices } from '../support/kms.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** The bytes under which a secret could hide: itself, in hex, and in base64 at each of its three alignments. */
function spellingsOf(secret: Buffer): Buffer[] {
  const aligned = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), secret]).toString('base64')
    // Without the ends, which depend on what stands beside it.
    const sure = text.slice(4, Math.floor(text.length / 4) * 4 - 4)
    return [sure, sure.replaceAll('+', '-').replaceAll('/', '_')]
  })
  return [
    secret,
    ...[secret.toString('hex'), secret.toString('hex').toUpperCase(), ...aligned].map((text) => Buffer.from(text)),
  ]
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** `what: number of the secret` for every find. */
function finds(secrets: readonly Buffer[], searched: Readonly<Record<string, Buffer>>): string[] {
  return Object.entries(searched).flatMap(([what, bytes]) =>
    secrets.flatMap((secret, at) =>
      spellingsOf(secret).some((form) => bytes.includes(form)) ? [`${what}: ${at}`] : [],
    ),
  )
}

interface Opened {
  readonly vault: OpenVault
  readonly store: Store
  readonly log: string[]
}

/** The vault as the gate opens it, over the store that the configuration names, with its own record and log. */
async function openAsGate(configFile: string): Promise<Opened> {
  const { config } = await loadConfig({ flags: { config: configFile }, env: {}, cwd: '/' })
  const store = await openStore(config.store)
  cleanups.push(() => store.close())
  const log: string[] = []
  const needs = {
    store,
    clock: Date.now,
    log: createLog({ level: 'debug', destination: { write: (line) => void log.push(line) }, terminal: false }),
  }
  const act = (event: ActEvent) => store.records.append([{ id: event.id, line: eventLine(event) }])
  const vault = await openGateVault(config, needs, { act })
  cleanups.push(() => vault.close())
  return { vault, store, log }
}

const FORTY = Array.from({ length: 40 }, (_, at) =>
  at % 2 === 0 ? Buffer.from(`canary-${at}-${randomBytes(18).toString('base64url')}`) : randomBytes(30),
)
const placeOf = (at: number) => ({ principal: `person-${at % 5}`, upstream: `server-${at}`, field: 'token' })

describe('G6: forty secrets in the vault', () => {
  it('stand in no file, log, record or answer, in plain, base64 or hex', { timeout: 60_000 }, async () => {
    const place = await writeConfig({ log: { level: 'debug' } })
    const { folder, configFile } = place
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
    const keyFile = join(folder, 'next.key')
    writeFileSync(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 })
    const { vault, store, log } = await openAsGate(configFile)
    for (const [at, secret] of FORTY.entries()) {
      await vault.put(placeOf(at), Buffer.from('before'))
      await vault.put(placeOf(at), secret)
      expect((await vault.get(placeOf(at)))?.secret).toEqual(secret)
    }
    await vault.remove(placeOf(3))
    const database = new DatabaseSync(join(folder, 'data', 'portcullis.db'))
    cleanups.push(() => database.close())
    database.exec("UPDATE secrets SET version = version + 1, n = n + 1000 WHERE upstream = 'server-7'")
    await vault.poll()
    await expect(vault.get(placeOf(7))).rejects.toThrow()

    const local = (await vault.list('person-0'))[0]?.keyId ?? ''
    const keys = [
      { id: 'next', type: 'file', path: keyFile },
      { id: local, type: 'file', path: join(folder, 'data', 'vault.key') },
    ]
    const written = { ...(JSON.parse(readFileSync(configFile, 'utf8')) as object), vault: { keys } }
    writeFileSync(configFile, JSON.stringify(written))
    await openAsGate(configFile)
    const said: Record<string, Buffer> = {}
    for (const words of [
      ['keys', 'rotate', '--vault'],
      ['keys', 'list'],
      ['config', 'print'],
      ['audit', 'tail', '--no-follow'],
    ]) {
      const { stdout, stderr } = await runCommand([...words, '--config', configFile], { cwd: folder })
      said[words.join(' ')] = Buffer.from(stdout + stderr)
    }
    expect(String(said['keys rotate --vault'])).toMatch(/38 secrets moved.*1 secret did not open/s)
    expect(String(said['audit tail --no-follow'])).toMatch(/secret_unreadable/)

    const keyFiles = [keyFile, join(folder, 'data', 'vault.key')]
    const files = filesBelow(folder).filter((path) => !keyFiles.includes(path))
    expect(files.map((path) => path.slice(folder.length + 1))).toEqual(
      expect.arrayContaining(['data/portcullis.db', 'data/portcullis.db-wal', expect.stringMatching(/^data\/audit\//)]),
    )
    const searched = {
      ...said,
      ...Object.fromEntries(files.map((path) => [path, readFileSync(path)])),
      log: Buffer.from(log.join('')),
      metadata: Buffer.from(JSON.stringify([await vault.list('person-1'), await store.durable.secrets.keys()])),
    }
    expect(finds(FORTY, searched)).toEqual([])
    const held = keyFiles.map((path) => Buffer.from(readFileSync(path, 'utf8').trim(), 'base64'))
    expect(finds(held, searched)).toEqual([])
    // The search itself finds what is there.
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = FORTY
    const planted = {
      plain: Buffer.concat([Buffer.from('x'), first, Buffer.from('y')]),
      base64: Buffer.from(Buffer.concat([Buffer.from('{"a":"'), second]).toString('base64')),
      hex: Buffer.from(second.toString('hex')),
    }
    expect(finds([first, second], planted)).toEqual(['plain: 0', 'base64: 1', 'hex: 1'])
  })
})

describe('G2: the database without a key', () => {
  async function withTransit(): Promise<{ services: KeyServices; configFile: string; folder: string }> {
    const services = await startKeyServices()
    cleanups.push(() => services.close())
    const transit = { type: 'vault-transit', url: services.url, key: 'portcullis', token: 'transit-token' } as const
    const place = await writeConfig({ vault: { keys: [{ id: 'kms', ...transit }] } })
    cleanups.push(() => rmSync(place.folder, { recursive: true, force: true }))
    return { services, ...place }
  }

  it('opens nothing once the key service lost its key, and starts no gate over it', async () => {
    const { services, configFile, folder } = await withTransit()
    const { vault, log } = await openAsGate(configFile)
    for (let at = 0; at < 10; at++) await vault.put(placeOf(at), FORTY[at] ?? Buffer.alloc(0))
    expect((await vault.get(placeOf(0)))?.secret).toEqual(FORTY[0])
    services.replaceKey()
    for (let at = 1; at < 10; at++)
      await expect(vault.get(placeOf(at))).rejects.toMatchObject({ reason: 'secret_altered' })
    expect(log.filter((line) => line.includes('does not open'))).toHaveLength(9)
    const files = filesBelow(folder).filter((path) => path !== configFile)
    const before = new DatabaseSync(join(folder, 'data', 'portcullis.db')).prepare('SELECT * FROM secrets').all()
    const ended = await runCommand(['serve', '--config', configFile], { cwd: folder })
    expect(ended.code).toBeGreaterThan(0)
    expect(ended.stderr).toMatch(/vault\.keys: kms is not the key it was.*Nothing was changed/s)
    expect(new DatabaseSync(join(folder, 'data', 'portcullis.db')).prepare('SELECT * FROM secrets').all()).toEqual(
      before,
    )
    expect(finds(FORTY, Object.fromEntries(files.map((path) => [path, readFileSync(path)])))).toEqual([])
  })

  it('starts no gate while the key service is away, and says so', async () => {
    const { services, configFile, folder } = await withTransit()
    await openAsGate(configFile)
    services.down = true
    const ended = await runCommand(['serve', '--config', configFile], { cwd: folder })
    expect(ended.code).toBeGreaterThan(0)
    expect(ended.stderr).toMatch(/vault\.keys: kms cannot be used now \(the transit engine answered 503: sealed\)/)
    expect(ended.stderr).not.toContain('transit-token')
  })

  it('names the package that a key service needs', async () => {
    const place = await writeConfig({ vault: { keys: [{ id: 'aws', type: 'aws-kms', key: 'alias/portcullis' }] } })
    cleanups.push(() => rmSync(place.folder, { recursive: true, force: true }))
    const ended = await runCommand(['serve', '--config', place.configFile], { cwd: place.folder })
    expect(ended.code).toBeGreaterThan(0)
    expect(ended.stderr).toContain('aws needs the package @aws-sdk/client-kms, which is not installed')
    expect(ended.stderr).not.toMatch(/^\s+at /m)
  })
})

describe('G1: a secret moved in the database', () => {
  it('stays closed, and is in the record with whose it was', async () => {
    const { folder, configFile } = await writeConfig({})
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
    const { vault, store, log } = await openAsGate(configFile)
    const [ann, eve] = [placeOf(0), { ...placeOf(0), principal: 'eve' }]
    await vault.put(ann, Buffer.from('the token of ann'))
    await vault.put(eve, Buffer.from('the token of eve'))
    const database = new DatabaseSync(join(folder, 'data', 'portcullis.db'))
    cleanups.push(() => database.close())
    const columns = 'version, key_id, wrapped_key, sealed'
    database.exec(
      `UPDATE secrets SET (${columns}) = (SELECT ${columns} FROM secrets WHERE principal = 'person-0') WHERE principal = 'eve'`,
    )
    await expect(vault.get(eve)).rejects.toMatchObject({ reason: expect.stringMatching(/secret_(altered|replayed)/) })
    expect((await vault.get(ann))?.secret.toString()).toBe('the token of ann')
    const [event] = (await store.records.newest(10)).map(({ line }) => JSON.parse(line) as Record<string, unknown>)
    const about = { act: 'secret_unreadable', decision: 'deny', subject: 'eve', name: 'server-0/token' }
    expect(event).toMatchObject({ kind: 'act', ...about })
    expect(log.join('')).toContain('a secret of the vault does not open')
  })
})

describe('G6: the gate’s own keys', () => {
  const filesOf = (folder: string) =>
    Object.fromEntries(
      filesBelow(folder)
        .filter((path) => !path.endsWith('vault.key'))
        .map((path) => [path, readFileSync(path)]),
    )

  /** What an attacker would look for: the private number of a signing key, the others as they are. */
  const secretsOf = (records: readonly KeyRecord[]): Buffer[] =>
    records.map(({ use, material }) =>
      Buffer.from(use === 'signing' ? String((JSON.parse(material) as { d: string }).d) : material, 'base64url'),
    )

  async function ownKeys(configFile: string): Promise<KeyRecord[]> {
    const { store, vault } = await openAsGate(configFile)
    const { config } = await loadConfig({ flags: { config: configFile }, env: {}, cwd: '/' })
    const keys = await openOwnKeys(config, store.durable.keys, vault)
    return listKeys(keys)
  }

  it('stand in no file of a gate that was just started', { timeout: 60_000 }, async () => {
    const served = await serve({})
    cleanups.push(() => served.close())
    const running = filesOf(served.folder)
    await served.stop()
    const records = await ownKeys(served.configFile)
    expect(records).toHaveLength(5)
    expect(finds(secretsOf(records), running)).toEqual([])
    expect(finds(secretsOf(records), filesOf(served.folder))).toEqual([])
  })

  it('of an earlier version are sealed at the start, stay the same, and serve the command line too', {
    timeout: 60_000,
  }, async () => {
    const { folder, configFile, storeUrl } = await writeConfig({})
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
    const before = await openStore({ url: storeUrl, directory: join(folder, 'data') })
    const made = KEY_USES.map((use) => newKey(use, Date.now(), Date.now()))
    for (const key of made) await before.durable.keys.add(key)
    await before.close()
    expect(finds(secretsOf(made), filesOf(folder))).not.toEqual([])
    const run = (...words: string[]) => runCommand([...words, '--config', configFile], { cwd: folder })
    expect((await run('tokens', 'create', 'nightly', '--service', 'ci')).code).toBe(0)
    expect(await ownKeys(configFile)).toEqual(made)
    const rotated = await run('keys', 'rotate')
    expect([rotated.code, rotated.stderr]).toEqual([0, expect.stringMatching(/New signing key/)])
    const database = new DatabaseSync(join(folder, 'data', 'portcullis.db'))
    cleanups.push(() => database.close())
    expect(database.prepare('SELECT DISTINCT material FROM keyring').all()).toEqual([{ material: 'vault:' }])
    // What was written over is in free parts of the file until it is written anew.
    database.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)')
    expect(finds(secretsOf(await ownKeys(configFile)), filesOf(folder))).toEqual([])
  })
})

describe('G2: the key file of a gate that was told of no key', () => {
  it('is made at the first start, and once lost is not made again while secrets need it', {
    timeout: 60_000,
  }, async () => {
    const served = await serve({})
    cleanups.push(() => served.close())
    const keyFile = join(served.folder, 'data', 'vault.key')
    const key = readFileSync(keyFile)
    await served.stop()
    const { vault } = await openAsGate(served.configFile)
    await vault.put(placeOf(1), Buffer.from('secret'))
    const start = () => runCommand(['serve', '--config', served.configFile], { cwd: served.folder })

    rmSync(keyFile)
    const missing = await start()
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringMatching(/vault\.key is missing.*6 sealed secrets.*Restore/s),
    ])
    expect(filesBelow(served.folder)).not.toContain(keyFile)

    writeFileSync(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 })
    const wrong = await start()
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/vault\.keys lacks keys.*local-/s)])

    writeFileSync(keyFile, key, { mode: 0o600 })
    const again = await openAsGate(served.configFile)
    expect((await again.vault.get(placeOf(1)))?.secret.toString()).toBe('secret')
  })

  it('is done without when it is lost for good, as the guide says', { timeout: 60_000 }, async () => {
    const served = await serve({})
    cleanups.push(() => served.close())
    await served.stop()
    rmSync(join(served.folder, 'data', 'vault.key'))
    const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/vault.md'), 'utf8')
    const [, statements = ''] = /sqlite3 data\/portcullis\.db "(DELETE [^"]+)"/.exec(guide) ?? []
    const database = new DatabaseSync(join(served.folder, 'data', 'portcullis.db'))
    database.exec(statements)
    database.close()
    const again = startCommand(['serve', '--config', served.configFile], { cwd: served.folder })
    cleanups.push(() => again.stop())
    await again.says(/ready|listening/i)
    expect((await fetch(`${served.url}/ready`)).status).toBe(200)
  })
})
