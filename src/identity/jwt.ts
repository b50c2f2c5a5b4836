// JSON Web Tokens that others signed: one reading only, then the signature. RFC 7515, RFC 7519, RFC 8725. What they say is judged by
// whoever asked; here it is proved that the issuer said it.
import type { KeyObject } from 'node:crypto'
import { compactVerify, errors } from 'jose'
import type { Claims } from '../protocol/claims.ts'
import { BearerError } from '../protocol/errors.ts'

export interface JwtHeader {
  readonly alg: string
  readonly kid: string | undefined
  /** Media type, lower case, without `application/`. */
  readonly typ: string | undefined
  readonly members: Claims
}

export interface Jwt {
  readonly header: JwtHeader
  readonly claims: Claims
}

/** Asked for the keys that may have signed this; throws where they cannot be had. */
export type FindKeys = (header: Pick<JwtHeader, 'alg' | 'kid'>) => Promise<readonly KeyObject[]>

const COMPACT = /^[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}$/
const LONGEST = 16_384
/** RFC 7515 §4.1, RFC 7516 §4.1: a key the token brings along, an extension that must be understood, an encryption. */
const FORBIDDEN = ['crit', 'jwk', 'jku', 'x5u', 'x5c', 'b64', 'enc', 'zip', 'epk', 'p2c', 'p2s'] as const
const DEEPEST = 32
const MOST_KEYS_TRIED = 4

// One sentence for every cause: which check failed is for the operator, not for the caller.
export const refuseToken = (reason: string): BearerError =>
  new BearerError('invalid_token', reason, 'The access token is not valid here.')

export const looksLikeJwt = (token: string): boolean => token.length <= LONGEST && COMPACT.test(token)

/** `iss` of a token that nobody has checked: good for choosing who checks it. */
export function peekIssuer(token: string): string | undefined {
  if (!looksLikeJwt(token)) return undefined
  try {
    const { iss }: Claims = JSON.parse(Buffer.from(token.split('.', 2)[1] ?? '', 'base64url').toString())
    return typeof iss === 'string' ? iss : undefined
  } catch {
    // Not JSON, or `null`: it names nobody.
    return undefined
  }
}

/** Reads without proving. Throws BearerError for whatever could be read in two ways, or asks for more than a signature check. */
export function parseJwt(token: string): Jwt {
  if (!looksLikeJwt(token)) throw refuseToken('malformed')
  const [head = '', body = '', signature = ''] = token.split('.')
  // Another string that still verifies would be a second name of one token (RFC 7515 Appendix C leaves no choice of form).
  if (![head, body, signature].every(isCanonical)) throw refuseToken('malformed')
  return { header: parseHeader(parseObject(head)), claims: parseObject(body) }
}

/** The claims, once one of the issuer's keys is proved to have signed them. */
export async function verifyJwt(
  token: string,
  { algorithms, findKeys }: { algorithms: readonly string[]; findKeys: FindKeys },
): Promise<Jwt> {
  const jwt = parseJwt(token)
  // RFC 8725 §3.1: which algorithms count is our decision, before any key is looked for.
  if (!algorithms.includes(jwt.header.alg)) throw refuseToken('algorithm')
  const keys = await findKeys(jwt.header)
  if (keys.length === 0) throw refuseToken('unknown_key')
  for (const key of keys.slice(0, MOST_KEYS_TRIED)) if (await isSignedBy(key, token, algorithms)) return jwt
  throw refuseToken('bad_signature')
}

async function isSignedBy(key: KeyObject, token: string, algorithms: readonly string[]): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: [...algorithms] })
    return true
  } catch (error) {
    if (error instanceof errors.JOSEError) return false
    throw error
  }
}

function parseHeader(members: Claims): JwtHeader {
  if (FORBIDDEN.some((name) => members[name] !== undefined)) throw refuseToken('header_forbidden')
  const { alg, kid, typ } = members
  if (typeof alg !== 'string' || !isOptionalText(kid) || !isOptionalText(typ)) throw refuseToken('malformed')
  // RFC 7515 §4.1.9: media types are compared without case, and `application/` may be left out.
  return { alg, kid, typ: typ?.toLowerCase().replace(/^application\/(?=[^/]+$)/, ''), members }
}

const isOptionalText = (value: unknown): value is string | undefined =>
  value === undefined || (typeof value === 'string' && value.length <= 1024)

const isCanonical = (segment: string): boolean => Buffer.from(segment, 'base64url').toString('base64url') === segment

function parseObject(segment: string): Claims {
  const claims = readClaims(Buffer.from(segment, 'base64url'))
  if (claims === undefined) throw refuseToken('malformed')
  return claims
}

/** The object that JSON text says, where every reader takes the same from it. */
export function readClaims(bytes: Uint8Array): Claims | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject && hasEachNameOnce(text, value) ? (value as Claims) : undefined
  } catch {
    // Told by whoever asked, like everything else that has no single reading.
    return undefined
  }
}

/** RFC 7519 §4, RFC 8725 §2.4: of a name that is written twice two readers take two values. `text` is valid JSON. */
function hasEachNameOnce(text: string, value: object): boolean {
  let written = 0
  for (const [, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) if (colon !== undefined) written++
  return written === countNames(value)
}

/** NaN, which equals nothing, for what nobody nests so deep. */
function countNames(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth > DEEPEST) return Number.NaN
  const own = Array.isArray(value) ? 0 : Object.keys(value).length
  return Object.values(value).reduce((sum: number, member: unknown) => sum + countNames(member, depth + 1), own)
}
