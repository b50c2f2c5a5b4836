// What an access token of another issuer says, read once: RFC 9068 §2.2, RFC 7662 §2.2, and the spellings of issuers that came before.
// Every value is hostile text until it has its type.
import type { IssuerConfig } from '../config/issuers.ts'
import { type Claims, claimAt } from '../protocol/claims.ts'
import { canonicalScope, parseScope } from '../protocol/scope.ts'
import { refuseToken } from './jwt.ts'

const text = (value: unknown): value is string => typeof value === 'string' && value !== '' && value.length <= 1024

/** RFC 7519 §2: a NumericDate may have a fraction. */
const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 && value < 1e11

export interface Lifetime {
  /** Milliseconds since the epoch. */
  readonly issuedAt: number | undefined
  /** Last moment at which it counts here, tolerance included. */
  readonly endsAt: number
}

/** RFC 9068 §4, RFC 7519 §4.1.4 to §4.1.6, and the oldest that the operator takes. */
export function checkLifetime(
  { exp, nbf, iat }: Claims,
  { clockTolerance, maxTokenAge }: Pick<IssuerConfig, 'clockTolerance' | 'maxTokenAge'>,
  now: number,
): Lifetime {
  const isPast = (value: unknown) => value === undefined || (isTime(value) && value * 1000 <= now + clockTolerance)
  if (!isTime(exp)) throw refuseToken('claim_type')
  if (!isPast(nbf) || !isPast(iat)) throw refuseToken('not_yet_valid')
  const issuedAt = isTime(iat) ? iat * 1000 : undefined
  if (maxTokenAge !== undefined && issuedAt === undefined) throw refuseToken('claim_type')
  const oldest = maxTokenAge === undefined ? Number.POSITIVE_INFINITY : (issuedAt ?? 0) + maxTokenAge
  const endsAt = Math.min(exp * 1000, oldest) + clockTolerance
  if (endsAt <= now) throw refuseToken('expired')
  return { issuedAt, endsAt }
}

export function subjectOf({ sub }: Claims): string {
  if (!text(sub)) throw refuseToken('claim_type')
  return sub
}

/** RFC 7519 §4.1.3: one audience, or several; none where it is no such thing. */
export function audiencesOf({ aud }: Claims): readonly string[] {
  const all: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  return all.every(text) ? all : []
}

/** `client_id` by RFC 9068 and RFC 8693, `azp` by OpenID Connect; Okta says `cid`, Entra's version 1 `appid`. */
export function clientOf(claims: Claims): string | undefined {
  return ['client_id', 'azp', 'cid', 'appid'].map((name) => claims[name]).find(text)
}

/** RFC 9068 §2.2.3.1: `scope` with spaces; Okta and Entra say `scp`, as text or as a list. */
export function scopesOf(claims: Claims): readonly string[] {
  const said = claims['scope'] ?? claims['scp'] ?? ''
  const words = Array.isArray(said) ? said : parseScope(typeof said === 'string' ? said : '')
  if (typeof said !== 'string' && !Array.isArray(said)) throw refuseToken('claim_type')
  if (!words.every(text)) throw refuseToken('claim_type')
  return [...new Set(words.map(canonicalScope))]
}

/** `jti`; Entra says `uti`. */
export function tokenIdOf(claims: Claims): string | undefined {
  return [claims['jti'], claimAt(claims, 'uti')].find(text)
}
