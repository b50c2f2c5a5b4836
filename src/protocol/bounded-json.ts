// JSON that a server behind us wrote, as far as it can be held and written again: an empty object is two bytes of text and fifty of
// memory, and JSON.stringify has a stack. RFC 8259 §9: a parser may set limits on size and depth.

/** Far from where the stack of JSON.stringify ends, whoever calls it. */
const DEEPEST = 512
const MOST_VALUES = 1_000_000

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c

/** `undefined` for what is no JSON, and for what is too much of it. */
export function parseBoundedJson(text: string): unknown {
  if (!isBounded(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON is an answer of its own here: the caller maps `undefined` to one refusal.
    return undefined
  }
}

/** Exact for valid JSON; what is none is refused by the parser. */
function isBounded(text: string): boolean {
  let depth = 0
  let values = 0
  // What is opened has to be closed: a short text is never too deep.
  if (text.length <= 2 * DEEPEST) return true
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at + 1)
    else if (code === COMMA) values++
    else if (code === 0x5b || code === 0x7b) {
      values++
      if (++depth > DEEPEST) return false
    } else if (code === 0x5d || code === 0x7d) depth--
    if (values > MOST_VALUES) return false
  }
  return true
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
