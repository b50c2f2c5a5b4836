// What a person's identity provider gives at sign-in, where a server behind the gate is reached with it. Kept in the vault alone.

export interface ProviderTokens {
  /** Id of the identity provider. */
  readonly provider: string
  readonly accessToken: string
  /** Its signature was checked when it came. */
  readonly idToken: string
  readonly refreshToken: string | undefined
  /** When the access token ends, in milliseconds since the epoch; `undefined`: it does not say. */
  readonly endsAt: number | undefined
}
