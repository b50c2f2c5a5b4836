// The audit record in an SQLite file: what may be done with it over one connection. Used by the worker that writes,
// by the thread that reads, and by tests in memory.
import type { DatabaseSync } from 'node:sqlite'
import type { RecordLine } from '../record-log.ts'
import { text } from '../row.ts'
import { inTransaction } from './transaction.ts'

const INSERT = 'INSERT INTO records (id, line) VALUES (?, ?)'
const APPEND = `${INSERT} ON CONFLICT (id) DO UPDATE SET line = excluded.line`
const RESTORE = `${INSERT} ON CONFLICT (id) DO NOTHING`
const READ = 'SELECT id, line FROM records WHERE id > ? ORDER BY id LIMIT ?'
const NEWEST = 'SELECT id, line FROM records ORDER BY id DESC LIMIT ?'
const FIND = 'SELECT id, line FROM records WHERE id = ?'

export interface RecordReader {
  read(after: string, limit: number): RecordLine[]
  newest(limit: number): RecordLine[]
  find(id: string): RecordLine | undefined
}

export interface RecordWriter {
  append(lines: readonly RecordLine[]): void
  restore(lines: readonly RecordLine[]): void
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
  const [append, restore] = [database.prepare(APPEND), database.prepare(RESTORE)]
  const writeAll = (statement: typeof append, lines: readonly RecordLine[]) =>
    inTransaction(database, () => {
      for (const { id, line } of lines) statement.run(id, line)
    })
  return {
    append: (lines) => writeAll(append, lines),
    restore: (lines) => writeAll(restore, lines),
    // Writes a page even where it changes nothing.
    check: () => database.exec('PRAGMA user_version = 1'),
  }
}

const recordLine = (row: Record<string, unknown>): RecordLine => ({ id: text(row, 'id'), line: text(row, 'line') })
