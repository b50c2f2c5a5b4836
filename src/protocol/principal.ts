// Who is calling, as every room sees it.

export type PrincipalKind = 'person' | 'service' | 'agent' | 'anonymous'

/** How the caller proved who they are; more ways come with more doors. */
export type AuthMethod = 'access_token' | 'none'

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

export const ANONYMOUS: Principal = Object.freeze({
  kind: 'anonymous',
  subject: 'anonymous',
  email: undefined,
  name: undefined,
  groups: [],
  roles: [],
  teams: [],
  client: undefined,
  scopes: [],
  method: 'none',
  family: undefined,
  tokenId: undefined,
  issuedAt: undefined,
  expiresAt: undefined,
  actor: undefined,
})
