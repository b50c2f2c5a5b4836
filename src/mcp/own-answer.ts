// Whether an answer is the one to our call and to no other, whatever two readers make of it, and asks the client nothing: looked at part
// by part as it passes. JSON-RPC 2.0 §5; MCP 2026-07-28, Multi round-trip requests.
import { parseBoundedJson } from '../protocol/bounded-json.ts'
import type { RpcId } from '../protocol/jsonrpc.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const OPEN_OBJECT = 0x7b
const OPENS = new Set([0x5b, OPEN_OBJECT])
const CLOSES = new Set([0x5d, 0x7d])

/** Those that make it another message. */
const OTHERS: ReadonlySet<string> = new Set(['method', 'params'])
const MEMBERS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'result', 'error', ...OTHERS])
/** Of a key, an id or a result type; what is longer is none of ours. */
const LONGEST = 1024

/**
 * Answers for each part in turn whether it may pass. Exact for valid JSON; other text is refused by whoever reads it. `asking`: what is
 * asked of the client is judged elsewhere.
 */
export function ownAnswer(id: RpcId, asking?: 'asking'): (part: Buffer) => boolean {
  const seen = new Set<string>()
  let depth = 0
  let inString = false
  let escaped = false
  /** What is read now, a character a byte: a key or a plain value at the top, or at the top of the result. */
  let text = ''
  let key: unknown
  let member: unknown

  const isRead = (): boolean => depth === 1 || (depth === 2 && member === 'result')
  const take = (code: number): void => {
    if (text.length <= LONGEST) text += String.fromCharCode(code)
  }
  const taken = (): unknown => {
    const value = parseBoundedJson(Buffer.from(text, 'latin1').toString('utf8'))
    text = ''
    return value
  }
  const begin = (): boolean => {
    key = taken()
    if (depth !== 1) return true
    member = key
    if (typeof key !== 'string' || OTHERS.has(folded(key)) || !isReadAlike(key, seen)) return false
    return !(seen.has('result') && seen.has('error'))
  }
  const end = (): boolean => {
    const value = taken()
    // An error without an id is what a server sends that could not read ours.
    if (depth === 1 && key === 'id') return value === id || value === null
    return depth === 1 || key !== 'resultType' || value === 'complete' || asking !== undefined
  }
  const step = (code: number): boolean => {
    if (OPENS.has(code)) {
      depth++
      text = ''
      key = undefined
      return depth > 1 || code === OPEN_OBJECT
    }
    const read = isRead()
    if (CLOSES.has(code)) {
      const passes = !read || end()
      depth--
      // Its value has been passed over.
      key = undefined
      return passes
    }
    if (!read) return true
    if (code === COLON) return begin()
    if (code === COMMA) return end()
    take(code)
    return true
  }

  /** The index of the last byte of a string that nobody here reads, or of the part. */
  const pastString = (part: Buffer, from: number): number => {
    let at = from
    if (escaped) at++
    escaped = false
    const quote = part.indexOf(QUOTE, at)
    const end = quote === -1 ? part.length : quote
    let before = end
    while (before > at && part[before - 1] === BACKSLASH) before--
    const isEscaped = (end - before) % 2 === 1
    if (quote === -1) escaped = isEscaped
    else if (!isEscaped) inString = false
    return end
  }

  return (part) => {
    for (let at = 0; at < part.length; at++) {
      const code = part[at] ?? 0
      if (inString && !isRead()) at = pastString(part, at)
      else if (inString) {
        take(code)
        if (escaped) escaped = false
        else if (code === BACKSLASH) escaped = true
        else if (code === QUOTE) inString = false
      } else if (code === QUOTE) {
        inString = true
        if (isRead()) take(code)
      } else if (!step(code)) return false
    }
    return true
  }
}

/** A member of JSON-RPC is spelled once, and plainly: of two some readers take the first and some the last, and some do not look at the case. */
export function isReadAlike(key: string, seen: Set<string>): boolean {
  const name = folded(key)
  return !MEMBERS.has(name) || (key === name && seen.size !== seen.add(key).size)
}

/** As readers fold who fold at all: the long s and the Kelvin sign included. */
const folded = (key: string): string => key.toUpperCase().toLowerCase()
