// The audit record on SQLite: a file of its own, because a file has one writer and a batch must not hold up a rotation.
import type { DatabaseSync } from 'node:sqlite'
import type { Worker } from 'node:worker_threads'
import type { RecordLine, RecordLog } from '../record-log.ts'
import { storeFailure } from './failure.ts'
import { recordReader, recordWriter } from './record-file.ts'
import { recordThread } from './record-thread.ts'

export interface CheckedRecordLog extends RecordLog {
  /** Resolves when an append would work. */
  check(): Promise<void>
}

interface Needs {
  /** For reading: a writer of the same file does not hold up a reader. */
  readonly database: DatabaseSync
  readonly path: string
  startThread(path: string): Worker
}

export function fileRecords({ database, path, startThread }: Needs): CheckedRecordLog {
  const thread = recordThread(() => startThread(path))
  return {
    ...reading(database),
    async append(lines) {
      if (lines.length > 0) await thread.write('append', lines)
    },
    async restore(lines) {
      if (lines.length > 0) await thread.write('restore', lines)
    },
    check: () => thread.check(),
    async close() {
      await thread.close()
      if (database.isOpen) database.close()
    },
  }
}

/** Without a file and without a thread. */
export function memoryRecords(database: DatabaseSync): CheckedRecordLog {
  const writer = recordWriter(database)
  return {
    ...reading(database),
    append: (lines) => translated(() => writer.append(flat(lines))),
    restore: (lines) => translated(() => writer.restore(flat(lines))),
    check: () => translated(() => writer.check()),
    async close() {
      if (database.isOpen) database.close()
    },
  }
}

const flat = (lines: readonly RecordLine[]): string[] => lines.flatMap(({ id, line }) => [id, line])

function reading(database: DatabaseSync): Pick<RecordLog, 'read' | 'newest' | 'find'> {
  const reader = recordReader(database)
  return {
    read: (after, limit) => translated(() => reader.read(after, limit)),
    newest: (limit) => translated(() => reader.newest(limit)),
    find: (id) => translated(() => reader.find(id)),
  }
}

async function translated<T>(work: () => T): Promise<T> {
  try {
    return work()
  } catch (error) {
    throw storeFailure(error)
  }
}
