// A span of the record, read in pages: as long as it is, one page is in memory.
import { leastIdOf } from '../protocol/moment-id.ts'
import type { RecordLog } from '../store/record-log.ts'
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

export function readEvent(line: string): CallEvent | ActEvent | undefined {
  try {
    const event = JSON.parse(line) as CallEvent | ActEvent | null
    return event?.kind === 'call' || event?.kind === 'act' ? event : undefined
  } catch {
    // Not written by us; `portcullis audit tail` shows it as it is.
    return undefined
  }
}
