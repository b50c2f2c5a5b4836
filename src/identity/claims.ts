// From an identity provider's claims to what we know of a person (OpenID Connect Core §5.1). Pure; every value is hostile text.
import { type Claims, claimAt } from '../protocol/claims.ts'
import { parseEmail } from '../protocol/email.ts'
import type { ProviderTokens } from '../protocol/provider-tokens.ts'

/** A person as an identity provider vouches for them. `issuer` and `subject` together are the account; the e-mail never is. */
export interface Profile {
  readonly provider: string
  readonly issuer: string
  readonly subject: string
  /** Verified, lower case; `undefined` when the provider does not vouch for it. */
  readonly email: string | undefined
  readonly name: string | undefined
  readonly groups: readonly string[]
  readonly roles: readonly string[]
  readonly teams: readonly string[]
  /** For conditions. */
  readonly claims?: Claims | undefined
  /** Where they are kept; for the vault, and nothing else. */
  readonly tokens?: ProviderTokens | undefined
}

/** A claim has a shape that cannot be trusted. Not skipped: a group that silently went missing would open what a deny rule closes. */
export class ClaimError extends Error {
  override readonly name = 'ClaimError'
  readonly reason = 'claim_malformed'
  readonly path: string
  constructor(path: string) {
    super(`The claim ${path} is malformed.`)
    this.path = path
  }
}

const MOST_VALUES = 1000
const LONGEST_VALUE = 256
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

/** One text or a list of texts, each once; absent is none. Throws ClaimError for anything else. */
export function stringsAt(claims: Claims, path: string): string[] {
  const value = claimAt(claims, path)
  if (value === undefined || value === null || value === '') return []
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (values.length > MOST_VALUES) throw new ClaimError(path)
  return [...new Set(values.map((entry) => checkText(entry, path)))]
}

export const isPlainText = (text: string): boolean => !CONTROL.test(text) && text.isWellFormed()

function checkText(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '' || value.length > LONGEST_VALUE || CONTROL.test(value))
    throw new ClaimError(path)
  return value
}

export interface EmailProof {
  /** Claims of which one must vouch for the address. */
  readonly verifiedBy: readonly string[]
  /** The provider is known to write booleans as text (or `1`). */
  readonly loose: boolean
}

export function verifiedEmail(claims: Claims, { verifiedBy, loose }: EmailProof): string | undefined {
  const vouched = verifiedBy.some((name) => {
    const value = claimAt(claims, name)
    return value === true || (loose && (value === 'true' || value === '1' || value === 1))
  })
  return vouched ? parseEmail(claimAt(claims, 'email')) : undefined
}

/** For showing only: control characters and those that turn the reading direction are taken out, the rest cut to size. */
export function displayName(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const clean = value.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim()
  return clean === '' ? undefined : [...clean].slice(0, 100).join('')
}

/** Where the claims are. */
export interface ClaimPaths {
  readonly groups: string
  readonly roles: string
  readonly teams: string
}

export interface ProfileSource {
  readonly provider: string
  readonly issuer: string
  readonly subject: string
  readonly mapping: ClaimPaths
  readonly proof: EmailProof
}

/** `sources`: ID token first, then UserInfo. A claim is taken whole from the first that has it; an address only beside its own proof. */
export function profileOf(sources: readonly Claims[], from: ProfileSource): Profile {
  const { provider, issuer, subject, mapping, proof } = from
  const holder = (path: string) => sources.find((claims) => claimAt(claims, path) !== undefined) ?? {}
  const [email] = sources.flatMap((claims) => verifiedEmail(claims, proof) ?? [])
  const [name] = ['name', 'preferred_username'].flatMap((path) => displayName(claimAt(holder(path), path)) ?? [])
  return {
    provider,
    issuer,
    subject,
    email,
    name,
    groups: stringsAt(holder(mapping.groups), mapping.groups),
    roles: stringsAt(holder(mapping.roles), mapping.roles),
    teams: stringsAt(holder(mapping.teams), mapping.teams),
  }
}
