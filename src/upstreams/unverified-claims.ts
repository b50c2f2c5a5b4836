// What a token says of itself, where it is a JWT (RFC 7519 §3): read, and trusted for nothing but what its holder could as well do without it.
import { parseRecord } from '../protocol/json.ts'

/** `undefined`: it is none. Nobody checks its signature here. */
export function unverifiedClaims(token: string): Record<string, unknown> | undefined {
  const [, payload, signature, ...rest] = token.split('.')
  if (payload === undefined || signature === undefined || rest.length > 0) return undefined
  return parseRecord(Buffer.from(payload, 'base64url').toString())
}

/** `exp` (RFC 7519 §4.1.4), in milliseconds; `undefined`: it does not say. */
export function unverifiedExpiry(token: string): number | undefined {
  const { exp } = unverifiedClaims(token) ?? {}
  return typeof exp === 'number' ? exp * 1000 : undefined
}
