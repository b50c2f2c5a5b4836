// What the operator wants a token to say beyond being genuine: `requiredClaims` and `claimValues`. Pure.
import type { ClaimValue, IssuerConfig } from '../config/issuers.ts'
import { type Claims, claimAt } from '../protocol/claims.ts'
import { wholeMatch } from '../protocol/simple-pattern.ts'

type Scalar = ClaimValue['values'][number]
/** Why the claims do not do; `undefined` when they do. */
export type JudgeClaims = (claims: Claims) => 'claim_required' | 'claim_value' | undefined

/** Longer values match no pattern: with the patterns that are admitted this bounds the time of a match. */
const LONGEST_MATCHED = 128

export function claimRules({
  requiredClaims,
  claimValues,
}: Pick<IssuerConfig, 'requiredClaims' | 'claimValues'>): JudgeClaims {
  const rules = Object.entries(claimValues).map(([path, rule]) => ({ path, holds: matcherOf(rule) }))
  return (claims) => {
    if (!requiredClaims.every((path) => isSaid(claimAt(claims, path)))) return 'claim_required'
    return rules.every(({ path, holds }) => holds(valuesAt(claims, path))) ? undefined : 'claim_value'
  }
}

/** `null` says nothing. */
const isSaid = (value: unknown): boolean => value !== undefined && value !== null

/** RFC 6749 §3.3: a scope is a list that is written as text. Any other text is one value, spaces and all. */
function valuesAt(claims: Claims, path: string): readonly unknown[] {
  const value = claimAt(claims, path)
  if (Array.isArray(value)) return value
  if (typeof value === 'string' && (path === 'scope' || path === 'scp')) return value.split(' ')
  return isSaid(value) ? [value] : []
}

type Holds = (said: readonly unknown[]) => boolean

function matcherOf({ values, matchType }: ClaimValue): Holds {
  const wanted: readonly unknown[] = values
  switch (matchType) {
    case 'exact':
      return (said) => said.length > 0 && said.every((value) => wanted.includes(value))
    case 'contains':
      return (said) => said.some((value) => wanted.includes(value))
    case 'containsAll':
      return (said) => wanted.every((value) => said.includes(value))
    case 'regex':
      return regexMatcher(values)
  }
}

function regexMatcher(values: readonly Scalar[]): Holds {
  const patterns = values.map((value) => wholeMatch(String(value)))
  const matches = (value: unknown) =>
    typeof value === 'string' && value.length <= LONGEST_MATCHED && patterns.some((pattern) => pattern.test(value))
  return (said) => said.some(matches)
}
