// Runs the tables' statements on an SQLite connection; each is prepared once.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Act, Outcome, Sql, Value } from '../sql.ts'
import { storeFailure } from './failure.ts'
import { inTransaction } from './transaction.ts'

interface Prepared {
  readonly statement: StatementSync
  readonly answersRows: boolean
}

export function sqliteSql(database: DatabaseSync): Sql {
  const prepared = new Map<string, Prepared>()

  function prepare(text: string): Prepared {
    const known = prepared.get(text)
    if (known !== undefined) return known
    const statement = database.prepare(text)
    const made = { statement, answersRows: statement.columns().length > 0 }
    prepared.set(text, made)
    return made
  }

  function execute({ text, values }: Act): Outcome {
    const { statement, answersRows } = prepare(text)
    if (!answersRows) return { rows: [], changes: Number(statement.run(named(values)).changes) }
    const rows = statement.all(named(values))
    return { rows, changes: rows.length }
  }

  async function translated<T>(work: () => T): Promise<T> {
    try {
      return work()
    } catch (error) {
      throw storeFailure(error)
    }
  }

  return {
    run: (text, values) => translated(() => execute({ text, values })),
    together: (acts) => translated(() => inTransaction(database, () => acts.map(execute))),
  }
}

/** `$1` is a name to SQLite. */
function named(values: readonly Value[]): Record<string, Value> {
  const names: Record<string, Value> = {}
  for (const [index, value] of values.entries()) names[`$${index + 1}`] = value
  return names
}
