// The members of an object in JSON text, by their places in it: for text that has passed the gate, which is valid JSON with the keys on the
// way spelled once and plainly. The text comes as one character a byte: what is looked for is ASCII, and places in the text are places in
// the body.

export interface Member {
  /** With its quotes. */
  readonly key: string
  readonly start: number
  readonly value: number
  readonly end: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
/** Of ASCII: what makes `[` and `]` of the same kind as `{` and `}`. */
const BRACE = 0x20
const OPENS = 0x7b
const CLOSES = 0x7d
const SPACES = new Set([0x20, 0x09, 0x0a, 0x0d])
const COMMA = 0x2c

/** Of the object that begins there. */
export function* membersOf(text: string, object: number): Generator<Member> {
  let at = pastSpace(text, object + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = endOfValue(text, at)
    const value = pastSpace(text, pastSpace(text, keyEnd) + 1)
    const end = endOfValue(text, value)
    yield { key: text.slice(at, keyEnd), start: at, value, end }
    at = pastSpace(text, end)
    if (text.charCodeAt(at) === COMMA) at = pastSpace(text, at + 1)
  }
}

export function findMember(text: string, object: number, key: string): Member | undefined {
  for (const member of membersOf(text, object)) if (member.key === `"${key}"`) return member
  return undefined
}

/** The index behind a value, without a stack: whatever is nested in it is passed over. */
export function endOfValue(text: string, from: number): number {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at + 1)
      if (depth === 0) return at + 1
    } else if ((code | BRACE) === OPENS) depth++
    else if ((code | BRACE) === CLOSES) {
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

export function pastSpace(text: string, from: number): number {
  let at = from
  while (SPACES.has(text.charCodeAt(at))) at++
  return at
}
