// Brings a database to the schema this program knows, and refuses one that knows more than it does. The caller has opened a
// transaction that no other start shares, and commits it: either every statement counts or none.
import { OperatorError } from '../../protocol/errors.ts'
import type { Schema } from './list.ts'

export interface Migrating {
  readonly schema: Schema
  /** The database in words. */
  readonly place: string
  execute(statement: string): Promise<void> | void
  names(query: string): Promise<string[]> | string[]
}

export async function migrate({ schema, place, execute, names }: Migrating): Promise<void> {
  const { table, migrations } = schema
  await execute(`create table if not exists ${table} (name text primary key, timestamp text not null)`)
  const applied = await names(`select name from ${table}`)
  checkKnown(applied, { schema, place })
  for (const name of Object.keys(migrations).sort()) {
    if (applied.includes(name)) continue
    for (const statement of migrations[name] ?? []) await execute(statement)
    // Names are ours, of letters, digits and dashes; the time is for people.
    await execute(`insert into ${table} (name, timestamp) values ('${name}', '${new Date().toISOString()}')`)
  }
}

function checkKnown(applied: readonly string[], { schema, place }: Pick<Migrating, 'schema' | 'place'>): void {
  const unknown = applied.filter((name) => !Object.hasOwn(schema.migrations, name))
  if (unknown.length === 0) return
  throw new OperatorError(
    `${place} was written by a later release of Portcullis (its schema has ${unknown.join(', ')}, which this release ` +
      'does not know). Nothing was changed. Run the later release, or restore the backup made before it was installed.',
  )
}
