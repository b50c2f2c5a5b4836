// The thread that writes the audit record: its death, its full disk, and a reader in another process.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreUnavailable } from '../../protocol/errors.ts'
import { recordSchema } from '../migrations/list.ts'
import { SQLITE_TEXT } from '../migrations/text.ts'
import { openConnection } from './connection.ts'
import { migrateSqlite } from './migrate.ts'
import { startThread } from './record-thread.ts'
import { type CheckedRecordLog, fileRecords } from './records.ts'

let directory: string
let path: string
let records: CheckedRecordLog
const threads: Worker[] = []

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-records-'))
  path = join(directory, 'audit.db')
  const database = openConnection(path, 'FULL')
  await migrateSqlite({ database, schema: recordSchema(SQLITE_TEXT), path })
  threads.length = 0
  const startAndKeep = (file: string) => {
    const thread = startThread(file)
    threads.push(thread)
    return thread
  }
  records = fileRecords({ database, path, startThread: startAndKeep })
})
afterEach(async () => {
  await records.close()
  rmSync(directory, { recursive: true })
})

describe('the record thread', () => {
  it('starts with the first write, and is one', async () => {
    expect(threads).toHaveLength(0)
    await Promise.all(['a', 'b', 'c'].map((id) => records.append([{ id, line: id }])))
    expect(threads).toHaveLength(1)
    expect(await records.read('', 9)).toHaveLength(3)
  })

  it('fails what it had not answered when it is killed, and the next write starts another', async () => {
    await records.append([{ id: 'a', line: 'a' }])
    // Somebody else's lock keeps it from answering until it is killed.
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const failing = records.append([{ id: 'b', line: 'b' }])
    const refused = expect(failing).rejects.toThrow(StoreUnavailable)
    const killed = threads[0]?.terminate()
    await refused
    await killed
    other.exec('ROLLBACK')
    other.close()
    await records.append([{ id: 'b', line: 'again' }])
    expect(threads).toHaveLength(2)
    expect(await records.read('', 9)).toEqual([
      { id: 'a', line: 'a' },
      { id: 'b', line: 'again' },
    ])
  })

  it('is unavailable when it cannot even start', async () => {
    const database = new DatabaseSync(path)
    const broken = fileRecords({ database, path, startThread: () => startThread(join(directory, 'none', 'audit.db')) })
    await expect(broken.append([{ id: 'a', line: 'a' }])).rejects.toThrow(StoreUnavailable)
    await broken.close()
  })

  it('says that a batch was not written, and writes the next', async () => {
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    await expect(records.append([{ id: 'a', line: 'a' }])).rejects.toThrow('another process holds the database')
    await expect(records.check()).rejects.toThrow(StoreUnavailable)
    other.exec('ROLLBACK')
    other.close()
    expect(await records.find('a')).toBeUndefined()
    await records.append([{ id: 'a', line: 'a' }])
    await records.check()
    expect(await records.find('a')).toEqual({ id: 'a', line: 'a' })
  })

  it('carries out what it was given before the close', async () => {
    const given = records.append([{ id: 'a', line: 'a' }])
    await records.close()
    await given
    const reader = new DatabaseSync(path, { readOnly: true })
    expect(reader.prepare('SELECT line FROM records').all()).toHaveLength(1)
    reader.close()
    await expect(records.append([{ id: 'b', line: 'b' }])).rejects.toThrow(StoreUnavailable)
  })

  it('is read by others while it writes', async () => {
    const reader = new DatabaseSync(path, { readOnly: true })
    await records.append([{ id: 'a', line: 'a' }])
    expect(reader.prepare('SELECT line FROM records').all()).toHaveLength(1)
    await records.append([{ id: 'b', line: 'b' }])
    expect(reader.prepare('SELECT line FROM records').all()).toHaveLength(2)
    reader.close()
  })
})
