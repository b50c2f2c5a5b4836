// The record as people read it: one line an event (`portcullis audit tail`).
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../protocol/clock.ts'
import { leastIdOf } from '../protocol/moment-id.ts'
import type { RecordLine, RecordLog } from '../store/record-log.ts'
import { escapeUnprintable } from './event-line.ts'

const PAGE = 500
/** Ids are ordered by arrival, commits are not: this far back a line may still appear. */
const LATE = 15_000
/** A decision is shown with its outcome, if that comes within this time. */
const PATIENCE = 5_000
const FIRST_ID = '00000000-0000-7000-8000-000000000000'

type Fields = Readonly<Record<string, unknown>>

/** Time, decision, who, what, why. Never throws: a line that is no event is shown as it is. */
export function eventText(line: string): string {
  const event = parseFields(line)
  if (event === undefined) return printable(line)
  const who = [text(event, 'email') ?? text(event, 'subject') ?? '-', prefixed('via', text(event, 'client'))]
  const what =
    text(event, 'kind') === 'act'
      ? [text(event, 'act'), text(event, 'resource'), text(event, 'name')]
      : [text(event, 'server'), text(event, 'method'), text(event, 'name')]
  const why = [text(event, 'reason'), prefixed('by', text(event, 'rule'))]
  const outcome = [text(event, 'status'), text(event, 'outcome'), suffixed(text(event, 'latency'), 'ms')]
  const columns = [
    [text(event, 'time')],
    [text(event, 'decision')?.padEnd(5)],
    who,
    what,
    why,
    outcome,
    [text(event, 'id')],
  ]
  return printable(
    columns
      .map((column) => column.filter((word) => word !== undefined).join(' '))
      .filter((column) => column !== '')
      .join('  '),
  )
}

interface Follow {
  readonly log: Pick<RecordLog, 'read'>
  /** The newest lines so far, oldest first: what is above them, or appears among them later, is new. */
  readonly known: readonly RecordLine[]
  /** Takes each event once, with its outcome; without it where that stays away for some seconds. */
  readonly onLine: (line: string) => void
  /** The clock was set back: what comes now has ids that are over, and is not shown before that time has come again. */
  readonly onHidden: (until: Date) => void
  readonly signal: AbortSignal
  /** Milliseconds between two looks. */
  readonly poll: number
  readonly clock: Clock
}

/** Resolves when the signal aborts; rejects when the log cannot be read. */
export async function followRecords({ log, known, onLine, onHidden, signal, poll, clock }: Follow): Promise<void> {
  const shown = new Set(known.map(({ id }) => id))
  const held = new Map<string, { line: string; since: number }>()
  let floor = laterId(known[0]?.id ?? FIRST_ID, earlierId(known.at(-1)?.id ?? FIRST_ID))
  let hides = false

  function take({ id, line }: RecordLine): void {
    if (shown.has(id)) return
    if (isComplete(line)) {
      held.delete(id)
      show(id, line)
    } else held.set(id, { line, since: held.get(id)?.since ?? clock() })
  }

  function show(id: string, line: string): void {
    shown.add(id)
    onLine(line)
  }

  function showOverdue(): void {
    for (const [id, { line, since }] of held) {
      if (clock() - since < PATIENCE) continue
      held.delete(id)
      show(id, line)
    }
  }

  function tellHidden(): void {
    const isHiding = floor > leastIdOf(clock())
    if (isHiding && !hides) onHidden(new Date(momentOf(floor)))
    hides = isHiding
  }

  while (!signal.aborted) {
    const newest = await readOn(log, floor, take, signal)
    showOverdue()
    floor = laterId(floor, earlierId(newest))
    tellHidden()
    for (const id of shown) if (id <= floor) shown.delete(id)
    await sleep(poll, undefined, { signal }).catch(ignoreAbort(signal))
  }
}

async function readOn(
  log: Follow['log'],
  from: string,
  take: (record: RecordLine) => void,
  signal: AbortSignal,
): Promise<string> {
  let after = from
  while (!signal.aborted) {
    const page = await log.read(after, PAGE)
    for (const record of page) take(record)
    after = page.at(-1)?.id ?? after
    if (page.length < PAGE) break
  }
  return after
}

const laterId = (one: string, other: string): string => (one > other ? one : other)

/** The least UUIDv7 (RFC 9562 §5.7) of a moment `LATE` before this one. */
function earlierId(id: string): string {
  const time = momentOf(id) - LATE
  return time > 0 ? leastIdOf(time) : FIRST_ID
}

const momentOf = (id: string): number => Number.parseInt(id.replace('-', '').slice(0, 12), 16)

function ignoreAbort(signal: AbortSignal) {
  return (error: unknown) => {
    if (!signal.aborted) throw error
  }
}

function isComplete(line: string): boolean {
  const event = parseFields(line)
  return event === undefined || event['kind'] !== 'call' || event['outcome'] !== undefined
}

function parseFields(line: string): Fields | undefined {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : undefined
  } catch {
    // Shown as it is by the caller.
    return undefined
  }
}

function text(event: Fields, field: string): string | undefined {
  const value = event[field]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

function prefixed(word: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : `${word} ${value}`
}

function suffixed(value: string | undefined, word: string): string | undefined {
  return value === undefined ? undefined : `${value} ${word}`
}

/** What was escaped in the JSON must not come alive in the terminal. */
export function printable(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones a terminal would obey.
  return escapeUnprintable(line).replace(/[\u0000-\u001f]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
