// Decisions on their way to the store: a line is in the page cache before its call is forwarded, so that a killed process
// has lost nothing it answered. A folder of segments, each deleted once all its decisions are committed. One process a folder.
import { closeSync, ftruncateSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../protocol/clock.ts'

const LARGEST_SEGMENT = 1024 ** 2
const LONGEST_SEGMENT = 10_000

export const SEGMENT_NAME = /^spool-\d{13,}-\d{6,}\.jsonl$/

export interface Segment {
  readonly path: string
  readonly file: number
  readonly since: number
  bytes: number
  /** Decisions in it that are not committed yet. */
  waiting: number
}

export interface Spool {
  /** Throws when the disk does not take all of them; then nothing of them counts. */
  append(lines: readonly string[]): Segment
  /** One decision of the segment is committed. */
  release(segment: Segment): void
  /** Throws when the disk takes nothing. */
  probe(): void
  close(): void
}

interface Needs {
  readonly directory: string
  readonly clock: Clock
  readonly report: (detail: object, message: string) => void
}

export function openSpool({ directory, clock, report }: Needs): Spool {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const started = String(clock()).padStart(13, '0')
  let count = 0
  let current: Segment | undefined

  function begin(): Segment {
    count += 1
    const path = join(directory, `spool-${started}-${String(count).padStart(6, '0')}.jsonl`)
    return { path, file: openSync(path, 'ax', 0o600), since: clock(), bytes: 0, waiting: 0 }
  }

  function end(): void {
    const ended = current
    current = undefined
    if (ended === undefined) return
    closeSync(ended.file)
    if (ended.waiting === 0) remove(ended)
  }

  function remove({ path }: Segment): void {
    try {
      unlinkSync(path)
    } catch (error) {
      // Harmless to the record: what is restored twice is kept once.
      report({ error, path }, 'A spool segment could not be deleted')
    }
  }

  function write(text: string): Segment {
    if (current && (current.bytes >= LARGEST_SEGMENT || Math.abs(clock() - current.since) >= LONGEST_SEGMENT)) end()
    current ??= begin()
    try {
      const size = Buffer.byteLength(text)
      if (writeSync(current.file, text) !== size) throw new Error('The disk took only a part.')
      current.bytes += size
      return current
    } catch (error) {
      cutBack(current)
      // After a torn line the segment takes no other: what follows it would be glued to it.
      end()
      throw error
    }
  }

  /** Whole lines among what was not wholly written would tell of calls that were refused. */
  function cutBack({ path, file, bytes }: Segment): void {
    try {
      ftruncateSync(file, bytes)
    } catch (error) {
      report({ error, path }, 'A spool segment may hold decisions of calls that were refused')
    }
  }

  return {
    append(lines) {
      const segment = write(`${lines.join('\n')}\n`)
      segment.waiting += lines.length
      return segment
    },
    release(segment) {
      segment.waiting -= 1
      if (segment.waiting === 0 && segment !== current) remove(segment)
    },
    probe: () => void write('\n'),
    close: end,
  }
}
