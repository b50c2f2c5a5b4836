// An event as one JSON line, whatever callers put into names: bounded, without a control character a terminal could obey.
import type { KeptAttributes } from './attributes.ts'
import type { ActEvent, CallEvent, CallOutcome } from './event.ts'
import { outcomeEnding, outcomeMembers } from './outcome.ts'

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
  if (event.kind === 'call') {
    const { head, shared } = callParts(event)
    return head + shared
  }
  const line = asJson(actFields(event, LONGEST_NAME))
  return fits(line.length, () => line) ? line : asJson(actFields(event, SHORT_NAME))
}

/** A call's line in two parts. */
export interface LineParts {
  /** Its own. */
  readonly head: string
  /** What is the same in the next line of this caller who asks for the same. In one piece. */
  readonly shared: string
}

export function callParts(event: CallEvent): LineParts {
  const parts = writeCall(event, LONGEST_NAME)
  return fits(parts.head.length + parts.shared.length, () => parts.head + parts.shared)
    ? parts
    : writeCall(event, SHORT_NAME)
}

/** One UTF-16 unit is at most three bytes of UTF-8. */
const fits = (length: number, line: () => string): boolean =>
  length * 3 <= LONGEST_LINE || Buffer.byteLength(line()) <= LONGEST_LINE

/** The decision's own line with the outcome at its end: what was serialised once is not serialised again. */
export const completedLine = (decided: string, outcome: CallOutcome): string =>
  decided.slice(0, -1) + outcomeEnding(outcome)

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

function writeCall(event: CallEvent, longest: number): LineParts {
  const { args } = event
  // Both of our own making.
  const start = `{"kind":"call","id":"${event.id}","time":"${event.time}"`
  const own = args === undefined || longest < LONGEST_NAME ? start : `${start},"args":${asJson(args)}`
  // Of a decision that is all there is to its request. Others end with it.
  return { head: own + outcomeMembers(event), shared: sharedBy(event, longest) }
}

/** By the attributes: those of one principal are one object, with every call. */
const latest = new WeakMap<KeptAttributes, { readonly event: CallEvent; readonly shared: string }>()

/** All but a call's own parts, with the closing brace. Most calls of a caller ask for what the one before has asked for. */
function sharedBy(event: CallEvent, longest: number): string {
  const { attributes } = event
  if (attributes === undefined || longest < LONGEST_NAME) return inOnePiece(writeShared(event, longest))
  const before = latest.get(attributes)
  if (before !== undefined && saysTheSame(before.event, event)) return before.shared
  const shared = inOnePiece(writeShared(event, longest))
  // Arguments can be long, and are no part of it.
  latest.set(attributes, { event: { ...event, args: undefined }, shared })
  return shared
}

const saysTheSame = (one: CallEvent, other: CallEvent): boolean =>
  isSame(one, other) &&
  one.beside === other.beside &&
  one.by === other.by &&
  one.server === other.server &&
  one.via === other.via &&
  one.method === other.method &&
  one.name === other.name &&
  one.decision === other.decision &&
  one.reason === other.reason &&
  one.rule === other.rule &&
  one.policy === other.policy &&
  one.address === other.address &&
  one.era === other.era

/** Piece by piece, because many calls pay for it: pieces that come again are kept. What else an object carries stays out of the record. */
const writeShared = (event: CallEvent, longest: number): string =>
  `${
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
    known.policy(event.policy, longest) +
    member('address', event.address, longest) +
    known.era(event.era, longest)
  }}`

/** Who called, apart from what they were known by. */
type Caller = Pick<CallEvent, 'subject' | 'email' | 'client' | 'auth' | 'family'>

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
