// What must outlive everything: clients, people, consents, families, keys, revocations. Every method is one atomic act.
// Times are milliseconds since the epoch. Ids marked `Hash` are SHA-256 (base64url) of a secret we only compare.
import type { ApiTokens } from './api-tokens.ts'
import type { ConnectionRecords, UpstreamClients } from './connections.ts'
import type { Secrets } from './secrets.ts'
import type { ToolPins } from './tool-pins.ts'

export interface ClientRecord {
  readonly id: string
  /** Client metadata, RFC 7591 spelling, as the authorization server stores it. */
  readonly metadata: Readonly<Record<string, unknown>>
  readonly createdAt: number
  /** When a token was first issued to it; `undefined` marks a never-used client, which expires. */
  readonly usedAt: number | undefined
}

export interface Clients {
  save(client: { id: string; metadata: Record<string, unknown>; createdAt: number }): Promise<void>
  find(id: string): Promise<ClientRecord | undefined>
  remove(id: string): Promise<void>
  /** Sets `usedAt` once; later calls change nothing. */
  markUsed(id: string, at: number): Promise<void>
  /** Removes clients created before `before` that were never used; answers how many. */
  removeNeverUsed(before: number): Promise<number>
  count(): Promise<number>
}

/** The library's Grant: the tokens of one authorization. */
export interface FamilyRecord {
  readonly id: string
  readonly subject: string
  readonly client: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly expiresAt: number
}

export interface Families {
  /** Inserts or replaces; a family that has been revoked stays revoked. */
  save(family: FamilyRecord): Promise<void>
  find(id: string, now: number): Promise<FamilyRecord | undefined>
  /** Removes the family with its refresh tokens and codes, and records the revocation, in one transaction. Idempotent. */
  revoke(id: string, at: number, keepRevocationUntil: number): Promise<void>
}

export interface RefreshRecord {
  readonly idHash: string
  readonly family: string
  readonly payload: Readonly<Record<string, unknown>>
  /** Random, per family: with the server's key it derives the successor's id, so that every racer gets the same one. */
  readonly familySecret: string
  readonly expiresAt: number
}

export interface StoredRefresh extends RefreshRecord {
  readonly consumedAt: number | undefined
  /** The successor exists and was itself consumed. */
  readonly successorUsed: boolean
}

export type Rotation = { status: 'rotated' } | { status: 'retried' } | { status: 'reused' } | { status: 'unknown' }

export interface RefreshTokens {
  /** Adds nothing where the family is not there: revoked while the token was being made, it takes no token. */
  add(record: RefreshRecord): Promise<void>
  find(idHash: string, now: number): Promise<StoredRefresh | undefined>
  /**
   * Compare-and-set: marks `old` consumed and inserts `next` (of the same family), in one transaction.
   * Already consumed by the same successor, `consumedAt >= windowStart` and the successor unused: `retried`. Else `reused`.
   * `unknown`: no such token, an expired one, or one whose family is revoked.
   */
  rotate(act: { oldHash: string; next: RefreshRecord; now: number; windowStart: number }): Promise<Rotation>
}

export interface ConsentRecord {
  readonly subject: string
  readonly client: string
  readonly resource: string
  readonly redirectUri: string
  readonly scopes: readonly string[]
  readonly at: number
}

export interface Consents {
  /** Replaces what the person allowed this client for this resource through this redirect URI. */
  record(consent: ConsentRecord): Promise<void>
  find(key: {
    subject: string
    client: string
    resource: string
    redirectUri: string
  }): Promise<ConsentRecord | undefined>
}

export interface UserRecord {
  readonly id: string
  /** `local`, or the id of the identity provider's issuer; with `identity` the account's unique key (never the e-mail). */
  readonly issuer: string
  readonly identity: string
  readonly email: string | undefined
  readonly emailVerified: boolean
  readonly name: string | undefined
  readonly groups: readonly string[]
  readonly roles: readonly string[]
  readonly teams: readonly string[]
  /** Kept for conditions (`identity.claims`), as of the last sign-in; none for accounts that have no provider's claims. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  readonly administrator: boolean
  readonly disabled: boolean
  /** PHC string (argon2id), local accounts only. */
  readonly passwordHash: string | undefined
  readonly createdAt: number
  readonly updatedAt: number
}

export interface Users {
  find(id: string): Promise<UserRecord | undefined>
  findByIdentity(issuer: string, identity: string): Promise<UserRecord | undefined>
  /** The account with this verified address, where it is the only one: two of them are nobody in particular. */
  findOnlyByEmail(email: string): Promise<UserRecord | undefined>
  /** Inserts, or updates the attributes of the account with the same (issuer, identity); answers the stored record (its id may be older). */
  upsertByIdentity(user: UserRecord): Promise<UserRecord>
  /** Inserts only if no administrator exists; answers whether it did. Races have one winner. */
  createFirstAdministrator(user: UserRecord): Promise<boolean>
  hasAdministrator(): Promise<boolean>
  setDisabled(id: string, disabled: boolean, at: number): Promise<void>
}

export type KeyUse = 'signing' | 'cookie' | 'seal' | 'refresh' | 'api-token'

export interface KeyRecord {
  readonly id: string
  readonly use: KeyUse
  /** Private JWK for `signing`; base64url secret for the others; or the mark that the vault has it. */
  readonly material: string
  readonly createdAt: number
  /** From when it signs (published earlier); the newest active key signs. */
  readonly activeAt: number
  /** From when it is neither published nor accepted. */
  readonly retireAt: number | undefined
}

export interface Keys {
  list(use: KeyUse): Promise<KeyRecord[]>
  /** Inserts only if no key of that use exists, so that racing replicas agree; answers the keys that are there afterwards. */
  ensure(key: KeyRecord): Promise<KeyRecord[]>
  add(key: KeyRecord): Promise<void>
  /** Another form of the same material, only where it is still in the form that was seen. */
  replaceMaterial(id: string, from: string, to: string): Promise<boolean>
  retire(id: string, at: number): Promise<void>
}

export type RevocationKind = 'jti' | 'family' | 'client' | 'subject'

export interface Revocation {
  readonly kind: RevocationKind
  readonly value: string
  /** Tokens issued at or before this time are dead. */
  readonly at: number
  /** No token it could hit lives longer. */
  readonly expiresAt: number
}

export interface Revocations {
  /**
   * Numbered by one counter row in the same transaction (a sequence would lose late commits); answers the number.
   * One entry a (kind, value): a later one extends it and brings it under a new number.
   */
  add(revocation: Revocation): Promise<number>
  /** Entries numbered above `epoch`, and the newest number. */
  since(epoch: number): Promise<{ epoch: number; entries: Revocation[] }>
  /** What expired longer than CLOCK_GRACE ago. */
  removeExpired(now: number): Promise<number>
}

export interface Durable {
  readonly clients: Clients
  readonly families: Families
  readonly refreshTokens: RefreshTokens
  readonly consents: Consents
  readonly users: Users
  readonly keys: Keys
  readonly revocations: Revocations
  readonly apiTokens: ApiTokens
  readonly toolPins: ToolPins
  readonly secrets: Secrets
  readonly connections: ConnectionRecords
  readonly upstreamClients: UpstreamClients
}
