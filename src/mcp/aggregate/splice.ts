// Other values in a message that stays otherwise byte for byte what the client wrote: its arguments are what policy judged.
// For text that has passed the gate: valid JSON, with the keys on the way spelled once and plainly.
import { endOfValue, findMember, pastSpace } from '../json-members.ts'

export interface Replacement {
  /** Keys from the message inwards. */
  readonly path: readonly string[]
  readonly value: string
}

/** Throws TypeError where there is nothing to replace. */
export function splice(body: Buffer, replacements: readonly Replacement[]): Buffer {
  if (replacements.length === 0) return body
  // One character a byte: what is looked for is ASCII, and places in the text are places in the body.
  const text = body.toString('latin1')
  const places = replacements.map(({ path, value }) => ({ ...locate(text, path), value }))
  places.sort((one, other) => one.start - other.start)
  const parts: Buffer[] = []
  let from = 0
  for (const { start, end, value } of places) {
    parts.push(body.subarray(from, start), Buffer.from(JSON.stringify(value)))
    from = end
  }
  return Buffer.concat([...parts, body.subarray(from)])
}

function locate(text: string, path: readonly string[]): { start: number; end: number } {
  let start = pastSpace(text, 0)
  for (const key of path) start = memberOf(text, start, key)
  return { start, end: endOfValue(text, start) }
}

/** Where the value of a member begins. */
function memberOf(text: string, object: number, key: string): number {
  const member = findMember(text, object, key)
  if (member === undefined) throw new TypeError(`The message has no ${key}.`)
  return member.value
}
