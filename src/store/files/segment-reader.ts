// Segments as readers see them: what was read once is kept while it is in use, and of a growing one only the new end is read.
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ignoreGone } from './failure.ts'
import { type IdRange, readSegmentName, type SegmentName } from './segment-name.ts'
import { Lines } from './stamped-line.ts'

/** Segments in memory at a time. */
const KEPT = 8

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
}

export function segmentReader(folder: string): SegmentReader {
  /** Of those without a range in their name, by the key. */
  const ranges = new Map<string, IdRange & { readonly size: number }>()
  /** By the key; the one that was used longest ago first. */
  const kept = new Map<string, Known>()

  function keep(key: string, known: Known): void {
    kept.delete(key)
    kept.set(key, known)
    const [oldest] = kept.keys()
    if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest)
  }

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
      keep(named.key, { file: named.file, lines, read: end, full: full === true })
      return lines
    } finally {
      await handle.close()
    }
  }

  return {
    read,
    async rangeOf(named) {
      if (named.range !== undefined) return named.range
      const size = await sizeOf(join(folder, named.file))
      const before = ranges.get(named.key)
      // After many kills there are many of them, and most have nothing new.
      if (before !== undefined && before.size === size) return before
      const { first, last } = await read(named)
      if (size !== undefined) ranges.set(named.key, { first, last, size })
      return { first, last }
    },
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
  lines.addText(buffer.toString('utf8', 0, end))
  return from + end
}
