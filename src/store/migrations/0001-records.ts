// The first schema of the audit record: on SQLite a file of its own, on PostgreSQL a table beside the others.
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { TextType } from './text.ts'

export const records = (text: TextType): Migration => ({
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('records')
      .addColumn('id', text, (column) => column.primaryKey())
      .addColumn('line', text, (column) => column.notNull())
      .execute()
  },
})
