// The first schema: clients, families, people, keys, revocations, and what expires by itself.
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { TextType } from './text.ts'

// Times are milliseconds since the epoch, facts are 0 and 1, documents are JSON text: the same in both databases.
export const spine = (text: TextType): Migration => ({
  async up(db: Kysely<unknown>) {
    await epochs(db, text)
    await durable(db, text)
    await refreshTokens(db, text)
    await people(db, text)
    await ephemeral(db, text)
    await indexes(db)
  },
})

/** Counter rows: their lock puts one kind of act in a queue, and their number orders it. */
async function epochs(db: Kysely<unknown>, text: TextType): Promise<void> {
  await db.schema
    .createTable('epochs')
    .addColumn('name', text, (column) => column.primaryKey())
    .addColumn('n', 'bigint', (column) => column.notNull())
    .execute()
  const rows = ['revocations', 'administrators', 'keys', 'checks'].map((name) => ({ name, n: 0 }))
  await db.withTables<{ epochs: { name: string; n: number } }>().insertInto('epochs').values(rows).execute()
}

async function durable(db: Kysely<unknown>, text: TextType): Promise<void> {
  await db.schema
    .createTable('clients')
    .addColumn('id', text, (column) => column.primaryKey())
    .addColumn('metadata', text, (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('used_at', 'bigint')
    .execute()
  await db.schema
    .createTable('families')
    .addColumn('id', text, (column) => column.primaryKey())
    .addColumn('subject', text, (column) => column.notNull())
    .addColumn('client', text, (column) => column.notNull())
    .addColumn('payload', text, (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('keyring')
    .addColumn('id', text, (column) => column.primaryKey())
    .addColumn('key_use', text, (column) => column.notNull())
    .addColumn('material', text, (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('active_at', 'bigint', (column) => column.notNull())
    .addColumn('retire_at', 'bigint')
    .execute()
  await db.schema
    .createTable('revocations')
    .addColumn('kind', text, (column) => column.notNull())
    .addColumn('value', text, (column) => column.notNull())
    .addColumn('n', 'bigint', (column) => column.notNull().unique())
    .addColumn('revoked_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('revocations_key', ['kind', 'value'])
    .execute()
}

async function refreshTokens(db: Kysely<unknown>, text: TextType): Promise<void> {
  await db.schema
    .createTable('refresh_tokens')
    .addColumn('id_hash', text, (column) => column.primaryKey())
    .addColumn('family', text, (column) => column.notNull())
    .addColumn('family_secret', text, (column) => column.notNull())
    .addColumn('payload', text, (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addColumn('consumed_at', 'bigint')
    .addColumn('successor_hash', text)
    .execute()
}

async function people(db: Kysely<unknown>, text: TextType): Promise<void> {
  await db.schema
    .createTable('users')
    .addColumn('id', text, (column) => column.primaryKey())
    .addColumn('issuer', text, (column) => column.notNull())
    .addColumn('identity', text, (column) => column.notNull())
    .addColumn('email', text)
    .addColumn('email_verified', 'integer', (column) => column.notNull())
    .addColumn('name', text)
    .addColumn('groups', text, (column) => column.notNull())
    .addColumn('roles', text, (column) => column.notNull())
    .addColumn('teams', text, (column) => column.notNull())
    .addColumn('administrator', 'integer', (column) => column.notNull())
    .addColumn('disabled', 'integer', (column) => column.notNull())
    .addColumn('password_hash', text)
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addUniqueConstraint('users_identity', ['issuer', 'identity'])
    .execute()
  await db.schema
    .createTable('consents')
    .addColumn('subject', text, (column) => column.notNull())
    .addColumn('client', text, (column) => column.notNull())
    .addColumn('resource', text, (column) => column.notNull())
    .addColumn('redirect_uri', text, (column) => column.notNull())
    .addColumn('scopes', text, (column) => column.notNull())
    .addColumn('consented_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('consents_key', ['subject', 'client', 'resource', 'redirect_uri'])
    .execute()
}

async function ephemeral(db: Kysely<unknown>, text: TextType): Promise<void> {
  await db.schema
    .createTable('artifacts')
    .addColumn('kind', text, (column) => column.notNull())
    .addColumn('id_hash', text, (column) => column.notNull())
    .addColumn('uid', text)
    .addColumn('family', text)
    .addColumn('payload', text, (column) => column.notNull())
    .addColumn('consumed_at', 'bigint')
    .addColumn('expires_at', 'bigint')
    .addPrimaryKeyConstraint('artifacts_key', ['kind', 'id_hash'])
    .execute()
  await db.schema
    .createTable('tickets')
    .addColumn('kind', text, (column) => column.notNull())
    .addColumn('id_hash', text, (column) => column.notNull())
    .addColumn('payload', text, (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('tickets_key', ['kind', 'id_hash'])
    .execute()
  await db.schema
    .createTable('marks')
    .addColumn('mark', text, (column) => column.primaryKey())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('counters')
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('window_ms', 'bigint', (column) => column.notNull())
    .addColumn('hits', 'bigint', (column) => column.notNull())
    .addColumn('ends_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('counters_key', ['name', 'window_ms'])
    .execute()
}

/** One a question that is asked often: never a scan where rows pile up. */
const INDEXES = [
  ['clients', ['used_at', 'created_at']],
  ['families', ['expires_at']],
  ['keyring', ['key_use']],
  ['revocations', ['expires_at']],
  ['refresh_tokens', ['family']],
  ['refresh_tokens', ['expires_at']],
  ['users', ['administrator']],
  ['artifacts', ['kind', 'uid']],
  ['artifacts', ['family']],
  ['artifacts', ['expires_at']],
  ['tickets', ['expires_at']],
  ['marks', ['expires_at']],
  ['counters', ['ends_at']],
] as const

async function indexes(db: Kysely<unknown>): Promise<void> {
  for (const [table, columns] of INDEXES)
    await db.schema
      .createIndex(`${table}_by_${columns.join('_')}`)
      .on(table)
      .columns([...columns])
      .execute()
}
