// API tokens as the store keeps them: never a secret, only keyed hashes of the present one and, during a rotation, the one before.
// Times are milliseconds since the epoch.

/** Beside who and what: from where, when and how often a token may be used. */
export interface ApiTokenConditions {
  /** CIDR ranges or single addresses. */
  readonly addresses?: readonly string[] | undefined
  readonly hours?: ApiTokenHours | undefined
  readonly rate?: { readonly most: number; readonly window: number } | undefined
}

/** In UTC. */
export interface ApiTokenHours {
  /** 0 is Sunday. */
  readonly days: readonly number[]
  /** Minutes of the day; from this one on, and before that one. */
  readonly from: number
  readonly to: number
}

export interface ApiTokenRecord {
  readonly id: string
  /** Unique among the tokens of one owner that are not revoked. */
  readonly name: string
  readonly description: string | undefined
  readonly kind: 'person' | 'service'
  /** Id of the person's account, or `service:NAME`. */
  readonly owner: string
  readonly createdBy: string
  /** What lists show of the secret. */
  readonly mask: string
  readonly secretHash: string
  /** The secret before the last rotation: known as ours, and good until `previousUntil`. */
  readonly previousHash: string | undefined
  /** `undefined`: it has ended, or there was none. */
  readonly previousUntil: number | undefined
  /** `undefined`: not bound to scopes. */
  readonly scopes: readonly string[] | undefined
  /** `server/tool` targets it is confined to; `undefined`: whatever its owner may. */
  readonly reach: readonly string[] | undefined
  readonly team: string | undefined
  readonly conditions: ApiTokenConditions
  readonly createdAt: number
  /** When the present secret was made. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly lastUsedAt: number | undefined
  readonly revokedAt: number | undefined
  readonly revokedBy: string | undefined
  readonly revokedReason: string | undefined
  /** Milliseconds between rotations, where the token has such a policy. */
  readonly rotateEvery: number | undefined
  readonly rotateAt: number | undefined
}

export interface ApiTokenRotation {
  readonly id: string
  /** Compared and set: of two rotations at once, one wins. */
  readonly oldHash: string
  readonly secretHash: string
  readonly mask: string
  /** `undefined`: the old secret ends at once. */
  readonly previousUntil: number | undefined
  readonly expiresAt: number
  readonly rotateAt: number | undefined
  readonly now: number
}

/** What is announced once: that a token ends soon, that its rotation is due. */
export type ApiTokenNotice = 'expiry' | 'rotation'

export interface ApiTokens {
  /** Counts and compares in the same transaction; what has expired neither counts nor keeps its name. */
  create(token: ApiTokenRecord, mostLiving: number): Promise<'created' | 'name_taken' | 'too_many'>
  find(id: string): Promise<ApiTokenRecord | undefined>
  /** By its present secret, or by the one before it; whether either is still good is for the caller to see. */
  findBySecret(hash: string): Promise<ApiTokenRecord | undefined>
  /** Newest first. `living`: neither revoked nor expired then. */
  list(which: {
    owner?: string | undefined
    living?: number | undefined
    limit: number
    offset: number
  }): Promise<ApiTokenRecord[]>
  rename(id: string, to: { name: string; description: string | undefined }): Promise<'renamed' | 'name_taken'>
  /** `undefined`: it was rotated meanwhile, is in a transition, or has ended. */
  rotate(rotation: ApiTokenRotation): Promise<ApiTokenRecord | undefined>
  /** With its entry in the list of revocations (kind `family`), in one transaction; `false` when it was revoked before. */
  revoke(act: { id: string; at: number; by: string; reason: string | undefined; expiresAt: number }): Promise<boolean>
  /** Undoes a creation that could not be recorded. */
  remove(id: string): Promise<void>
  /** May lose its last writes to a power cut. */
  markUsed(id: string, at: number): Promise<void>
  /**
   * Claims the notice for the caller: of any number of racers one is told of a token. `before`: the latest time it is about;
   * the end of a token is told in the last quarter of its life.
   */
  announce(notice: ApiTokenNotice, when: { now: number; before: number }): Promise<ApiTokenRecord[]>
  /** Gives a claimed notice back. */
  withdraw(notice: ApiTokenNotice, id: string): Promise<void>
  /** Tokens whose old secret has had its time. */
  pastTransitions(now: number): Promise<ApiTokenRecord[]>
  endPrevious(id: string, hash: string): Promise<void>
  /** What has been expired or revoked since before then; answers how many. */
  removeDead(before: number): Promise<number>
}
