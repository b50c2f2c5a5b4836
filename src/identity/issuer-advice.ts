// What the operator is told when tokens of a configured issuer do not count: which of them it was, and what to change. Now and then,
// since callers cause it; never a token, and nothing of it goes to the caller.
import type { IssuerConfig } from '../config/issuers.ts'
import type { Log } from '../observe/log.ts'
import { rarely } from '../observe/rarely.ts'
import type { Claims } from '../protocol/claims.ts'
import type { Clock } from '../protocol/clock.ts'
import { issuerAdvice } from './issuer-metadata.ts'

export interface Advice {
  /** A token names an issuer that is not ours by a letter, or by its version. */
  nearMiss(iss: string): void
  /** It is genuine, and made for somebody else. */
  audience(named: readonly string[], accepted: readonly string[]): void
  /** It is genuine, and refused for one of the reasons that a setting here or there would cure. */
  refused(reason: string, claims: Claims): void
}

const TOLD = { every: 600_000, most: 10 }

const CURES: Readonly<Record<string, string>> = {
  groups_overage:
    'A person has more groups than fit, and the token names none. In Entra, choose "Groups assigned to the application" for the groups claim, or use app roles.',
  audience_missing:
    'It names no audience. Have the issuer put the URL of the server into it, or a name that audience of the issuer accepts; in Keycloak by an Audience mapper in a client scope that clients ask for.',
  not_access_token: 'The client sent an ID token (or one without a client). It has to send the access token.',
  token_type:
    'It is a JWT of another type. Of Okta, only tokens of a custom authorization server can be checked by others.',
  token_bound:
    'It is bound to a key of its client (DPoP or mTLS), which is not checked here. Let the issuer give this client bearer tokens.',
  tenant_unknown: 'It is of a tenant that is not listed. Add it to tenants of this issuer if it counts.',
  claim_required: 'A claim of requiredClaims is missing.',
  claim_value: 'A claim does not say what claimValues wants.',
}

const normal = (issuer: string): string => issuer.replace(/\/+$/, '').toLowerCase()

/** Entra, version 1 and version 2 of one tenant: two names, and the manifest of the API decides which one is in its tokens. */
const V1 = /^https:\/\/sts\.windows\.net\/([0-9a-f-]{36})\/$/
const V2 = /^https:\/\/login\.microsoftonline\.com\/([0-9a-f-]{36})\/v2\.0$/
const tenantOf = (issuer: string): string | undefined => (V1.exec(issuer) ?? V2.exec(issuer))?.[1]

export function issuerAdvisor(
  { issuer, type }: IssuerConfig,
  { configured, log, clock }: { configured: ReadonlySet<string>; log: Log; clock: Clock },
): Advice {
  const isTime = rarely({ ...TOLD, clock })
  const warn = (about: string, message: string, detail: object = {}) => {
    if (isTime(about)) log.warn({ issuer, setting: 'auth.issuers', ...detail }, message)
  }
  return {
    nearMiss(iss) {
      if (iss === issuer || configured.has(iss)) return
      if (normal(iss) === normal(issuer)) warn('letters', issuerAdvice(issuer, iss))
      else if (type === 'entra' && tenantOf(iss) !== undefined && tenantOf(iss) === tenantOf(issuer))
        warn(
          'version',
          `auth.issuers: tokens of this tenant come as ${JSON.stringify(iss)}. List that issuer too, or set requestedAccessTokenVersion in the manifest of the API.`,
        )
    },
    audience(named, accepted) {
      warn(
        `audience ${named.join(' ')}`.slice(0, 300),
        'A token of this issuer is for another audience. Set audience of the issuer to what its tokens name, or have them name what is accepted.',
        { named: named.slice(0, 5), accepted: accepted.slice(0, 5) },
      )
    },
    refused(reason, { sub, azp, client_id: client }) {
      const cure = CURES[reason]
      if (cure !== undefined)
        warn(reason, `A genuine token of this issuer is refused (${reason}). ${cure}`, { sub, azp, client })
    },
  }
}
