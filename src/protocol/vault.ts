// Secrets kept for later use, as the rooms that need them see it. Nothing here lists values: a secret is asked for by its place.

/** Whose secret, for which upstream, and which of its parts. */
export interface SecretPlace {
  readonly principal: string
  readonly upstream: string
  /** Such as `refresh_token`; one secret a field. */
  readonly field: string
}

/** All that is ever told of a secret without opening it. */
export interface SecretMetadata extends SecretPlace {
  /** Grows with every change, never used twice in one place. */
  readonly version: number
  /** The key its data key is wrapped with. */
  readonly keyId: string
  readonly createdAt: number
  readonly updatedAt: number
}

/** `conflict`: another version is there than the one expected; nothing was changed. */
export type SecretStored = { status: 'stored'; version: number } | { status: 'conflict' }

/** Most bytes of one secret. */
export const LONGEST_SECRET = 64 * 1024

export interface Vault {
  /** Committed to the disk before it resolves. `expectedVersion` 0: only where nothing is; none: whatever is there. */
  put(place: SecretPlace, secret: Buffer, options?: { expectedVersion?: number }): Promise<SecretStored>
  /** A copy, the caller's to overwrite after use; `undefined` where nothing is. Throws SecretUnreadable. */
  get(place: SecretPlace): Promise<{ secret: Buffer; version: number } | undefined>
  /** `false` where nothing (of that version) was there. */
  remove(place: SecretPlace, options?: { expectedVersion?: number }): Promise<boolean>
  list(principal: string): Promise<readonly SecretMetadata[]>
}

/** `altered`: moved, cut or changed since it was sealed. `replayed`: it is older than what was seen here. */
export type UnreadableReason = 'secret_altered' | 'secret_replayed' | 'vault_key_missing' | 'vault_key_unavailable'

/** The secret is not handed out. Closed, and told: the caller goes on without it or not at all. */
export class SecretUnreadable extends Error {
  override readonly name = 'SecretUnreadable'
  readonly reason: UnreadableReason

  constructor(reason: UnreadableReason, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.reason = reason
  }
}
