// An event as one JSON line, whatever callers put into names: bounded, without a control character a terminal could obey.
import type { ActEvent, CallEvent } from './event.ts'

const LONGEST_NAME = 256
/** Leaves room for the outcome within 8 KB. */
const LONGEST_LINE = 8000
/** Sixteen fields of this length, each character escaped to six bytes, still fit the line; arguments and attributes do not, and are left out. */
const SHORT_NAME = 64

// JSON escapes C0 itself. DEL, C1 (an 8-bit CSI), line separators and bidirectional marks would reach the reader's terminal.
const UNPRINTABLE = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/
const EVERY_UNPRINTABLE = new RegExp(UNPRINTABLE.source, 'g')

export function eventLine(event: CallEvent | ActEvent): string {
  const line = lineOf(event, LONGEST_NAME)
  // One UTF-16 unit is at most three bytes of UTF-8.
  if (line.length * 3 <= LONGEST_LINE || Buffer.byteLength(line) <= LONGEST_LINE) return line
  return lineOf(event, SHORT_NAME)
}

/** The decision's own line with the outcome at its end: what was serialised once is not serialised again. */
export function completedLine(decided: string, { status, outcome, latency }: CallEvent): string {
  let line = decided.slice(0, -1)
  if (status !== undefined) line += `,"status":${status}`
  if (outcome !== undefined) line += `,"outcome":"${outcome}"`
  if (latency !== undefined) line += `,"latency":${latency}`
  return `${line}}`
}

function lineOf(event: CallEvent | ActEvent, longest: number): string {
  const fields = event.kind === 'call' ? callFields(event, longest) : actFields(event, longest)
  return escapeUnprintable(JSON.stringify(fields))
}

type Fields = Record<string, unknown>

// Field by field: what else an object carries stays out of the record.
function callFields(event: CallEvent, longest: number): Fields {
  return {
    kind: event.kind,
    id: event.id,
    time: event.time,
    subject: cut(event.subject, longest),
    email: cut(event.email, longest),
    client: cut(event.client, longest),
    auth: event.auth,
    beside: cut(event.beside, longest),
    by: cut(event.by, longest),
    server: cut(event.server, longest),
    via: cut(event.via, longest),
    method: cut(event.method, longest),
    name: cut(event.name, longest),
    decision: event.decision,
    reason: cut(event.reason, longest),
    rule: cut(event.rule, longest),
    args: longest === LONGEST_NAME ? event.args : undefined,
    attributes: longest === LONGEST_NAME ? event.attributes : undefined,
    policy: cut(event.policy, longest),
    family: cut(event.family, longest),
    address: cut(event.address, longest),
    era: event.era,
    status: event.status,
    outcome: event.outcome,
    latency: event.latency,
  }
}

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
