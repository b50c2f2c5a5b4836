// Who may sign in, by verified e-mail address. Pure; asked at sign-in and again at every use.
import type { IdentityConfig } from '../config/identity.ts'
import { parseEmail, parseEmailPattern } from '../protocol/email.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { UserRecord } from '../store/durable.ts'

type Applicant = Pick<UserRecord, 'issuer' | 'email' | 'emailVerified'>
type Provider = IdentityConfig['providers'][number]

export const LOCAL_ISSUER = 'local'

/** Throws OperatorError for a pattern that could be read in two ways. */
export function createAdmission(identity: Pick<IdentityConfig, 'providers' | 'allowedEmails'>) {
  const general = emailMatcher(identity.allowedEmails)
  const byProvider = identity.providers.map((provider) => ({
    provider,
    // A provider's own list stands in place of the general one.
    admits:
      provider.type !== 'local' && provider.allowedEmails !== undefined
        ? emailMatcher(provider.allowedEmails)
        : general,
  }))
  return function isAdmitted({ issuer, email, emailVerified }: Applicant): boolean {
    const own =
      byProvider.find((entry) => isIssuer(entry.provider, issuer)) ??
      byProvider.find((entry) => isTenantOf(entry.provider, issuer))
    // A provider that was taken out of the configuration vouches for nobody any more, local accounts included.
    return own?.admits(emailVerified ? email : undefined) ?? false
  }
}

/** Nobody is listed: anyone the providers know. Otherwise only a verified address counts. */
export function emailMatcher(patterns: readonly string[]): (email: string | undefined) => boolean {
  const allowed = patterns.map(parsePattern)
  return (email) => {
    if (allowed.length === 0) return true
    const checked = parseEmail(email)
    if (checked === undefined) return false
    return allowed.some((pattern) =>
      pattern.startsWith('*') ? checked.slice(checked.indexOf('@')) === pattern.slice(1) : checked === pattern,
    )
  }
}

function parsePattern(pattern: string): string {
  const checked = parseEmailPattern(pattern)
  if (checked !== undefined) return checked
  throw new OperatorError(`allowedEmails: "${pattern}" is neither an address nor *@domain, such as *@example.com.`)
}

function isIssuer(provider: Provider, issuer: string): boolean {
  if (provider.type === 'local') return issuer === LOCAL_ISSUER
  const own = provider.type === 'delegated' ? provider.url.replace(/\/+$/, '') : provider.issuer
  return URL.canParse(issuer) && new URL(issuer).href === new URL(own).href
}

const TENANT = /^\/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\/v2\.0\/?$/

/** Entra: an authority for many tenants (or one named by its domain) signs with each tenant's own issuer. */
function isTenantOf(provider: Provider, issuer: string): boolean {
  if (provider.type !== 'entra' || !URL.canParse(issuer)) return false
  const { origin, pathname } = new URL(issuer)
  const configured = new URL(provider.issuer)
  return origin === configured.origin && !TENANT.test(configured.pathname) && TENANT.test(pathname)
}
