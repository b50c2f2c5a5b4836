// An event as one JSON line, whatever callers put into names: bounded, without a control character a terminal could obey.
import type { KeptAttributes } from './attributes.ts'
import type { ActEvent, CallEvent, CallOutcome } from './event.ts'
import { outcomeEnding } from './outcome.ts'

const LONGEST_NAME = 256
/** Leaves room for the outcome within 8 KB. */
const LONGEST_LINE = 8000
/** Sixteen fields of this length, each character escaped to six bytes, still fit the line; arguments and attributes do not, and are left out. */
const SHORT_NAME = 64
/** Texts of one member. */
const MOST_KEPT = 1000

// JSON escapes C0 itself. DEL, C1 (an 8-bit CSI), line separators and bidirectional marks would reach the reader's terminal.
const UNPRINTABLE = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/
const EVERY_UNPRINTABLE = new RegExp(UNPRINTABLE.source, 'g')
/** Printable ASCII that JSON writes as it is. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

export function eventLine(event: CallEvent | ActEvent): string {
  const line = lineOf(event, LONGEST_NAME)
  // One UTF-16 unit is at most three bytes of UTF-8.
  if (line.length * 3 <= LONGEST_LINE || Buffer.byteLength(line) <= LONGEST_LINE) return line
  return lineOf(event, SHORT_NAME)
}

/** The decision's own line with the outcome at its end: what was serialised once is not serialised again. */
export const completedLine = (decided: string, outcome: CallOutcome): string =>
  decided.slice(0, -1) + outcomeEnding(outcome)

const lineOf = (event: CallEvent | ActEvent, longest: number): string =>
  event.kind === 'call' ? callLine(event, longest) : asJson(actFields(event, longest))

// Names of servers and methods, our own reasons, ids of rules: few, and in every line.
const known = {
  server: recurring('server'),
  via: recurring('via'),
  method: recurring('method'),
  decision: recurring('decision'),
  reason: recurring('reason'),
  rule: recurring('rule'),
  policy: recurring('policy'),
  era: recurring('era'),
}

/** Piece by piece, because every call pays for it: pieces that come again are kept. What else an object carries stays out of the record. */
function callLine(event: CallEvent, longest: number): string {
  const { args } = event
  return (
    // Both of our own making.
    `{"kind":"call","id":"${event.id}","time":"${event.time}"` +
    callerMembers(event, longest) +
    member('beside', event.beside, longest) +
    member('by', event.by, longest) +
    known.server(event.server, longest) +
    known.via(event.via, longest) +
    known.method(event.method, longest) +
    member('name', event.name, longest) +
    known.decision(event.decision, longest) +
    known.reason(event.reason, longest) +
    known.rule(event.rule, longest) +
    (args === undefined || longest < LONGEST_NAME ? '' : `,"args":${asJson(args)}`) +
    known.policy(event.policy, longest) +
    member('address', event.address, longest) +
    known.era(event.era, longest) +
    outcomeEnding(event)
  )
}

/** Who called, apart from what they were known by. */
type Caller = { readonly [Key in 'subject' | 'email' | 'client' | 'auth' | 'family']: CallEvent[Key] }

/** By the attributes: those of one principal are one object, with every call. */
const callers = new WeakMap<KeptAttributes, { readonly caller: Caller; readonly members: string }>()

function callerMembers(event: CallEvent, longest: number): string {
  const { subject, email, client, auth, family, attributes } = event
  const caller = { subject, email, client, auth, family }
  if (attributes === undefined || longest < LONGEST_NAME) return writeCaller(caller, longest)
  const before = callers.get(attributes)
  if (before !== undefined && isSame(before.caller, caller)) return before.members
  const members = inOnePiece(`${writeCaller(caller, longest)},"attributes":${asJson(attributes)}`)
  callers.set(attributes, { caller, members })
  return members
}

const isSame = (one: Caller, other: Caller): boolean =>
  one.subject === other.subject &&
  one.email === other.email &&
  one.client === other.client &&
  one.auth === other.auth &&
  one.family === other.family

const writeCaller = ({ subject, email, client, auth, family }: Caller, longest: number): string =>
  member('subject', subject, longest) +
  member('email', email, longest) +
  member('client', client, longest) +
  member('auth', auth, longest) +
  member('family', family, longest)

const member = (name: string, text: string | undefined, longest: number): string =>
  text === undefined ? '' : `,"${name}":${quoted(text, longest)}`

/** A member whose text comes again: what was written once is kept. */
function recurring(name: string): (text: string | undefined, longest: number) => string {
  const kept = new Map<string, string>()
  return (text, longest) => {
    if (text === undefined) return ''
    const before = kept.get(text)
    if (before !== undefined) return before
    const written = inOnePiece(member(name, text, longest))
    // Of this length it is written the same in every line.
    if (text.length <= SHORT_NAME && kept.size < MOST_KEPT) kept.set(text, written)
    return written
  }
}

/** Text that was put together stays in its parts, until somebody joins them: better once than with every line. */
const inOnePiece = (text: string): string => Buffer.from(text).toString()

function quoted(text: string, longest: number): string {
  return text.length <= longest && PLAIN.test(text) ? `"${text}"` : asJson(cut(text, longest))
}

const asJson = (value: unknown): string => escapeUnprintable(JSON.stringify(value))

type Fields = Record<string, unknown>

function actFields(event: ActEvent, longest: number): Fields {
  return {
    kind: event.kind,
    id: event.id,
    time: event.time,
    act: cut(event.act, longest),
    decision: event.decision,
    reason: cut(event.reason, longest),
    subject: cut(event.subject, longest),
    email: cut(event.email, longest),
    client: cut(event.client, longest),
    resource: cut(event.resource, longest),
    family: cut(event.family, longest),
    name: cut(event.name, longest),
    digest: cut(event.digest, longest),
    by: cut(event.by, longest),
    address: cut(event.address, longest),
  }
}

function cut(text: string | undefined, longest: number): string | undefined {
  return text === undefined || text.length <= longest ? text : `${text.slice(0, longest - 1)}…`
}

export function escapeUnprintable(text: string): string {
  if (!UNPRINTABLE.test(text)) return text
  return text.replace(EVERY_UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
