// A span of the record, read in pages: as long as it is, one page is in memory.
import type { RecordLog } from '../store/record-log.ts'
import type { ActEvent, CallEvent } from './event.ts'

const PAGE = 500

/** Events from a moment on, oldest first, by their ids, which are times (UUIDv7, RFC 9562 §5.7). A line that is no event is left out. */
export async function* readSince(log: Pick<RecordLog, 'read'>, since: number): AsyncGenerator<CallEvent | ActEvent> {
  let after = idBefore(since)
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

function idBefore(moment: number): string {
  const hex = Math.max(0, Math.floor(moment)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}
