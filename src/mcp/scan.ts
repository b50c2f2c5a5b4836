// A linear scan over JSON text before it is parsed: depth, number of keys, and keys that two parsers could read differently
// in every object that policy reads. Grammar is JSON.parse's job; what follows is exact for valid JSON.

import { RpcError } from '../protocol/errors.ts'
import { RPC } from '../protocol/mcp.ts'

export interface ScanLimits {
  readonly depth: number
  readonly keys: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const LONGEST_DEPTH = 1024

// What a nested container is; from ENVELOPE on, its keys are inspected.
const ARRAY = 0
const OBJECT = 1
const ENVELOPE = 2
const PARAMS = 3
const META = 4
const REFERENCE = 5
const FILTER = 6

/** Keys that mean something to policy or to us, by the object they live in. A variant in another case is refused even alone. */
const KNOWN: readonly (readonly string[])[] = [
  [],
  [],
  ['jsonrpc', 'id', 'method', 'params', 'result', 'error'],
  [
    ...['name', 'uri', 'arguments', 'argument', 'ref', '_meta', 'taskId', 'notifications', 'cursor', 'requestState'],
    ...['inputResponses', 'protocolVersion', 'capabilities', 'clientInfo', 'requestId', 'progressToken', 'level'],
    'task',
  ],
  [
    'progressToken',
    ...['protocolVersion', 'clientCapabilities', 'clientInfo', 'logLevel'].map(
      (name) => `io.modelcontextprotocol/${name}`,
    ),
  ],
  ['type', 'name', 'uri'],
  ['toolsListChanged', 'promptsListChanged', 'resourcesListChanged', 'resourceSubscriptions', 'taskIds'],
]
/** The same by folded hash, so that the usual message is checked without making a string of any key. */
const BY_HASH = KNOWN.map(
  (names) =>
    new Map(names.map((name) => [foldedHash(Buffer.from(name), 0, name.length), { name, bytes: Buffer.from(name) }])),
)
/** Objects that policy reads have few keys; the rest is arguments. */
const MOST_INSPECTED = 256

/** Where the envelope's `id` value begins; -1 without one. Throws RpcError when the text could be read in two ways. */
export function scanMessage(text: Buffer, limits: ScanLimits): number {
  const deepest = Math.min(limits.depth, LONGEST_DEPTH)
  const open = new Uint8Array(deepest + 1)
  const seen: number[] = []
  let depth = 0
  let keys = 0
  let isKey = false
  let next = ENVELOPE
  let idAt = -1
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case QUOTE: {
        const end = endOfString(text, at + 1)
        if (isKey) {
          isKey = false
          if (++keys > limits.keys) throw refused('json_keys', 'The message has too many keys.')
          const kind = open[depth] ?? OBJECT
          if (kind >= ENVELOPE) {
            const key = checkKey(text, at + 1, end, kind, seen)
            next = kindOf(kind, key)
            if (kind === ENVELOPE && key === 'id') idAt = valueAt(text, end + 1)
          }
        }
        at = end
        break
      }
      case 0x7b: // {
        if (++depth > deepest) throw refused('json_depth', 'The message is nested too deeply.')
        open[depth] = next
        next = OBJECT
        isKey = true
        break
      case 0x5b: // [
        if (++depth > deepest) throw refused('json_depth', 'The message is nested too deeply.')
        open[depth] = ARRAY
        next = OBJECT
        break
      case 0x7d: // }
      case 0x5d: // ]
        if (depth > 0) depth--
        isKey = false
        break
      case 0x2c: // ,
        isKey = open[depth] !== ARRAY
        next = OBJECT
        break
    }
  }
  return idAt
}

const refused = (reason: string, message: string) => new RpcError(RPC.invalidRequest, reason, message)

/** Index of the closing quote; the end of the text when there is none. */
function endOfString(text: Buffer, from: number): number {
  // Most strings are short: a call into native code costs more than sixteen steps.
  let at = from
  for (const near = Math.min(from + 16, text.length); at < near; at++) {
    const byte = text[at]
    if (byte === QUOTE) return at
    if (byte === BACKSLASH) at++
  }
  for (let quote = text.indexOf(QUOTE, at); quote !== -1; quote = text.indexOf(QUOTE, quote + 1)) {
    let before = quote - 1
    while (before >= at && text[before] === BACKSLASH) before--
    if ((quote - before) % 2 === 1) return quote
  }
  return text.length
}

/** FNV-1a over the letters in lower case; -1 when a byte is not plain ASCII or begins an escape. */
function foldedHash(text: Buffer, from: number, to: number): number {
  let hash = 0x811c9dc5
  for (let at = from; at < to; at++) {
    const byte = text[at] ?? 0
    if (byte === BACKSLASH || byte > 0x7e || byte < 0x20) return -1
    hash = Math.imul(hash ^ (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte), 0x01000193)
  }
  return hash >>> 0
}

/**
 * One key of an inspected object: plain ASCII, spelled once, and not a known key in another case (Go's decoder folds, the Kelvin sign
 * included). Equal keys have equal hashes, so no second one is missed; that two different keys of a message meet is one in 2^32.
 */
function checkKey(text: Buffer, from: number, to: number, kind: number, seen: number[]): string {
  const hash = foldedHash(text, from, to)
  if (hash === -1) throw refused('json_key_spelling', 'A key of the message is escaped or not ASCII.')
  // Kinds share the list: one object of each kind is inspected at most.
  const mark = kind * 2 ** 32 + hash
  if (seen.includes(mark)) throw refused('json_duplicate_key', 'A key of the message comes twice.')
  if (seen.push(mark) > MOST_INSPECTED) throw refused('json_keys', 'The message has too many keys.')
  const known = BY_HASH[kind]?.get(hash)
  if (known === undefined) return ''
  if (!isSpelled(text, from, to, known.bytes))
    throw refused('json_key_case', 'A key of the message is spelled in another case.')
  return known.name
}

function isSpelled(text: Buffer, from: number, to: number, bytes: Buffer): boolean {
  if (to - from !== bytes.length) return false
  for (let at = 0; at < bytes.length; at++) if (text[from + at] !== bytes[at]) return false
  return true
}

function kindOf(parent: number, key: string): number {
  if (parent === ENVELOPE) return key === 'params' ? PARAMS : OBJECT
  if (parent !== PARAMS) return OBJECT
  if (key === '_meta') return META
  if (key === 'ref') return REFERENCE
  return key === 'notifications' ? FILTER : OBJECT
}

/** First byte of the value after a key: past whitespace and the colon. */
function valueAt(text: Buffer, from: number): number {
  let at = from
  while (at < text.length) {
    const byte = text[at]
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d && byte !== 0x3a) break
    at++
  }
  return at
}
