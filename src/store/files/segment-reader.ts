// Segments as readers see them: what the latest page was in is kept for the next one, and of a growing segment only the new end is read.
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ignoreGone } from './failure.ts'
import { type IdRange, readSegmentName, type SegmentName } from './segment-name.ts'
import { Lines } from './stamped-line.ts'

interface Known {
  readonly file: string
  readonly lines: Lines
  /** Bytes up to the end of the last whole line that was read. */
  read: number
  /** Nothing will be added. */
  readonly full: boolean
}

export interface SegmentReader {
  /** Empty where the segment is gone. */
  read(segment: SegmentName): Promise<Lines>
  rangeOf(segment: SegmentName): Promise<IdRange>
  /** All others are let go: a segment weighs more than its 8 MB. */
  keepOnly(segments: readonly SegmentName[]): void
}

/** Of a segment without a range in its name, which may grow. */
interface KnownRange extends IdRange {
  readonly size: number
  /** As of `Known`. */
  readonly read: number
}

export function segmentReader(folder: string): SegmentReader {
  /** By the key, as `kept`. */
  const ranges = new Map<string, KnownRange>()
  const kept = new Map<string, Known>()

  async function read(named: SegmentName): Promise<Lines> {
    const before = kept.get(named.key)
    // A backup that was taken twice has a segment twice, of different lengths.
    if (before?.full && before.file === named.file) return before.lines
    const { handle, full } = (await openSegment(folder, named)) ?? {}
    if (handle === undefined) return new Lines()
    try {
      const { size } = await handle.stat()
      // Shorter than it was: a write that failed was cut off, and what was read of it is not in the record.
      const { lines, read } = before !== undefined && before.read <= size ? before : { lines: new Lines(), read: 0 }
      const end = await readOn(handle, lines, read, size)
      kept.set(named.key, { file: named.file, lines, read: end, full: full === true })
      return lines
    } finally {
      await handle.close()
    }
  }

  async function extend(named: SegmentName, before: KnownRange): Promise<KnownRange> {
    const { handle } = (await openSegment(folder, named)) ?? {}
    if (handle === undefined) return NO_RANGE
    try {
      const { size } = await handle.stat()
      const { read, ...range } = before.read <= size ? before : NO_RANGE
      const added = new Lines()
      const end = await readOn(handle, added, read, size)
      return { ...joined(range, added), size, read: end }
    } finally {
      await handle.close()
    }
  }

  return {
    read,
    async rangeOf(named) {
      if (named.range !== undefined) return named.range
      const before = ranges.get(named.key) ?? NO_RANGE
      // After many kills there are many of them, and most have nothing new.
      if (before.size === (await sizeOf(join(folder, named.file)))) return before
      const range = await extend(named, before)
      ranges.set(named.key, range)
      return range
    },
    keepOnly(segments) {
      const keys = new Set(segments.map(({ key }) => key))
      for (const key of kept.keys()) if (!keys.has(key)) kept.delete(key)
    },
  }
}

const NO_RANGE: KnownRange = { first: '', last: '', size: -1, read: 0 }

function joined(one: IdRange, other: IdRange): IdRange {
  if (one.first === '') return { first: other.first, last: other.last }
  if (other.first === '') return one
  return {
    first: one.first < other.first ? one.first : other.first,
    last: one.last > other.last ? one.last : other.last,
  }
}

/** `undefined`: gone. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    ignoreGone(error)
    return undefined
  }
}

/** It may have got its second name since somebody looked into the folder. */
async function openSegment(folder: string, { key, file, range }: SegmentName): Promise<Opened | undefined> {
  const handle = await openFile(join(folder, file))
  if (handle !== undefined) return { handle, full: range !== undefined }
  const renamed = (await readdir(folder)).map(readSegmentName).find((name) => name?.key === key)
  const later = renamed && (await openFile(join(folder, renamed.file)))
  return later && { handle: later, full: true }
}

interface Opened {
  readonly handle: FileHandle
  /** Nothing will be added. */
  readonly full: boolean
}

async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    ignoreGone(error)
    return undefined
  }
}

async function readOn(handle: FileHandle, lines: Lines, from: number, size: number): Promise<number> {
  if (size <= from) return from
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from)
  const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1
  lines.add(buffer.subarray(0, end))
  return from + end
}
