// A span of the record, read in pages: as long as it is, one page is in memory.
import { leastIdOf } from '../protocol/moment-id.ts'
import type { RecordLine, RecordLog } from '../store/record-log.ts'
import type { ActEvent, CallEvent } from './event.ts'

const PAGE = 500

/** Events from a moment on, oldest first, by their ids, which are times (UUIDv7, RFC 9562 §5.7). A line that is no event is left out. */
export async function* readSince(log: Pick<RecordLog, 'read'>, since: number): AsyncGenerator<CallEvent | ActEvent> {
  let after = leastIdOf(since)
  for (;;) {
    const page = await log.read(after, PAGE)
    for (const { line } of page) {
      const event = readEvent(line)
      if (event !== undefined) yield event
    }
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return
    after = last.id
  }
}

/** So many lines before an id, oldest first: counted back to the first of them, then read forth again. */
export async function* readBefore(
  log: Pick<RecordLog, 'read' | 'newest'>,
  id: string,
  count: number,
): AsyncGenerator<RecordLine> {
  let page: RecordLine[] = []
  for (let left = count; left > 0; left -= page.length) {
    const earlier = await log.newest(Math.min(left, PAGE), page[0]?.id ?? id)
    if (earlier.length === 0) break
    page = earlier
  }
  while (page.length > 0) {
    for (const record of page) {
      if (record.id >= id) return
      yield record
    }
    page = await log.read(page.at(-1)?.id ?? id, PAGE)
  }
}

export function readEvent(line: string): CallEvent | ActEvent | undefined {
  try {
    const event = JSON.parse(line) as CallEvent | ActEvent | null
    return event?.kind === 'call' || event?.kind === 'act' ? event : undefined
  } catch {
    // Not written by us; `portcullis audit tail` shows it as it is.
    return undefined
  }
}
