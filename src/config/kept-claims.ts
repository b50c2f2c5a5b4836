// Which claims are kept of a caller: those that the operator lists, and those that rules name.
import type { Config } from './schema.ts'

/** `claim:PATH=VALUE`, the subject of a rule. */
const CLAIM_SUBJECT = /^claim:([^=]+)=/

/** A rule about a claim that nobody kept would never match: an allow for nobody, a deny for nobody. */
export function keptClaims({ identity, policy }: Pick<Config, 'identity' | 'policy'>): string[] {
  const named = policy.rules.flatMap(({ to }) => to.flatMap((subject) => CLAIM_SUBJECT.exec(subject)?.[1] ?? []))
  const accessClaim = policy.resourceAccess === undefined ? [] : [policy.resourceAccess.claim]
  return [...new Set([...identity.claims, ...named, ...accessClaim])]
}
