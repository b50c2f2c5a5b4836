// A store on files: the state in an SQLite database, the audit record in a folder of its own.
import { join, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { OperatorError } from '../../protocol/errors.ts'
import { openRecords } from '../files/records.ts'
import { memoryRecords } from '../memory-records.ts'
import { type Schema, stateSchema } from '../migrations/list.ts'
import { SQLITE_TEXT } from '../migrations/text.ts'
import type { CheckedRecordLog } from '../record-log.ts'
import type { Store } from '../store.ts'
import { tables } from '../tables.ts'
import { createFile, MEMORY, openConnection } from './connection.ts'
import { openFailure } from './failure.ts'
import { migrateSqlite } from './migrate.ts'
import { refreshActs } from './refresh-tokens.ts'
import { sqliteSql } from './sql.ts'

export async function openSqlite({ path, directory }: { path: string; directory: string }): Promise<Store> {
  if (path === '') throw new OperatorError('store.url names no file. Write sqlite:./data/portcullis.db, for example.')
  if (path === MEMORY) return openMemory()
  const statePath = resolve(path)
  const records = await openRecords({ folder: resolve(join(directory, 'audit')), clock: Date.now })
  try {
    const durable = await openFile(statePath, stateSchema(SQLITE_TEXT))
    return sqliteStore({ durable, relaxed: openConnection(statePath, 'NORMAL'), records })
  } catch (error) {
    await records.close()
    throw error
  }
}

/** Gone with the process: for tests. */
async function openMemory(): Promise<Store> {
  const state = openConnection(MEMORY, 'NORMAL')
  await migrateSqlite({ database: state, schema: stateSchema(SQLITE_TEXT), path: MEMORY })
  return sqliteStore({ durable: state, relaxed: state, records: memoryRecords() })
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
    // A disk that says nothing is heeded where it is waited for.
    heedSilence: () => undefined,
    async close() {
      await records.close()
      for (const database of [relaxed, durable]) if (database.isOpen) database.close()
    },
  }
}
