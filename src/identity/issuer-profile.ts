// What each kind of authorization server does otherwise than RFC 9068 has it: how its issuer is written, which of its JWTs are access
// tokens, and how a program's token is told from a person's. One entry a kind; what is not here is as the standard says.
import type { IssuerConfig } from '../config/issuers.ts'
import type { Claims } from '../protocol/claims.ts'
import type { Jwt } from './jwt.ts'
import { isOfItsTenant } from './kinds.ts'

export interface IssuerProfile {
  /** Where its metadata starts, and what that must call itself. */
  readonly discovery: string
  readonly calledItself: string
  /** Is this `iss` one of its own? */
  isIssuer(iss: string): boolean
  /** Whose account it is, with the subject: the tenant's own name where there are many, else always the same. */
  accountIssuer(claims: Claims): string
  /** Why a JWT that it signed does not count; `undefined` when it does. */
  findFlaw(jwt: Jwt): string | undefined
  /** Was the token given to a program for itself (client credentials), and not to it for a person? */
  isService(claims: Claims, client: string | undefined): boolean
}

type Findings = Pick<IssuerProfile, 'findFlaw' | 'isService'>
type Kind = IssuerConfig['type']

/** RFC 9068 §4 wants `at+jwt`; what came before it says `JWT`, or nothing. */
const TYPES: readonly (string | undefined)[] = ['at+jwt', 'jwt', undefined]
/** OpenID Connect Core §2 and §3.3.2.11: what only an ID token has. */
const ID_TOKEN_MARKS = ['nonce', 'at_hash', 'c_hash', 's_hash'] as const

function findCommonFlaw({ header, claims }: Jwt): string | undefined {
  // RFC 8417 §2.2, OpenID Connect Back-Channel Logout §2.4: an event is no credential.
  if (!TYPES.includes(header.typ) || claims['events'] !== undefined) return 'token_type'
  // RFC 9449 §7.1, RFC 8705 §3: bound to a key whose proof we do not ask for; taken as a bearer token it would be bound to nothing.
  return claims['cnf'] === undefined ? undefined : 'token_bound'
}

const isAccessTokenBy =
  (isAccessToken: (claims: Claims, typ: string | undefined) => boolean) =>
  (jwt: Jwt): string | undefined =>
    findCommonFlaw(jwt) ?? (isAccessToken(jwt.claims, jwt.header.typ) ? undefined : 'not_access_token')

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const KINDS: Readonly<Record<Kind, Findings>> = {
  generic: {
    findFlaw: isAccessTokenBy(
      (claims, typ) => typ === 'at+jwt' || ID_TOKEN_MARKS.every((name) => claims[name] === undefined),
    ),
    // RFC 9068 §2.2: where no person is involved, the subject is the client.
    isService: ({ sub }, client) => sub === client,
  },
  keycloak: {
    // Its ID, refresh and logout tokens carry the same header; older ones put `nonce` into access tokens.
    findFlaw: isAccessTokenBy(({ typ }) => typ === 'Bearer' || typ === undefined),
    isService: ({ preferred_username: name }, client) => name === `service-account-${client?.toLowerCase()}`,
  },
  okta: {
    // `okta-internal-at+jwt`: of its organization server, which nobody but Okta can check.
    findFlaw: isAccessTokenBy(({ cid }) => isText(cid)),
    isService: ({ sub }, client) => sub === client,
  },
  entra: {
    findFlaw: isAccessTokenBy(({ azp, appid }) => isText(azp) || isText(appid)),
    isService: ({ idtyp, scp, oid, sub }) => (isText(idtyp) ? idtyp === 'app' : scp === undefined && oid === sub),
  },
  auth0: {
    findFlaw: isAccessTokenBy(({ azp, client_id }) => isText(azp) || isText(client_id)),
    isService: ({ gty }) => gty === 'client-credentials',
  },
  google: {
    // Its access tokens are opaque and for itself; what others can check are its ID tokens.
    findFlaw: findCommonFlaw,
    isService: ({ email }) => isText(email) && email.endsWith('.gserviceaccount.com'),
  },
}

export function issuerProfile({ issuer, type, tenants }: IssuerConfig): IssuerProfile {
  const kind = KINDS[type]
  if (type === 'entra') return entraProfile(issuer, tenants, kind)
  // Google writes its name with and without the scheme, and says that both are it.
  const isIssuer =
    type === 'google' ? (iss: string) => iss === issuer || `https://${iss}` === issuer : (iss: string) => iss === issuer
  return { ...kind, discovery: issuer, calledItself: issuer, isIssuer, accountIssuer: () => issuer }
}

const TENANT_LETTERS = 36

/** Entra's authorities for every tenant, by the name their metadata has for the tenant. */
const tenantTemplate = (issuer: string): string => issuer.replace(/\/(?:common|organizations)(?=\/|$)/, '/{tenantid}')

/** An authority for many tenants signs in the name of each; which of them count is for the configuration to say. */
function entraProfile(issuer: string, tenants: readonly string[], { findFlaw, isService }: Findings): IssuerProfile {
  const template = tenantTemplate(issuer)
  const at = template.indexOf('{tenantid}')
  const counting = tenants.map((tenant) => tenant.toLowerCase())
  const isOwn = (claims: Claims) => at < 0 || isOfItsTenant(template, claims)
  const isCounting = (tid: unknown) => (at < 0 && counting.length === 0) || (isText(tid) && counting.includes(tid))
  return {
    isService,
    discovery: issuer.replace('{tenantid}', 'common'),
    calledItself: template,
    accountIssuer: ({ iss }) => (at < 0 ? issuer : String(iss)),
    isIssuer: (iss) => (at < 0 ? iss === issuer : isOwn({ iss, tid: iss.slice(at, at + TENANT_LETTERS) })),
    findFlaw(jwt) {
      if (!isOwn(jwt.claims)) return 'tenant_mismatch'
      return isCounting(jwt.claims['tid']) ? findFlaw(jwt) : 'tenant_unknown'
    },
  }
}
