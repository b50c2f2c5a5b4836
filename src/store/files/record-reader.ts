// Reads the record across segments, whose ids may overlap: of several lines with one id the one that was written last stands.
import { readdir } from 'node:fs/promises'
import type { RecordLine, RecordLog } from '../record-log.ts'
import { type IdRange, readSegmentName, type SegmentName } from './segment-name.ts'
import type { SegmentReader } from './segment-reader.ts'
import { type Lines, wholeLine } from './stamped-line.ts'

interface Span extends IdRange {
  readonly segment: SegmentName
}

export function recordReader(
  folder: string,
  { read, rangeOf, keepOnly }: SegmentReader,
): Pick<RecordLog, 'read' | 'newest' | 'find'> {
  async function listSpans(): Promise<Span[]> {
    const names = (await readdir(folder)).map(readSegmentName).filter((name) => name !== undefined)
    const spans: Span[] = []
    for (const segment of names) {
      const { first, last } = await rangeOf(segment)
      if (first !== '') spans.push({ segment, first, last })
    }
    return spans
  }

  /**
   * The lines of the ids that `choose` takes from segment after segment, until those that follow have nothing to add: `isEnough`.
   * A page costs its own length, not that of the segments it is in.
   */
  async function gather(
    spans: readonly Span[],
    choose: (ids: readonly string[]) => readonly string[],
    isEnough: (chosen: readonly string[], following: Span) => boolean,
  ): Promise<RecordLine[]> {
    const segments: Lines[] = []
    let chosen: readonly string[] = []
    for (const [at, { segment }] of spans.entries()) {
      const lines = await read(segment)
      segments.push(lines)
      chosen = choose([...new Set([...chosen, ...choose(lines.ids)])].sort())
      const following = spans[at + 1]
      if (following !== undefined && isEnough(chosen, following)) break
    }
    keepOnly(spans.slice(0, segments.length).map(({ segment }) => segment))
    return chosen.map((id) => wholeLine(id, segments)).filter((line) => line !== undefined)
  }

  return {
    async read(after, limit) {
      if (limit <= 0) return []
      const spans = (await listSpans()).filter(({ last }) => last > after).sort((a, b) => compare(a.first, b.first))
      return gather(
        spans,
        (ids) => {
          const from = countWhile(ids, (id) => id <= after)
          return ids.slice(from, from + limit)
        },
        (chosen, { first }) => (chosen[limit - 1] ?? first) < first,
      )
    },
    async newest(limit, before) {
      if (limit <= 0) return []
      const isBefore = (id: string): boolean => before === undefined || id < before
      const spans = (await listSpans()).filter(({ first }) => isBefore(first)).sort((a, b) => compare(b.last, a.last))
      return gather(
        spans,
        (ids) => ids.slice(0, countWhile(ids, isBefore)).slice(-limit),
        (chosen, { last }) => chosen.length === limit && (chosen[0] ?? last) > last,
      )
    },
    async find(id) {
      const spans = (await listSpans()).filter(({ first, last }) => first <= id && id <= last)
      const segments: Lines[] = []
      for (const { segment } of spans) segments.push(await read(segment))
      return wholeLine(id, segments)
    },
  }
}

/** How many of ids in order come before the first that does not belong to them. */
function countWhile(ids: readonly string[], belongs: (id: string) => boolean): number {
  let [from, to] = [0, ids.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (belongs(ids[middle] ?? '')) from = middle + 1
    else to = middle
  }
  return from
}

const compare = (one: string, other: string): number => (one < other ? -1 : Number(one > other))
