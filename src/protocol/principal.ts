// Who is calling, as every room sees it.
import { networkOf } from './network.ts'

export type PrincipalKind = 'person' | 'service' | 'agent' | 'anonymous'

/** How the caller proved who they are. `edge` is a proxy whose signature was checked, `proxy` one that is only trusted. */
export type AuthMethod =
  | 'access_token'
  | 'external_token'
  | 'api_token'
  | 'proxy'
  | 'edge'
  | 'certificate'
  | 'session'
  | 'password'
  | 'none'

/** What scopes have to do with a caller: bound by what they cover, only asked for the required ones, or none of it. */
export type ScopeRule = 'covers' | 'required' | 'none'

export interface Principal {
  readonly kind: PrincipalKind
  /** Our own id of the account (`sub` of our tokens); stable, never an e-mail address. */
  readonly subject: string
  /** Verified e-mail only, lower case. */
  readonly email: string | undefined
  readonly name: string | undefined
  readonly groups: readonly string[]
  readonly roles: readonly string[]
  readonly teams: readonly string[]
  /** The OAuth client that acts for the person. */
  readonly client: string | undefined
  /** Who vouches for the caller: `undefined` ourselves, else the issuer of the token or assertion, `proxy`, `certificate`. */
  readonly issuer: string | undefined
  /** What they are called there: `sub`, the value of the proxy's header, the name in the certificate; else the subject. */
  readonly identity: string
  readonly scopeRule: ScopeRule
  /** `server/tool` globs an API token is confined to. */
  readonly reach: readonly string[] | undefined
  /** Claims kept for conditions (`identity.claims`), as whoever vouches for the caller wrote them. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** What a trusted proxy's signed list confines the caller to; an empty one allows nothing. */
  readonly capabilities?: Capabilities | undefined
  /** Subject that the transport vouched for beside the credential that decided, where the two differ. */
  readonly beside: string | undefined
  readonly scopes: readonly string[]
  readonly method: AuthMethod
  /** The tokens of one authorization: the unit of revocation. */
  readonly family: string | undefined
  /** `jti` of the token. */
  readonly tokenId: string | undefined
  /** When the credential was issued, in milliseconds since the epoch. */
  readonly issuedAt: number | undefined
  /** When the credential ends, in milliseconds since the epoch; streams end with it. */
  readonly expiresAt: number | undefined
  /** On whose behalf, for delegation chains (RFC 8693 §4.1). */
  readonly actor: Principal | undefined
}

/** How somebody is known whom an issuer, a proxy or a certificate vouches for, before they have an account here. */
export const vouchedName = (issuer: string, identity: string): string => `${issuer}|${identity}`

/** What a caller was called before they had an account: what was given out under that name is theirs still. */
export function formerSubject({ subject, issuer, identity }: Principal): string | undefined {
  const former = issuer === undefined ? subject : vouchedName(issuer, identity)
  return former === subject ? undefined : former
}

/** By whom something is counted that each caller has a share of: nobody knows who has not signed in, but from which network they come. */
export const countedAs = ({ kind, subject }: Principal, address = ''): string =>
  kind === 'anonymous' ? `${subject}\0${networkOf(address)}` : subject

/** By the server's own name (`servers[].name`, else its id): the names of what may be used. A kind that is absent is not confined. */
export interface Capabilities {
  readonly tools?: ReadonlyMap<string, ReadonlySet<string>>
  readonly prompts?: ReadonlyMap<string, ReadonlySet<string>>
}

export const ANONYMOUS: Principal = Object.freeze({
  kind: 'anonymous',
  subject: 'anonymous',
  email: undefined,
  name: undefined,
  groups: [],
  roles: [],
  teams: [],
  client: undefined,
  issuer: undefined,
  identity: 'anonymous',
  scopeRule: 'none',
  reach: undefined,
  beside: undefined,
  scopes: [],
  method: 'none',
  family: undefined,
  tokenId: undefined,
  issuedAt: undefined,
  expiresAt: undefined,
  actor: undefined,
})

/** Stands in the record for whoever showed a credential that proved nobody. */
export const UNPROVED: Principal = Object.freeze({ ...ANONYMOUS, subject: 'unknown' })
