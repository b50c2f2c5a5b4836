// What differs between the kinds of providers that speak in claims: where their claims are, and what they take as proof of an e-mail address.
import type { DelegatedProviderConfig, IdentityConfig, OpenidProviderConfig } from '../config/identity.ts'
import { type Claims, claimAt } from '../protocol/claims.ts'
import type { ClaimPaths, EmailProof } from './claims.ts'
import type { KeptPaths } from './kept-claims.ts'
import { FederationError } from './provider.ts'

interface Kind {
  readonly mapping: Partial<ClaimPaths>
  readonly proof: EmailProof
}

const STANDARD: EmailProof = { verifiedBy: ['email_verified'], loose: false }
const AS_TEXT: EmailProof = { verifiedBy: ['email_verified'], loose: true }

type ClaimsProvider = OpenidProviderConfig | DelegatedProviderConfig

export const KINDS: Readonly<Record<ClaimsProvider['type'], Kind>> = {
  oidc: { mapping: {}, proof: STANDARD },
  // Entra's `email` is whatever a tenant's administrator typed (nOAuth); `xms_edov` says that the domain's owner verified it.
  entra: { mapping: {}, proof: { verifiedBy: ['email_verified', 'xms_edov'], loose: true } },
  okta: { mapping: {}, proof: AS_TEXT },
  auth0: { mapping: {}, proof: AS_TEXT },
  google: { mapping: {}, proof: AS_TEXT },
  keycloak: { mapping: { roles: 'realm_access.roles' }, proof: AS_TEXT },
  // What it passes on may come from any of them.
  delegated: { mapping: {}, proof: AS_TEXT },
}

const PLAIN: ClaimPaths = { groups: 'groups', roles: 'roles', teams: 'teams' }

/** The provider's own path, else the general one, else what its kind is known to use. */
export function mappingOf(provider: ClaimsProvider, general: IdentityConfig['mapping']): ClaimPaths {
  const choose = (name: keyof ClaimPaths) =>
    provider.mapping?.[name] ?? general[name] ?? KINDS[provider.type].mapping[name] ?? PLAIN[name]
  return { groups: provider.groupsClaim ?? choose('groups'), roles: choose('roles'), teams: choose('teams') }
}

/** The provider's own path of the organisation, else the general one. */
export const keptOf = (
  own: { readonly organisation?: string | undefined } | undefined,
  { mapping, claims }: Pick<IdentityConfig, 'mapping' | 'claims'>,
): KeptPaths => ({ claims, organisation: own?.organisation ?? mapping.organisation })

/** Entra with many tenants: the issuer must be that of the tenant the token names, or any tenant could vouch for another's people. */
export const isOfItsTenant = (issuer: string, { iss, tid }: Claims): boolean =>
  typeof tid === 'string' && /^[0-9a-f-]{36}$/.test(tid) && iss === issuer.replace('{tenantid}', tid)

export function checkTenant(issuer: string, claims: Claims): void {
  if (!isOfItsTenant(issuer, claims)) throw new FederationError('refused', 'tenant_mismatch')
}

/** OpenID Connect Core §5.6.2: Entra leaves out the groups of people who have too many. Taken as none they would slip past a deny rule. */
export const lacksGroups = (claims: Claims, path: string): boolean =>
  claimAt(claims, `_claim_names.${path}`) !== undefined

export function checkGroupsAreThere(claims: Claims, path: string): void {
  if (lacksGroups(claims, path)) throw new FederationError('refused', 'groups_overage')
}
