// Values of Mcp-Name and Mcp-Param-* headers: MCP 2026-07-28, Transports, `=?base64?…?=` for what is not plain ASCII.
import { isUtf8 } from 'node:buffer'

const PREFIX = '=?base64?'
const SUFFIX = '?='
const CANONICAL = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const PLAIN = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/

/** What the header says, or `undefined` when it says nothing that two readers would agree on. */
export function decodeHeaderValue(value: string): string | undefined {
  if (value !== '' && !PLAIN.test(value)) return undefined
  // A sentinel in another case, or without its end, is plain text to one reader and encoded to the next.
  if (!/^=\?base64\?/i.test(value)) return value
  if (!value.startsWith(PREFIX) || !value.endsWith(SUFFIX) || value.length < PREFIX.length + SUFFIX.length)
    return undefined
  const encoded = value.slice(PREFIX.length, -SUFFIX.length)
  if (!CANONICAL.test(encoded)) return undefined
  const bytes = Buffer.from(encoded, 'base64')
  // Spare bits in the last character: two spellings of one value.
  if (bytes.toString('base64') !== encoded || !isUtf8(bytes)) return undefined
  return bytes.toString('utf8')
}

/** Writes a value so that `decodeHeaderValue` reads it back. */
export function encodeHeaderValue(value: string): string {
  if (value === '' || (PLAIN.test(value) && !/^=\?base64\?/i.test(value))) return value
  return PREFIX + Buffer.from(value, 'utf8').toString('base64') + SUFFIX
}
