// From the claims of a proved token to who is calling: the same rules as at sign-in, where the same provider says the same things.
import type { IdentityConfig } from '../config/identity.ts'
import type { IssuerConfig } from '../config/issuers.ts'
import { type Claims, claimAt } from '../protocol/claims.ts'
import { ClaimError, displayName, stringsAt, verifiedEmail } from './claims.ts'
import type { IssuerProfile } from './issuer-profile.ts'
import { refuseToken } from './jwt.ts'
import { keepClaims } from './kept-claims.ts'
import { KINDS, keptOf, lacksGroups } from './kinds.ts'
import { clientOf, type Lifetime, scopesOf, subjectOf, tokenIdOf } from './token-claims.ts'
import type { Vouched } from './vouched.ts'

type Name = 'groups' | 'roles' | 'teams'
type Mapping = Readonly<Record<Name, readonly string[]>>

/** The issuer's own paths, else the general one, else what its kind is known to use. */
function mappingOf(config: IssuerConfig, general: IdentityConfig['mapping']): Mapping {
  const choose = (name: Name): readonly string[] => {
    const own = config.mapping[name] ?? general[name] ?? kindOf(config).mapping[name] ?? name
    return typeof own === 'string' ? [own] : own
  }
  return { groups: choose('groups'), roles: choose('roles'), teams: choose('teams') }
}

const kindOf = ({ type }: IssuerConfig) => KINDS[type === 'generic' ? 'oidc' : type]

export interface CallerReader {
  /** Claims that the issuer left out and that matter: taken as none they would slip past a deny rule. */
  findFlaw(claims: Claims): 'groups_overage' | undefined
  /** Throws BearerError for claims of another shape. */
  read(claims: Claims, lifetime: Lifetime): Vouched
}

export function callerReader(
  config: IssuerConfig,
  { identity, profile }: { identity: Pick<IdentityConfig, 'mapping' | 'claims'>; profile: IssuerProfile },
): CallerReader {
  const mapping = mappingOf(config, identity.mapping)
  const kept = keptOf(config.mapping, identity)
  const { proof } = kindOf(config)

  /** Throws ClaimError: a group that silently went missing would open what a deny rule closes. */
  function attributesOf(claims: Claims): Pick<Vouched, Name> {
    const all = (name: Name) => [...new Set(mapping[name].flatMap((path) => stringsAt(claims, path)))]
    return { groups: all('groups'), roles: all('roles'), teams: all('teams') }
  }

  function callerOf(claims: Claims, { issuedAt, endsAt }: Lifetime): Vouched {
    const client = clientOf(claims)
    const [name] = ['name', 'preferred_username'].flatMap((path) => displayName(claimAt(claims, path)) ?? [])
    return {
      kind: profile.isService(claims, client) ? 'service' : 'person',
      method: 'external_token',
      issuer: profile.accountIssuer(claims),
      identity: subjectOf(claims),
      email: verifiedEmail(claims, proof),
      name,
      ...attributesOf(claims),
      claims: keepClaims([claims], kept),
      client,
      scopes: scopesOf(claims),
      scopeRule: config.scopes ? 'covers' : 'required',
      tokenId: tokenIdOf(claims),
      issuedAt,
      expiresAt: endsAt,
    }
  }

  return {
    findFlaw: (claims) => (mapping.groups.some((path) => lacksGroups(claims, path)) ? 'groups_overage' : undefined),
    read(claims, lifetime) {
      try {
        return callerOf(claims, lifetime)
      } catch (error) {
        if (error instanceof ClaimError) throw refuseToken(error.reason)
        throw error
      }
    },
  }
}
