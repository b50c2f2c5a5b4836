// A journal over a disk that is full, broken, slow or hangs, for its tests.
import { expect } from 'vitest'
import { StoreUnavailable } from '../protocol/errors.ts'
import type { Journal, RecordEntry, RecordLine } from '../store/record-log.ts'
import { call } from './events.support.ts'
import { openJournal } from './journal.ts'

export const idOf = (number: number) => call(number).id
interface Disk {
  full: boolean
  broken: boolean
  /** What a sync waits for. */
  slow: Promise<void> | undefined
  syncing: number
  writes: number
  written: number
  synced: RecordEntry[]
  /** By id, as a reader puts them together. */
  events(entries?: readonly RecordEntry[]): Map<string, unknown>
  append(lines: readonly RecordLine[]): Promise<void>
  readonly journal: Journal
}

/** A disk behind a cache: what was written is lost with the power until it was synced. */
function startDisk(): Disk {
  let cached: RecordEntry[] = []
  let underway: RecordEntry[] = []
  const disk: Disk = {
    full: false,
    broken: false,
    slow: undefined,
    syncing: 0,
    writes: 0,
    written: 0,
    synced: [],
    events(entries = [...disk.synced, ...underway, ...cached]) {
      const lines = new Map<string, string>()
      const endings = new Map<string, string>()
      for (const entry of entries) {
        if ('ending' in entry) endings.set(entry.id, entry.ending)
        else {
          lines.set(entry.id, 'line' in entry ? entry.line : entry.head + entry.shared)
          endings.delete(entry.id)
        }
      }
      return new Map(
        [...lines].map(([id, line]) => [id, JSON.parse(line.slice(0, -1) + (endings.get(id) ?? '}'))] as const),
      )
    },
    async append(lines) {
      if (disk.full) throw new StoreUnavailable('The disk is full.')
      disk.synced.push(...lines)
    },
    journal: {
      write(entries) {
        if (entries.length === 0) return
        if (disk.full) throw new StoreUnavailable('The disk is full.')
        disk.writes += 1
        disk.written += entries.length
        for (const entry of entries) cached.push({ ...entry })
      },
      async sync() {
        underway = cached
        cached = []
        disk.syncing += 1
        await disk.slow
        disk.syncing -= 1
        const synced = underway
        underway = []
        if (disk.broken) throw new StoreUnavailable('The disk cannot be written.')
        disk.synced.push(...synced)
      },
      probe() {
        if (disk.full) throw new StoreUnavailable('The disk is full.')
      },
    },
  }
  return disk
}

export function open(over: Partial<Parameters<typeof openJournal>[0]> = {}) {
  const disk = startDisk()
  const printed: string[] = []
  const reported: string[] = []
  const recorder = openJournal({
    log: disk,
    journal: disk.journal,
    sink: ['store', 'stdout'],
    limit: 1024 ** 2,
    stdout: (line) => printed.push(line),
    report: (_, message) => reported.push(message),
    ...over,
  })
  return { recorder, disk, printed: () => printed.map((line) => JSON.parse(line)), reported }
}

export const REFUSED = expect.objectContaining({ status: 503, reason: 'audit_unavailable', retryAfter: 5 })
