// The audit record in an SQLite file: what may be done with it over one connection. Used by the worker that writes,
// by the thread that reads, and by tests in memory.
import type { DatabaseSync } from 'node:sqlite'
import type { RecordLine } from '../record-log.ts'
import { text } from '../row.ts'
import { inTransaction } from './transaction.ts'

/** Rows of one statement: running it costs as much as writing a row. */
const ROWS = 25
const INSERT = 'INSERT INTO records (id, line) VALUES'
const APPEND = 'ON CONFLICT (id) DO UPDATE SET line = excluded.line'
const RESTORE = 'ON CONFLICT (id) DO NOTHING'
const READ = 'SELECT id, line FROM records WHERE id > ? ORDER BY id LIMIT ?'
const NEWEST = 'SELECT id, line FROM records ORDER BY id DESC LIMIT ?'
const FIND = 'SELECT id, line FROM records WHERE id = ?'

export interface RecordReader {
  read(after: string, limit: number): RecordLine[]
  newest(limit: number): RecordLine[]
  find(id: string): RecordLine | undefined
}

/** Takes ids and lines in turn. */
export interface RecordWriter {
  append(flat: readonly string[]): void
  restore(flat: readonly string[]): void
  check(): void
}

export function recordReader(database: DatabaseSync): RecordReader {
  const [read, newest, find] = [database.prepare(READ), database.prepare(NEWEST), database.prepare(FIND)]
  return {
    read: (after, limit) => read.all(after, limit).map(recordLine),
    newest: (limit) => newest.all(limit).map(recordLine).reverse(),
    find: (id) => find.all(id).map(recordLine)[0],
  }
}

export function recordWriter(database: DatabaseSync): RecordWriter {
  return {
    append: insertion(database, APPEND),
    restore: insertion(database, RESTORE),
    // Writes a page even where it changes nothing.
    check: () => database.exec('PRAGMA user_version = 1'),
  }
}

function insertion(database: DatabaseSync, onConflict: string): (flat: readonly string[]) => void {
  const prepare = (rows: number) => database.prepare(`${INSERT} ${Array(rows).fill('(?, ?)').join(', ')} ${onConflict}`)
  const [one, many] = [prepare(1), prepare(ROWS)]
  return (flat) =>
    inTransaction(database, () => {
      let at = 0
      for (; at + 2 * ROWS <= flat.length; at += 2 * ROWS) many.run(...flat.slice(at, at + 2 * ROWS))
      for (; at < flat.length; at += 2) one.run(...flat.slice(at, at + 2))
    })
}

const recordLine = (row: Record<string, unknown>): RecordLine => ({ id: text(row, 'id'), line: text(row, 'line') })
