// The audit record in memory: gone with the process, for tests.
import { StoreUnavailable } from '../protocol/errors.ts'
import type { CheckedRecordLog, RecordEntry, RecordLine } from './record-log.ts'

export function memoryRecords(): CheckedRecordLog {
  const lines = new Map<string, { readonly line: string; readonly ending?: string }>()
  let closed = false

  function whole(id: string): RecordLine | undefined {
    const { line, ending } = lines.get(id) ?? {}
    return line === undefined ? undefined : { id, line: ending === undefined ? line : line.slice(0, -1) + ending }
  }

  const ordered = (): RecordLine[] =>
    [...lines.keys()]
      .sort()
      .map(whole)
      .filter((line) => line !== undefined)

  function write(entries: readonly RecordEntry[]): void {
    if (closed) throw new StoreUnavailable('The store is closed.')
    for (const entry of entries) {
      const before = lines.get(entry.id)
      if ('line' in entry) lines.set(entry.id, { line: entry.line })
      else if ('shared' in entry) lines.set(entry.id, { line: entry.head + entry.shared })
      else if (before !== undefined) lines.set(entry.id, { line: before.line, ending: entry.ending })
    }
  }

  return {
    append: async (given) => write(given),
    restore: async (given) => {
      for (const line of given) if (!lines.has(line.id)) write([line])
    },
    read: async (after, limit) =>
      ordered()
        .filter(({ id }) => id > after)
        .slice(0, limit),
    newest: async (limit, before) =>
      limit > 0
        ? ordered()
            .filter(({ id }) => before === undefined || id < before)
            .slice(-limit)
        : [],
    find: async (id) => whole(id),
    check: async () => undefined,
    openJournal: () => ({ write, sync: async () => undefined, probe: () => undefined }),
    async close() {
      closed = true
    },
  }
}
