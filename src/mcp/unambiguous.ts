// A second, closer look at a message whose arguments rules read: whatever reader the server behind us uses must read what the rule read.
// RFC 8259 §4 leaves names that come twice to the reader, §6 the range of numbers; readers in Go fold the case of names.
// The text has been parsed before, so that its grammar, depth and number of keys are in order.
import { foldCase } from '../policy/misspelt.ts'
import type { Reading } from '../policy/policy.ts'
import { RpcError } from '../protocol/errors.ts'
import { RPC } from '../protocol/mcp.ts'

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const DECIMAL = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** Digits that every reader of doubles gives back as they were (IEEE 754). */
const EXACT = /^-?(?=[\d.]{1,16}$)\d{1,15}(?:\.\d{1,14})?$/

type Place = 'envelope' | 'params' | 'arguments' | 'other'

/** Members of `params` with what a tool or prompt is called with. */
const CARRY_ARGUMENTS = new Set(['arguments', 'argument', 'context'])

/**
 * Throws RpcError for a text that two readers could read differently. `names` are those that rules read of arguments: in another case
 * they are refused even alone, since a reader that folds case would find there what the rule did not.
 */
export function checkUnambiguous(body: Buffer, names: ReadonlySet<string> = NONE): void {
  readValue({ text: body.toString('utf8'), at: 0, names, folded: new Set([...names].map(foldCase)) }, 'envelope')
}

/** Only where rules read arguments: everywhere else the server's own reader is all that matters. */
export function checkReadArguments({ args, names }: Reading, body: Buffer): void {
  if (args) checkUnambiguous(body, names)
}

const NONE: ReadonlySet<string> = new Set()

interface Cursor {
  readonly text: string
  at: number
  readonly names: ReadonlySet<string>
  readonly folded: ReadonlySet<string>
}

function readValue(cursor: Cursor, place: Place): void {
  skipSpace(cursor)
  const first = cursor.text[cursor.at]
  if (first === '{') readObject(cursor, place)
  else if (first === '[') readArray(cursor, place)
  else if (first === '"') cursor.at = endOfString(cursor)
  else if (first === 't' || first === 'n') cursor.at += 4
  else if (first === 'f') cursor.at += 5
  else checkNumber(takeNumber(cursor))
}

function readObject(cursor: Cursor, place: Place): void {
  const names = new Set<string>()
  const folded = new Set<string>()
  for (let more = enter(cursor, '}'); more; more = goesOn(cursor)) {
    skipSpace(cursor)
    const name = readName(cursor)
    if (names.size === names.add(name).size) throw refused('json_duplicate_key', 'A key of the message comes twice.')
    if (place === 'arguments') checkCase(cursor, name, folded)
    skipSpace(cursor)
    cursor.at += 1
    readValue(cursor, within(place, name))
  }
}

function checkCase({ names, folded: read }: Cursor, name: string, seen: Set<string>): void {
  const folded = foldCase(name)
  if (seen.size === seen.add(folded).size)
    throw refused('json_key_case', 'Two keys of the arguments differ in case alone.')
  if (read.has(folded) && !names.has(name))
    throw refused('json_key_case', 'A key of the arguments is spelled in another case.')
}

function readArray(cursor: Cursor, place: Place): void {
  for (let more = enter(cursor, ']'); more; more = goesOn(cursor)) readValue(cursor, place)
}

function within(place: Place, name: string): Place {
  if (place === 'envelope') return name === 'params' ? 'params' : 'other'
  if (place === 'params') return CARRY_ARGUMENTS.has(name) ? 'arguments' : 'other'
  return place
}

/** Past the opening mark; `false`: there is nothing inside, and the closing one is behind us, too. */
function enter(cursor: Cursor, closing: string): boolean {
  cursor.at += 1
  skipSpace(cursor)
  if (cursor.text[cursor.at] !== closing) return true
  cursor.at += 1
  return false
}

/** Past the comma, else past the closing mark. */
function goesOn(cursor: Cursor): boolean {
  skipSpace(cursor)
  cursor.at += 1
  return cursor.text[cursor.at - 1] === ','
}

function skipSpace(cursor: Cursor): void {
  while (cursor.text.charCodeAt(cursor.at) <= 0x20) cursor.at += 1
}

function readName(cursor: Cursor): string {
  const { text, at } = cursor
  if (text[at] !== '"') throw lost(cursor)
  cursor.at = endOfString(cursor)
  const spelled = text.slice(at, cursor.at)
  return spelled.includes('\\') ? (JSON.parse(spelled) as string) : spelled.slice(1, -1)
}

/** Past the closing quote: the first that no backslash escapes. */
function endOfString(cursor: Cursor): number {
  const { text, at } = cursor
  for (let quote = text.indexOf('"', at + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1
    while (text[before] === '\\') before -= 1
    if ((quote - before) % 2 === 1) return quote + 1
  }
  throw lost(cursor)
}

function takeNumber(cursor: Cursor): string {
  NUMBER.lastIndex = cursor.at
  const [spelled] = NUMBER.exec(cursor.text) ?? []
  if (spelled === undefined) throw lost(cursor)
  cursor.at += spelled.length
  return spelled
}

/** The text was parsed before: what is no JSON here is a mistake of this file, and nothing may pass by it. */
const lost = ({ at }: Cursor) => new TypeError(`No JSON at ${at}.`)

/** A reader of decimals or of wide integers would get another number than we do. */
function checkNumber(spelled: string): void {
  if (EXACT.test(spelled)) return
  const value = Number(spelled)
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER || canonical(spelled) !== canonical(String(value)))
    throw refused('json_number', 'A number of the message is beyond what every reader reads alike.')
}

/** Digits without zeros at their ends, and the power of ten behind them. */
function canonical(spelled: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = DECIMAL.exec(spelled) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  const plain = digits.replace(/0+$/, '')
  return plain === '' ? '0' : `${plain}e${Number(exponent) - fraction.length + digits.length - plain.length}`
}

const refused = (reason: string, message: string) => new RpcError(RPC.invalidRequest, reason, message)
