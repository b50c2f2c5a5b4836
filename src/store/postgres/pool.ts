// Connections to PostgreSQL. They are made when needed, and made anew after the server was away.
import { Socket } from 'node:net'
import pg from 'pg'
import { OperatorError } from '../../protocol/errors.ts'
import type { Place } from './failure.ts'

// Milliseconds. The client's own limit is the longer one: it is for a server that no longer answers at all.
const CONNECT_TIMEOUT = 3_000
const STATEMENT_TIMEOUT = 5_000
const ANSWER_TIMEOUT = 7_000

export interface OpenPool {
  readonly pool: pg.Pool
  /** Rejects all that waits for an answer, and all that comes later. */
  cut(): void
}

export function openPool(url: string): OpenPool {
  const open = new Set<Socket>()
  const pool = quiet(
    new pg.Pool({
      ...common(url),
      max: 10,
      statement_timeout: STATEMENT_TIMEOUT,
      query_timeout: ANSWER_TIMEOUT,
      stream() {
        const socket = new Socket()
        open.add(socket)
        return socket.once('close', () => open.delete(socket))
      },
    }),
  )
  return {
    pool,
    cut() {
      // Ended in any case once nothing waits any more, which the rest sees to.
      if (!pool.ending) void pool.end()
      for (const socket of open) socket.destroy()
    },
  }
}

/** Without a limit on statements: a migration of a big table, or the wait for another replica's, takes its time. */
export const openMigrationPool = (url: string): pg.Pool => quiet(new pg.Pool({ ...common(url), max: 1 }))

export function parsePlace(url: string): Place {
  try {
    const { host, port, database, user } = new pg.Client({ connectionString: url })
    return { host, port, database: database ?? '', user: user ?? '' }
  } catch {
    // Without its cause: the parser's error repeats the address, and the password in it.
    throw new OperatorError('store.url is not a PostgreSQL address. Write postgres://USER:PASSWORD@HOST:5432/DATABASE')
  }
}

const common = (url: string): pg.PoolConfig => ({
  connectionString: url,
  connectionTimeoutMillis: CONNECT_TIMEOUT,
  keepAlive: true,
  application_name: 'portcullis',
  types: { getTypeParser },
})

// A connection that breaks says so in an event, which without a listener ends the process. Whoever used it is told by
// the rejection of the query; the pool has dropped it already.
function quiet(pool: pg.Pool): pg.Pool {
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/** BIGINT comes as text; ours are times and counts, all of them exact as a number. */
function parseBigint(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError('A stored number is too big to be exact.')
  return value
}

const getTypeParser: typeof pg.types.getTypeParser = (id: number, format?: 'text' | 'binary') =>
  id === pg.types.builtins.INT8 ? parseBigint : pg.types.getTypeParser(id, format)
