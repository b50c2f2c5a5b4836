// One spelling of a JSON value: RFC 8785 (JSON Canonicalization Scheme), for digests that must not depend on who wrote it down.
import { createHash } from 'node:crypto'

/** Of what JSON.parse gives. Throws TypeError for what is nested deeper than 200 levels. */
export function canonicalJson(value: unknown): string {
  return spell(value, 0)
}

/** SHA-256 of that spelling. */
export const canonicalDigest = (value: unknown): string =>
  createHash('sha256').update(canonicalJson(value)).digest('base64url')

const DEEPEST = 200

function spell(value: unknown, depth: number): string {
  if (depth > DEEPEST) throw new TypeError('The value is nested too deeply.')
  // RFC 8785 §3.2.2: literals, strings and numbers as ECMAScript writes them.
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  if (Array.isArray(value)) return `[${value.map((entry) => spell(entry, depth + 1)).join(',')}]`
  // RFC 8785 §3.2.3: sorted by UTF-16 code units, which is how strings compare.
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${members.map(([key, entry]) => `${JSON.stringify(key)}:${spell(entry, depth + 1)}`).join(',')}}`
}
