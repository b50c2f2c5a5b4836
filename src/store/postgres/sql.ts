// Runs the tables' statements on PostgreSQL; each is prepared once on a connection, under its own name.
import type { Pool, QueryConfig, QueryResult } from 'pg'
import type { Act, Outcome, Sql } from '../sql.ts'
import { storeFailure } from './failure.ts'

export function postgresSql(pool: Pool): Sql {
  const names = new Map<string, string>()

  function prepared({ text, values }: Act): QueryConfig {
    const name = names.get(text) ?? `portcullis_${names.size}`
    names.set(text, name)
    return { name, text, values: [...values] }
  }

  async function transaction(acts: readonly Act[]): Promise<Outcome[]> {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      const outcomes: Outcome[] = []
      for (const act of acts) outcomes.push(outcome(await client.query(prepared(act))))
      await client.query('COMMIT')
      client.release()
      return outcomes
    } catch (error) {
      // Ends the connection, and with it the transaction, also where the server can no longer be told to.
      client.release(true)
      throw error
    }
  }

  async function translated<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw storeFailure(error)
    }
  }

  const single = async (act: Act): Promise<Outcome> => outcome(await pool.query(prepared(act)))
  return {
    run: (text, values) => translated(() => single({ text, values })),
    together: (acts) =>
      translated(async () => {
        const [only, ...others] = acts
        // One statement is a transaction of its own.
        return only !== undefined && others.length === 0 ? [await single(only)] : transaction(acts)
      }),
  }
}

const outcome = ({ rows, rowCount }: QueryResult<Record<string, unknown>>): Outcome => ({
  rows,
  changes: rowCount ?? 0,
})
