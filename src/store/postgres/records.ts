// The audit record on PostgreSQL: a table, a batch a statement.
import type { Pool } from 'pg'
import type { RecordLine, RecordLog } from '../record-log.ts'
import { type Row, text } from '../row.ts'
import { storeFailure } from './failure.ts'

const INSERT = 'INSERT INTO records (id, line) SELECT * FROM unnest($1::text[], $2::text[])'
const APPEND = `${INSERT} ON CONFLICT (id) DO UPDATE SET line = excluded.line`
const RESTORE = `${INSERT} ON CONFLICT (id) DO NOTHING`
const READ = 'SELECT id, line FROM records WHERE id > $1 ORDER BY id LIMIT $2'
const NEWEST = 'SELECT id, line FROM records ORDER BY id DESC LIMIT $1'
const NEWEST_BEFORE = 'SELECT id, line FROM records WHERE id < $2 ORDER BY id DESC LIMIT $1'
const FIND = 'SELECT id, line FROM records WHERE id = $1'

export function postgresRecords(pool: Pool): RecordLog {
  const run = async (name: string, statement: string, values: unknown[]): Promise<Row[]> => {
    try {
      return (await pool.query<Record<string, unknown>>({ name, text: statement, values })).rows
    } catch (error) {
      throw storeFailure(error)
    }
  }
  const write = async (name: string, statement: string, lines: readonly RecordLine[]): Promise<void> => {
    if (lines.length === 0) return
    // Of two lines with one id the later stays; and two batches that share ids lock them in one order, never in a ring.
    const byId = new Map(lines.map(({ id, line }) => [id, line]))
    const ids = [...byId.keys()].sort()
    await run(name, statement, [ids, ids.map((id) => byId.get(id))])
  }
  return {
    append: (lines) => write('records_append', APPEND, lines),
    // The earlier of two lines with one id stays, as it does between batches.
    restore: (lines) => write('records_restore', RESTORE, lines.toReversed()),
    read: async (after, limit) => (await run('records_read', READ, [after, limit])).map(recordLine),
    newest: async (limit, before) => {
      const rows =
        before === undefined
          ? await run('records_newest', NEWEST, [limit])
          : await run('records_newest_before', NEWEST_BEFORE, [limit, before])
      return rows.map(recordLine).reverse()
    },
    find: async (id) => (await run('records_find', FIND, [id])).map(recordLine)[0],
    close: async () => undefined,
  }
}

const recordLine = (row: Row): RecordLine => ({ id: text(row, 'id'), line: text(row, 'line') })
