// Writes the record into segments: what is new into one, what comes late (the outcome of a call that took long, what a crash had left)
// into another, so that the ids of the first lie close together and a reader of a few minutes opens few files.
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../protocol/clock.ts'
import { StoreUnavailable } from '../../protocol/errors.ts'
import { inTime } from '../../protocol/in-time.ts'
import { leastIdOf } from '../../protocol/moment-id.ts'
import type { CheckedRecordLog, Journal, RecordEntry } from '../record-log.ts'
import type { syncFile } from './disk.ts'
import { diskFailure } from './failure.ts'
import { Segment } from './segment.ts'
import { nextStamp } from './stamped-line.ts'

const LARGEST = 8 * 1024 ** 2
/** Milliseconds that a segment is added to. */
export const LONGEST = 60 * 60 * 1000
/** Milliseconds after its id's own time, which is when the request came. */
const LATE = 5000
/** Milliseconds for the disk at the end. Whoever still waits for it has been promised nothing. */
const LONGEST_CLOSE = 1000

export type RecordWriter = Required<Pick<CheckedRecordLog, 'append' | 'restore' | 'check' | 'close' | 'openJournal'>>

interface Needs {
  readonly folder: string
  readonly sync: typeof syncFile
  readonly clock: Clock
}

type Kind = 'fresh' | 'late'

export function recordWriter({ folder, sync, clock }: Needs): RecordWriter {
  const open = new Map<Kind, Segment>()
  /** They take no more; somebody may still wait for the disk. */
  let full: Segment[] = []
  let closed = false
  /** Ids before it come late; as of that moment. */
  let since = ''
  let looked = 0

  function write(kind: Kind, entries: readonly RecordEntry[], stamp: number): Segment {
    if (closed) throw new StoreUnavailable('The store is closed.')
    try {
      const segment = segmentFor(kind)
      segment.write(entries, stamp)
      return segment
    } catch (error) {
      leave(kind)
      throw diskFailure(error)
    }
  }

  function segmentFor(kind: Kind): Segment {
    const before = open.get(kind)
    const now = clock()
    if (before !== undefined && before.bytes < LARGEST && Math.abs(now - before.begun) < LONGEST) return before
    leave(kind)
    const segment = new Segment({ folder, writer: randomBytes(4).toString('hex'), begun: now, sync })
    open.set(kind, segment)
    return segment
  }

  function leave(kind: Kind): void {
    const segment = open.get(kind)
    if (segment === undefined) return
    open.delete(kind)
    full = [...full.filter(({ isClosed }) => !isClosed), segment]
    segment.end()
  }

  async function waitFor(segment: Segment): Promise<void> {
    try {
      await segment.sync()
    } catch (error) {
      // Nobody knows what of it the disk has: its lines come again, in another file.
      for (const [kind, one] of open) if (one === segment) leave(kind)
      throw diskFailure(error)
    }
  }

  function openJournal(): Journal {
    const touched = new Set<Segment>()
    return {
      write(entries) {
        for (const segment of writeAll(entries)) touched.add(segment)
      },
      async sync() {
        const waited = [...touched]
        touched.clear()
        try {
          await Promise.all(waited.map(waitFor))
        } catch (error) {
          // It all comes again.
          touched.clear()
          throw error
        }
      },
      probe: () => void touched.add(write('fresh', [], 0)),
    }
  }

  function writeAll(entries: readonly RecordEntry[]): Segment[] {
    if (entries.length === 0) return []
    const now = clock()
    const stamp = nextStamp(now)
    if (Math.abs(now - looked) >= 1000) {
      looked = now
      since = leastIdOf(now - LATE)
    }
    const isFresh = ({ id }: RecordEntry): boolean => id >= since
    if (entries.every(isFresh)) return [write('fresh', entries, stamp)]
    const late = write(
      'late',
      entries.filter((one) => !isFresh(one)),
      stamp,
    )
    const fresh = entries.filter(isFresh)
    return fresh.length === 0 ? [late] : [late, write('fresh', fresh, stamp)]
  }

  return {
    async append(lines) {
      await Promise.all(writeAll(lines).map(waitFor))
    },
    async restore(lines) {
      if (lines.length > 0) await waitFor(write('late', lines, -nextStamp(clock())))
    },
    check: async () => waitFor(write('fresh', [], 0)),
    openJournal,
    async close() {
      closed = true
      const all = [...full, ...open.values()]
      // Of a disk that hangs they stay as they are after a kill: a later start names them.
      await inTime(Promise.all(all.map((segment) => segment.closeWhenIdle())), LONGEST_CLOSE, [])
      open.clear()
      full = []
    },
  }
}
