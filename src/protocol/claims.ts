// What somebody vouches for of a caller, by name: the members of a token's payload (RFC 7519 §4), or of a document like it.
import { isRecord } from './json.ts'

export type Claims = Readonly<Record<string, unknown>>

/** The value at a path: the whole path as one claim name first (`https://example.com/groups`), then step by step. Own properties only. */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const step of path.split('.')) {
    if (!isRecord(value) || !Object.hasOwn(value, step)) return undefined
    value = value[step]
  }
  return value
}
