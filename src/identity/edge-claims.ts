// What the claims of an edge say of the caller, signed or not: each check throws a BearerError, each reading is hostile text.

import { type Claims, claimAt } from '../protocol/claims.ts'
import { parseEmail } from '../protocol/email.ts'
import { ClaimError, displayName, stringsAt } from './claims.ts'
import { refuseToken } from './jwt.ts'
import { type KeptPaths, keepClaims } from './kept-claims.ts'
import { lacksGroups } from './kinds.ts'
import { audiencesOf } from './token-claims.ts'

/** RFC 7519 §4.1.1: letter by letter. */
export function checkIssuer({ iss }: Claims, expected: string | undefined): void {
  if (expected !== undefined && iss !== expected) throw refuseToken('issuer_mismatch')
}

/** RFC 7519 §4.1.3: what was made for another application does not count here. */
export function checkAudience(claims: Claims, accepted: readonly string[] | undefined): void {
  if (accepted === undefined) return
  if (!audiencesOf(claims).some((one) => accepted.includes(one))) throw refuseToken('audience_mismatch')
}

/** Not skipped one by one: a group that silently went missing would open what a deny rule closes. */
export function groupsIn(claims: Claims, path: string | undefined): readonly string[] {
  if (path === undefined) return []
  if (lacksGroups(claims, path)) throw refuseToken('groups_overage')
  try {
    return stringsAt(claims, path)
  } catch (error) {
    throw error instanceof ClaimError ? refuseToken(error.reason) : error
  }
}

export function claimsIn(claims: Claims, kept: KeptPaths): Claims | undefined {
  try {
    return keepClaims([claims], kept)
  } catch (error) {
    throw error instanceof ClaimError ? refuseToken(error.reason) : error
  }
}

export const nameIn = (claims: Claims): string | undefined =>
  ['name', 'preferred_username'].flatMap((path) => displayName(claimAt(claims, path)) ?? [])[0]

/** Of an edge that vouches for addresses by naming them; where it says that one is not verified, it does not. */
export function namedEmail({ email, email_verified: verified }: Claims): string | undefined {
  return verified === undefined || verified === true || verified === 'true' ? parseEmail(email) : undefined
}
