// Migrations on SQLite: all of them in one transaction, which is also the lock between racing starts.
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import type { Schema } from '../migrations/list.ts'
import { migrate } from '../migrations/migrate.ts'
import { text } from '../row.ts'
import { isHeld } from './failure.ts'

// Milliseconds: how long, and how often, to ask while another start is migrating the same file.
const LOCK_TIMEOUT = 10_000
const LOCK_RETRY = 50

interface Needs {
  readonly database: DatabaseSync
  readonly schema: Schema
  readonly path: string
}

export async function migrateSqlite({ database, schema, path }: Needs): Promise<void> {
  await begin(database)
  try {
    await migrate({
      schema,
      place: `The database file ${path}`,
      execute: (statement) => database.exec(statement),
      names: (query) =>
        database
          .prepare(query)
          .all()
          .map((row) => text(row, 'name')),
    })
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** Waits without blocking the thread: the other start may be on it. */
async function begin(database: DatabaseSync): Promise<void> {
  for (let waited = 0; ; waited += LOCK_RETRY) {
    try {
      return database.exec('BEGIN IMMEDIATE')
    } catch (error) {
      if (!isHeld(error) || waited >= LOCK_TIMEOUT) throw error
    }
    await pause(LOCK_RETRY)
  }
}
