// One recorded event as a line for people: when, what was decided, who, through what, on what, and why.
import { escapeUnprintable } from '../audit/event-line.ts'

const FIELDS = ['server', 'method', 'name', 'resource', 'rule', 'reason', 'outcome'] as const

/** A line that is no event is shown as it is. */
export function eventText(line: string): string {
  const event = parseEvent(line)
  if (event === undefined) return printable(line)
  const text = (key: string): string | undefined => {
    const value = event[key]
    return value === undefined || value === null ? undefined : String(value)
  }
  const who = text('email') ?? text('subject') ?? '-'
  const client = text('client')
  const parts = [
    text('time') ?? '-',
    (text('decision') ?? '-').padEnd(5),
    client === undefined ? who : `${who} via ${client}`,
    ...(text('act') === undefined ? [] : [text('act')]),
    ...FIELDS.map(text),
    ...(text('latency') === undefined ? [] : [`${Math.round(Number(text('latency')))} ms`]),
  ]
  return printable(parts.filter((part) => part !== undefined).join('  '))
}

/** A name chosen by a caller must not move the reader's cursor. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f]/g
const printable = (text: string): string =>
  escapeUnprintable(text).replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

function parseEvent(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null ? Object.fromEntries(Object.entries(parsed)) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
