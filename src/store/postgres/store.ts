// A store on PostgreSQL, for one replica or many.
import { Kysely, PostgresDialect } from 'kysely'
import { recordSchema, stateSchema } from '../migrations/list.ts'
import { migrate } from '../migrations/migrate.ts'
import { POSTGRES_TEXT } from '../migrations/text.ts'
import type { Store } from '../store.ts'
import { tables } from '../tables.ts'
import { openFailure, type Place } from './failure.ts'
import { openMigrationPool, openPool, parsePlace } from './pool.ts'
import { postgresRecords } from './records.ts'
import { refreshActs } from './refresh-tokens.ts'
import { postgresSql } from './sql.ts'

export async function openPostgres(url: string): Promise<Store> {
  await migratePostgres(url, parsePlace(url))
  const pool = openPool(url)
  const sql = postgresSql(pool)
  const { durable, ephemeral, check } = tables({ durable: sql, relaxed: sql, refreshActs })
  return {
    durable,
    ephemeral,
    records: postgresRecords(pool),
    check,
    async close() {
      if (!pool.ending) await pool.end()
    },
  }
}

async function migratePostgres(url: string, place: Place): Promise<void> {
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: openMigrationPool(url) }) })
  const where = `The database ${place.database} at ${place.host}:${place.port}`
  try {
    for (const schema of [stateSchema(POSTGRES_TEXT), recordSchema(POSTGRES_TEXT)])
      await migrate({ db, schema, place: where })
  } catch (error) {
    throw openFailure(error, place)
  } finally {
    await db.destroy()
  }
}
