// `portcullis audit tail`: the record as it grows, read from the same store, beside a running gate.
import { setTimeout as wait } from 'node:timers/promises'
import { OperatorError } from '../protocol/errors.ts'
import type { RecordLine, RecordLog } from '../store/record-log.ts'
import { withStore } from './configuration.ts'
import { eventText } from './event-text.ts'
import type { Common } from './options.ts'

export interface TailOptions extends Common {
  readonly lines: string
  readonly follow: boolean
  readonly json: boolean
}

const PAUSE = 300
const PAGE = 500
/** Lines are committed in batches and by several writers, so an older id may appear after a newer one; not later than this. */
const OVERLAP = 15_000

export function tail(options: TailOptions): Promise<void> {
  const count = Number(options.lines)
  if (!Number.isInteger(count) || count < 0) throw new OperatorError('-n: write how many lines, such as -n 20.')
  return withStore(options, async ({ records }, { config }) => {
    if (!config.audit.sink.includes('store'))
      throw new OperatorError('audit.sink does not name `store`, so there is nothing to read here.')
    const show = ({ line }: RecordLine): void => {
      process.stdout.write(`${options.json ? line : eventText(line)}\n`)
    }
    const stopped = signalled()
    // Read first: what comes between this and the newest lines is among those, what comes later is new.
    const before = options.follow ? await readSince(records, firstId(Date.now() - OVERLAP)) : []
    const newest = count === 0 ? [] : await records.newest(count)
    newest.forEach(show)
    if (options.follow) await follow({ records, seen: [...before, ...newest], show, stopped })
  })
}

function signalled(): AbortSignal {
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort())
  return stopped.signal
}

interface Following {
  readonly records: RecordLog
  /** Shown already, or older than the start. */
  readonly seen: readonly RecordLine[]
  readonly show: (line: RecordLine) => void
  readonly stopped: AbortSignal
}

async function follow({ records, seen, show, stopped }: Following): Promise<void> {
  let known: ReadonlySet<string> = new Set(seen.map(({ id }) => id))
  while (!stopped.aborted) {
    const lines = await readSince(records, firstId(Date.now() - OVERLAP))
    for (const line of lines) if (!known.has(line.id)) show(line)
    known = new Set([...known, ...lines.map(({ id }) => id)].filter((id) => id > firstId(Date.now() - 2 * OVERLAP)))
    // Rejects only when it is told to stop, which the loop sees by itself.
    await wait(PAUSE, undefined, { signal: stopped }).catch(() => undefined)
  }
}

async function readSince(records: RecordLog, after: string): Promise<RecordLine[]> {
  const lines: RecordLine[] = []
  for (let from = after; ; ) {
    const page = await records.read(from, PAGE)
    lines.push(...page)
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return lines
    from = last.id
  }
}

/** Below every id of that millisecond and later: a UUIDv7 begins with its time (RFC 9562 §5.7). */
export function firstId(at: number): string {
  const time = at.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-`
}
