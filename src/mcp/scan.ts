// A linear scan over JSON text before it is parsed: depth, number of keys, and keys that two parsers could read differently
// in every object that policy reads. Grammar is JSON.parse's job; what follows is exact for valid JSON. The text comes as one
// character a byte, whatever it means: all that counts here is ASCII, and a string is searched faster than a buffer.

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
interface KnownKey {
  readonly name: string
  readonly bit: number
  /** What the container is that it names. */
  readonly opens: number
}
const KNOWN_KEYS = KNOWN.map((names, kind) =>
  names.map((name, at): KnownKey => ({ name, bit: 1 << at, opens: kindOf(kind, name) })),
)
const ID = KNOWN_KEYS[ENVELOPE]?.find(({ name }) => name === 'id')
const LONGEST_KNOWN = Math.max(...KNOWN.flat().map(({ length }) => length))
/** By their length: a key is compared where it stands, which costs less than to cut it out and look it up. */
const SPELLED = KNOWN_KEYS.map((keys) =>
  Array.from({ length: LONGEST_KNOWN + 1 }, (_, length) => keys.filter(({ name }) => name.length === length)),
)
const FOLDED = KNOWN_KEYS.map((keys) => new Map(keys.map(({ name, bit }) => [name.toLowerCase(), bit])))
const NONE: readonly KnownKey[] = []
/** Objects that policy reads have few keys; the rest is arguments. */
const MOST_INSPECTED = 256
/** Without a backslash, which would begin an escape. */
const PLAIN = /^[\x20-\x5b\x5d-\x7e]*$/

/** What the containers are that the scan is inside of. A scan runs to its end before another begins. */
const open = new Uint8Array(LONGEST_DEPTH + 1)
/** What was read of the inspected objects, of which there is one of a kind at most: a bit for each known key. */
const seen = new Uint32Array(KNOWN.length)

/** Where the envelope's `id` value begins; -1 without one. Throws RpcError when the text could be read in two ways. */
export function scanMessage(text: string, limits: ScanLimits): number {
  const deepest = Math.min(limits.depth, LONGEST_DEPTH)
  seen.fill(0)
  const strange: string[] = []
  let depth = 0
  let keys = 0
  let isKey = false
  let next = ENVELOPE
  let idAt = -1
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at + 1)
        if (isKey) {
          isKey = false
          if (++keys > limits.keys) throw refused('json_keys', 'The message has too many keys.')
          const kind = open[depth] ?? OBJECT
          if (kind >= ENVELOPE) {
            const key = readKey(text, at + 1, end, kind, strange)
            next = key?.opens ?? OBJECT
            if (key === ID) idAt = valueAt(text, end + 1)
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
function endOfString(text: string, from: number): number {
  for (let quote = text.indexOf('"', from); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1
    while (before >= from && text.charCodeAt(before) === BACKSLASH) before--
    if ((quote - before) % 2 === 1) return quote
  }
  return text.length
}

/** One key of an inspected object: spelled once; and where it is none of ours, plain ASCII and not ours in another case. */
function readKey(text: string, from: number, to: number, kind: number, strange: string[]): KnownKey | undefined {
  const before = seen[kind] ?? 0
  for (const known of SPELLED[kind]?.[to - from] ?? NONE) {
    if (!text.startsWith(known.name, from)) continue
    if ((before & known.bit) !== 0) throw twice()
    seen[kind] = before | known.bit
    return known
  }
  checkStrange(text.slice(from, to), kind, strange)
  return undefined
}

/** Go's decoder folds, the Kelvin sign included. */
function checkStrange(key: string, kind: number, strange: string[]): void {
  if (!PLAIN.test(key)) throw refused('json_key_spelling', 'A key of the message is escaped or not ASCII.')
  const folded = key.toLowerCase()
  const meant = FOLDED[kind]?.get(folded)
  if (meant !== undefined && ((seen[kind] ?? 0) & meant) === 0)
    throw refused('json_key_case', 'A key of the message is spelled in another case.')
  const mark = `${kind} ${folded}`
  if (meant !== undefined || strange.includes(mark)) throw twice()
  if (strange.push(mark) > MOST_INSPECTED) throw refused('json_keys', 'The message has too many keys.')
}

const twice = () => refused('json_duplicate_key', 'A key of the message comes twice.')

function kindOf(parent: number, key: string): number {
  if (parent === ENVELOPE) return key === 'params' ? PARAMS : OBJECT
  if (parent !== PARAMS) return OBJECT
  if (key === '_meta') return META
  if (key === 'ref') return REFERENCE
  return key === 'notifications' ? FILTER : OBJECT
}

/** First byte of the value after a key: past whitespace and the colon. */
function valueAt(text: string, from: number): number {
  let at = from
  while (at < text.length) {
    const byte = text.charCodeAt(at)
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d && byte !== 0x3a) break
    at++
  }
  return at
}
