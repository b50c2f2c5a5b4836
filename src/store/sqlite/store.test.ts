// What an operator meets at the start of a store on files, and what a caller meets when the disk or the lock fails.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OperatorError, StoreUnavailable } from '../../protocol/errors.ts'
import { memoryRecords } from '../memory-records.ts'
import { openConnection } from './connection.ts'
import { openSqlite, sqliteStore } from './store.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-sqlite-'))
  path = join(directory, 'state', 'portcullis.db')
})
afterEach(() => rmSync(directory, { recursive: true }))

const client = (id: string, bytes = 0) => ({ id, metadata: { filler: 'x'.repeat(bytes) }, createdAt: 1 })

async function failureOfOpening(): Promise<string> {
  const failure = await openSqlite({ path, directory }).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(OperatorError)
  return failure instanceof Error ? failure.message : ''
}

describe('opening SQLite files', () => {
  it('makes folders and files that only their owner can read', async () => {
    const store = await openSqlite({ path, directory: join(directory, 'records') })
    await store.durable.clients.save(client('a'))
    const mode = (name: string) => statSync(join(directory, name)).mode & 0o777
    expect(['state', 'records', 'records/audit'].map(mode)).toEqual([0o700, 0o700, 0o700])
    await store.records.append([{ id: 'a', line: 'a' }])
    const segments = readdirSync(join(directory, 'records/audit')).map((name) => `records/audit/${name}`)
    expect(segments).toHaveLength(1)
    const files = ['state/portcullis.db', 'state/portcullis.db-wal', ...segments]
    expect(files.map(mode)).toEqual([0o600, 0o600, 0o600])
    await store.close()
  })

  it('finds after a start what was written before', async () => {
    const before = await openSqlite({ path, directory })
    await before.durable.clients.save(client('a'))
    await before.close()
    await before.close()
    const after = await openSqlite({ path, directory })
    expect((await after.durable.clients.find('a'))?.id).toBe('a')
    await after.close()
  })

  it('refuses a file that is no database, and leaves it as it is', async () => {
    mkdirSync(join(directory, 'state'))
    const bytes = Buffer.from('this is the diary of somebody else\n'.repeat(500))
    writeFileSync(path, bytes)
    expect(await failureOfOpening()).toContain(
      `${path} is damaged, or is not an SQLite database. It was left as it is.`,
    )
    expect(readFileSync(path).equals(bytes)).toBe(true)
  })

  it('refuses a database that is cut off, and leaves it as it is', async () => {
    await (await openSqlite({ path, directory })).close()
    truncateSync(path, 8192)
    const bytes = readFileSync(path)
    expect(await failureOfOpening()).toContain('is damaged')
    expect(readFileSync(path).equals(bytes)).toBe(true)
  })

  it('refuses a state of a later release, and changes nothing', async () => {
    await (await openSqlite({ path, directory })).close()
    const database = new DatabaseSync(path)
    database.exec(`INSERT INTO state_migrations (name, timestamp) VALUES ('0099-future', '2030-01-01')`)
    database.close()
    const message = await failureOfOpening()
    expect(message).toContain(path)
    expect(message).toContain('written by a later release of Portcullis (its schema has 0099-future')
  })

  it('says which folder it cannot make', async () => {
    writeFileSync(join(directory, 'state'), 'a file where a folder should be')
    expect(await failureOfOpening()).toMatch(/portcullis\.db cannot be opened for writing \((ENOTDIR|EEXIST)\)/)
  })

  it('asks for the name of a file', async () => {
    await expect(openSqlite({ path: '', directory })).rejects.toThrow(OperatorError)
  })

  it('lets two starts make one new file', async () => {
    const [one, two] = await Promise.all([openSqlite({ path, directory }), openSqlite({ path, directory })])
    await one.durable.clients.save(client('a'))
    expect(await two.durable.clients.count()).toBe(1)
    await Promise.all([one.close(), two.close()])
  })
})

describe('writes that fail', () => {
  it('are unavailable while the disk is full, half done never, and work again after', async () => {
    await (await openSqlite({ path, directory })).close()
    const durable = openConnection(path, 'FULL')
    const store = sqliteStore({ durable, relaxed: durable, records: memoryRecords() })
    await store.durable.families.save({ id: 'f', subject: 's', client: 'c', payload: {}, expiresAt: 9 })
    const old = { idHash: 'old', family: 'f', familySecret: 's', payload: {}, expiresAt: 9 }
    await store.durable.refreshTokens.add(old)
    const rotation = {
      oldHash: 'old',
      next: { ...old, idHash: 'next', payload: { filler: 'x'.repeat(100_000) } },
      now: 1,
      windowStart: 0,
    }

    durable.exec('PRAGMA max_page_count = 1')
    await expect(store.durable.clients.save(client('big', 100_000))).rejects.toThrow(StoreUnavailable)
    await expect(store.durable.refreshTokens.rotate(rotation)).rejects.toThrow('the disk is full')
    expect((await store.durable.refreshTokens.find('old', 1))?.consumedAt).toBeUndefined()

    durable.exec('PRAGMA max_page_count = 100000')
    expect(await store.durable.refreshTokens.rotate(rotation)).toEqual({ status: 'rotated' })
    await store.durable.clients.save(client('big', 100_000))
    await store.check()
    await store.close()
  })

  it('are unavailable while another process holds the lock, and work again after', async () => {
    const store = await openSqlite({ path, directory })
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    await expect(store.durable.clients.save(client('a'))).rejects.toThrow(StoreUnavailable)
    await expect(store.durable.revocations.add({ kind: 'jti', value: 'x', at: 1, expiresAt: 2 })).rejects.toThrow(
      StoreUnavailable,
    )
    await expect(store.check()).rejects.toThrow('another process holds the database')
    expect(await store.durable.clients.find('a')).toBeUndefined()
    other.exec('ROLLBACK')
    await store.durable.clients.save(client('a'))
    await store.check()
    other.close()
    await store.close()
  })

  it('are unavailable after the store was closed', async () => {
    const store = await openSqlite({ path, directory })
    await store.close()
    await expect(store.durable.clients.save(client('a'))).rejects.toThrow(StoreUnavailable)
    await expect(store.records.append([{ id: 'a', line: '' }])).rejects.toThrow(StoreUnavailable)
  })

  it('stay the bug that they are when the statement is at fault', async () => {
    const store = await openSqlite({ path, directory })
    const key = { id: 'k', use: 'seal' as const, material: '', createdAt: 1, activeAt: 1, retireAt: undefined }
    await store.durable.keys.add(key)
    const failure = await store.durable.keys.add(key).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Error)
    expect(failure).not.toBeInstanceOf(StoreUnavailable)
    await store.close()
  })
})
