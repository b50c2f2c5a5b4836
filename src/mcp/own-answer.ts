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

const MEMBERS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'result', 'error'])
/** Those that make it another message. */
const OTHERS: ReadonlySet<string> = new Set(['method', 'params'])
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
    return typeof key === 'string' && isMember(key, seen)
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

  return (part) => {
    for (const code of part) {
      if (inString) {
        if (isRead()) take(code)
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

/** Of two members with one name some readers take the first and some the last, and some do not look at the case. */
function isMember(key: string, seen: Set<string>): boolean {
  const folded = key.toLowerCase()
  if (OTHERS.has(folded)) return false
  return !MEMBERS.has(folded) || (key === folded && seen.size !== seen.add(key).size)
}

/** Something that could be a second member of ours, at whatever depth. */
const SECOND = /"(?:jsonrpc|id|result|error|method|params)"\s*:|\\u00/i

/** Of a whole answer, whatever it asks; a usual one is told by its beginning. */
export function isOwnAnswer(text: Buffer, id: RpcId): boolean {
  const plain = text.toString('latin1')
  for (const member of ['result', 'error']) {
    const start = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"${member}":`
    if (plain.startsWith(start) && !SECOND.test(plain.slice(start.length))) return true
  }
  return ownAnswer(id, 'asking')(text)
}
