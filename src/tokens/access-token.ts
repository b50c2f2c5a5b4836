// What one of our access tokens says once it is proved: RFC 9068 §2.2, and the family it belongs to.

export interface AccessToken {
  readonly jti: string
  readonly subject: string
  readonly client: string
  readonly audience: string
  readonly scopes: readonly string[]
  /** oidc-provider's grant id: the unit of revocation. Absent for grants without a person. */
  readonly family: string | undefined
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
  readonly expiresAt: number
}

/** Proves a token string for one of the resources; throws BearerError `invalid_token`. */
export type VerifyAccessToken = (token: string, resources: readonly string[]) => Promise<AccessToken>
