// Which claims are kept of a caller: those that the operator lists, and those that rules read.
import type { IdentityConfig } from './identity.ts'
import type { RuleConfig } from './policy.ts'
import type { Config } from './schema.ts'

/** `claim:PATH=VALUE`, the subject of a rule or a limit. */
const CLAIM_SUBJECT = /^claim:([^=]+)=/

/** A rule about a claim that nobody kept would never match: an allow for nobody, a deny for nobody. */
export function withKeptClaims({
  identity,
  policy,
  limits,
}: Pick<Config, 'identity' | 'policy' | 'limits'>): IdentityConfig {
  const subjects = [...policy.rules, ...limits].flatMap(({ to }) => to)
  const access = policy.resourceAccess === undefined ? [] : [policy.resourceAccess.claim]
  const named = [
    ...identity.claims,
    ...subjects.flatMap((subject) => CLAIM_SUBJECT.exec(subject)?.[1] ?? []),
    ...access,
  ]
  const read = policy.rules.flatMap(claimsRead).filter((name) => !named.some((path) => isWithin(path, name)))
  return { ...identity, claims: [...new Set([...named, ...read])] }
}

/** Of `principal.claims.org.unit` it is `org`: whoever lists `org.unit` keeps that alone. */
const isWithin = (path: string, name: string): boolean => path === name || path.startsWith(`${name}.`)

/** Found without the language of conditions, which is loaded only where it is needed; a name in a text is one too many, and does no harm. */
const CLAIM_READ = /\bprincipal\s*\.\s*claims\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*(["'])(.*?)\2\s*\])/g

const claimsRead = ({ when = '', unless = '' }: RuleConfig): readonly string[] =>
  [when, unless].flatMap((text) => [...text.matchAll(CLAIM_READ)].flatMap(([, name, , quoted]) => name ?? quoted ?? []))
