// Reads the record across segments, whose ids may overlap: of several lines with one id the one that was written last stands.
import { readdir } from 'node:fs/promises'
import type { RecordLine, RecordLog } from '../record-log.ts'
import { type IdRange, readSegmentName, type SegmentName } from './segment-name.ts'
import type { ReadSegment } from './segment-reader.ts'
import { Lines } from './stamped-line.ts'

interface Span extends IdRange {
  readonly segment: SegmentName
}

export function recordReader(folder: string, read: ReadSegment): Pick<RecordLog, 'read' | 'newest' | 'find'> {
  async function listSpans(): Promise<Span[]> {
    const names = (await readdir(folder)).map(readSegmentName).filter((name) => name !== undefined)
    const spans: Span[] = []
    for (const segment of names) {
      // What grows has to be read to know what is in it.
      const { first, last } = segment.range ?? (await read(segment))
      if (first !== '') spans.push({ segment, first, last })
    }
    return spans
  }

  /** Adds segment after segment until those that follow cannot change the answer. */
  async function gather(
    spans: readonly Span[],
    isEnough: (lines: Lines, following: Span) => boolean,
  ): Promise<RecordLine[]> {
    const gathered = new Lines()
    for (const [at, { segment }] of spans.entries()) {
      gathered.addAll(await read(segment))
      const following = spans[at + 1]
      if (following !== undefined && isEnough(gathered, following)) break
    }
    return [...gathered.whole()].sort(byId)
  }

  return {
    async read(after, limit) {
      const spans = (await listSpans()).filter(({ last }) => last > after).sort((a, b) => compare(a.first, b.first))
      const isEnough = (lines: Lines, { first }: Span) => count(lines, (id) => id > after && id < first) >= limit
      return (await gather(spans, isEnough)).filter(({ id }) => id > after).slice(0, limit)
    },
    async newest(limit) {
      if (limit <= 0) return []
      const spans = (await listSpans()).sort((a, b) => compare(b.last, a.last))
      const isEnough = (lines: Lines, { last }: Span) => count(lines, (id) => id > last) >= limit
      return (await gather(spans, isEnough)).slice(-limit)
    },
    async find(id) {
      const spans = (await listSpans()).filter(({ first, last }) => first <= id && id <= last)
      return (await gather(spans, () => false)).find((line) => line.id === id)
    },
  }
}

function count(lines: Lines, matches: (id: string) => boolean): number {
  let found = 0
  for (const id of lines.ids()) if (matches(id)) found += 1
  return found
}

const compare = (one: string, other: string): number => (one < other ? -1 : Number(one > other))
const byId = (one: RecordLine, other: RecordLine): number => compare(one.id, other.id)
