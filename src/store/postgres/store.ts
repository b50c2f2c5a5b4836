// A store on PostgreSQL, for one replica or many.
import { recordSchema, stateSchema } from '../migrations/list.ts'
import { migrate } from '../migrations/migrate.ts'
import { POSTGRES_TEXT } from '../migrations/text.ts'
import type { Store } from '../store.ts'
import { tables } from '../tables.ts'
import { openFailure, type Place } from './failure.ts'
import { openMigrationPool, openPool, parsePlace } from './pool.ts'
import { postgresRecords } from './records.ts'
import { refreshActs } from './refresh-tokens.ts'
import { isSilent } from './silence.ts'
import { postgresSql } from './sql.ts'

export async function openPostgres(url: string): Promise<Store> {
  await migratePostgres(url, parsePlace(url))
  const { pool, cut } = openPool(url)
  const closed = new AbortController()
  const sql = postgresSql(pool)
  const { durable, ephemeral, check } = tables({ durable: sql, relaxed: sql, refreshActs })
  return {
    durable,
    ephemeral,
    records: postgresRecords(pool),
    check,
    heedSilence() {
      void isSilent(url, closed.signal).then((silent) => silent && cut())
    },
    async close() {
      if (!pool.ending) await pool.end()
      closed.abort()
    },
  }
}

/** Any number that nobody else's program locks: starts that race queue up behind it. */
const MIGRATION_LOCK = 4_444_000_001

async function migratePostgres(url: string, place: Place): Promise<void> {
  const pool = openMigrationPool(url)
  try {
    const client = await pool.connect()
    try {
      await client.query('begin')
      await client.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
      for (const schema of [stateSchema(POSTGRES_TEXT), recordSchema(POSTGRES_TEXT)])
        await migrate({
          schema,
          place: `The database ${place.database} at ${place.host}:${place.port}`,
          execute: async (statement) => void (await client.query(statement)),
          names: async (query) => (await client.query<{ name: string }>(query)).rows.map(({ name }) => name),
        })
      await client.query('commit')
    } finally {
      // Not back into the pool: a transaction that failed ends with its connection.
      client.release(true)
    }
  } catch (error) {
    throw openFailure(error, place)
  } finally {
    await pool.end()
  }
}
