// A store on SQLite files: the state in one, the audit record in another.
import { join, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { OperatorError } from '../../protocol/errors.ts'
import { recordSchema, type Schema, stateSchema } from '../migrations/list.ts'
import { SQLITE_TEXT } from '../migrations/text.ts'
import type { Store } from '../store.ts'
import { tables } from '../tables.ts'
import { createFile, MEMORY, openConnection } from './connection.ts'
import { openFailure } from './failure.ts'
import { migrateSqlite } from './migrate.ts'
import { startThread } from './record-thread.ts'
import { type CheckedRecordLog, fileRecords, memoryRecords } from './records.ts'
import { refreshActs } from './refresh-tokens.ts'
import { sqliteSql } from './sql.ts'

export async function openSqlite({ path, directory }: { path: string; directory: string }): Promise<Store> {
  if (path === '') throw new OperatorError('store.url names no file. Write sqlite:./data/portcullis.db, for example.')
  if (path === MEMORY) return openMemory()
  const statePath = resolve(path)
  const recordPath = resolve(join(directory, 'audit.db'))
  const audit = await openFile(recordPath, recordSchema(SQLITE_TEXT))
  try {
    const durable = await openFile(statePath, stateSchema(SQLITE_TEXT))
    const relaxed = openConnection(statePath, 'NORMAL')
    const records = fileRecords({ database: audit, path: recordPath, startThread })
    return sqliteStore({ durable, relaxed, records })
  } catch (error) {
    audit.close()
    throw error
  }
}

/** Gone with the process, and without a thread: for tests. */
async function openMemory(): Promise<Store> {
  const [state, audit] = [openConnection(MEMORY, 'NORMAL'), openConnection(MEMORY, 'NORMAL')]
  await migrateSqlite({ database: state, schema: stateSchema(SQLITE_TEXT), path: MEMORY })
  await migrateSqlite({ database: audit, schema: recordSchema(SQLITE_TEXT), path: MEMORY })
  return sqliteStore({ durable: state, relaxed: state, records: memoryRecords(audit) })
}

async function openFile(path: string, schema: Schema): Promise<DatabaseSync> {
  let database: DatabaseSync | undefined
  try {
    createFile(path)
    database = openConnection(path, 'FULL')
    await migrateSqlite({ database, schema, path })
    return database
  } catch (error) {
    database?.close()
    throw openFailure(error, path)
  }
}

interface Parts {
  readonly durable: DatabaseSync
  readonly relaxed: DatabaseSync
  readonly records: CheckedRecordLog
}

export function sqliteStore({ durable, relaxed, records }: Parts): Store {
  const full = sqliteSql(durable)
  const state = tables({ durable: full, relaxed: relaxed === durable ? full : sqliteSql(relaxed), refreshActs })
  return {
    durable: state.durable,
    ephemeral: state.ephemeral,
    records,
    async check() {
      await state.check()
      await records.check()
    },
    async close() {
      await records.close()
      for (const database of [relaxed, durable]) if (database.isOpen) database.close()
    },
  }
}
