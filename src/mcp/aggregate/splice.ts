// Other values in a message that stays otherwise byte for byte what the client wrote: its arguments are what policy judged.
// For text that has passed the gate: valid JSON, with the keys on the way spelled once and plainly.

export interface Replacement {
  /** Keys from the message inwards. */
  readonly path: readonly string[]
  readonly value: string
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENS = new Set([0x7b, 0x5b])
const CLOSES = new Set([0x7d, 0x5d])
const SPACES = new Set([0x20, 0x09, 0x0a, 0x0d])
const COMMA = 0x2c

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
  const written = `"${key}"`
  let at = pastSpace(text, object + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const end = endOfValue(text, at)
    const value = pastSpace(text, pastSpace(text, end) + 1)
    if (end - at === written.length && text.startsWith(written, at)) return value
    at = pastSpace(text, endOfValue(text, value))
    if (text.charCodeAt(at) === COMMA) at = pastSpace(text, at + 1)
  }
  throw new TypeError(`The message has no ${key}.`)
}

/** The index behind a value, without a stack: whatever is nested in it is passed over. */
function endOfValue(text: string, from: number): number {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at + 1)
      if (depth === 0) return at + 1
    } else if (OPENS.has(code)) depth++
    else if (CLOSES.has(code)) {
      // The end of what a bare number or word stands in.
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (depth === 0 && (code === COMMA || SPACES.has(code))) return at
  }
  return text.length
}

/** Index of the closing quote. */
function endOfString(text: string, from: number): number {
  for (let quote = text.indexOf('"', from); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1
    while (before >= from && text.charCodeAt(before) === BACKSLASH) before--
    if ((quote - before) % 2 === 1) return quote
  }
  return text.length
}

function pastSpace(text: string, from: number): number {
  let at = from
  while (SPACES.has(text.charCodeAt(at))) at++
  return at
}
