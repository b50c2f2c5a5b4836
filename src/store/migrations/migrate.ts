// Brings a database to the schema this program knows, and refuses one that knows more than it does.
import { type Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { OperatorError } from '../../protocol/errors.ts'
import type { Schema } from './list.ts'

export async function migrate({ db, schema, place }: { db: Kysely<unknown>; schema: Schema; place: string }) {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...schema.migrations }) },
    migrationTableName: schema.table,
    migrationLockTableName: `${schema.table}_lock`,
  })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return
  await checkKnown({ db, schema, place, error })
  throw error
}

/** The migrator stops at a migration it does not know; to the operator that is a database of a later release. */
async function checkKnown(failed: { db: Kysely<unknown>; schema: Schema; place: string; error: unknown }) {
  const { db, schema, place, error } = failed
  const unknown = (await appliedMigrations(db, schema)).filter((name) => !Object.hasOwn(schema.migrations, name))
  if (unknown.length === 0) return
  throw new OperatorError(
    `${place} was written by a later release of Portcullis (its schema has ${unknown.join(', ')}, which this release ` +
      'does not know). Nothing was changed. Run the later release, or restore the backup made before it was installed.',
    { cause: error },
  )
}

async function appliedMigrations(db: Kysely<unknown>, schema: Schema): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some((table) => table.name === schema.table)) return []
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(schema.table)}`.execute(db)
  return rows.map((row) => row.name)
}
