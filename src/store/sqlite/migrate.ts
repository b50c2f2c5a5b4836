// Migrations on SQLite: all of them in one transaction, which is also the lock between racing starts.
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { Kysely, SqliteDialect } from 'kysely'
import type { Schema } from '../migrations/list.ts'
import { migrate } from '../migrations/migrate.ts'
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
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: driver(database) }) })
  await begin(database)
  try {
    await migrate({ db, schema, place: `The database file ${path}` })
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

/** The part of better-sqlite3 that kysely asks for. */
const driver = (database: DatabaseSync) => ({
  prepare(text: string) {
    const statement = database.prepare(text)
    return {
      reader: statement.columns().length > 0,
      all: (values: readonly unknown[]) => statement.all(...values.map(parseInput)),
      run: (values: readonly unknown[]) => statement.run(...values.map(parseInput)),
      iterate: (values: readonly unknown[]) => statement.iterate(...values.map(parseInput)),
    }
  },
  // The connection is not kysely's.
  close: () => undefined,
})

function parseInput(value: unknown): string | number | null {
  if (typeof value === 'string' || typeof value === 'number' || value === null) return value
  throw new TypeError(`A migration wrote a value of type ${typeof value}.`)
}
