// Sealed secrets, and what is known of the keys that wrap their data keys. The store sees neither secrets nor keys.
import type { SecretMetadata, SecretPlace } from '../protocol/vault.ts'

export interface SecretRecord extends SecretMetadata {
  /** The data key, wrapped with `keyId`; base64url. */
  readonly wrappedKey: string
  /** The secret, sealed with the data key; base64url. */
  readonly sealed: string
}

export interface FoundSecret {
  /** `undefined`: nothing is there. */
  readonly record: SecretRecord | undefined
  /** What a change must expect, also where something was removed; 0 where nothing ever was. */
  readonly expected: number
  /** Higher than any version this place has had. */
  readonly next: number
}

/** A wrapping key as the store knows it: what it must be able to unwrap, and how that is checked. */
export interface VaultKeyRecord {
  readonly id: string
  /** A random value wrapped with the key; base64url. */
  readonly canary: string
  /** SHA-256 of that value; base64url. */
  readonly canaryHash: string
  readonly createdAt: number
}

export interface Rewrapped extends SecretPlace {
  readonly version: number
  readonly oldWrappedKey: string
  readonly keyId: string
  readonly wrappedKey: string
}

export interface Secrets {
  /** Grows with every change. */
  epoch(): Promise<number>
  /** Places changed after `epoch`, and the newest number. */
  since(epoch: number): Promise<{ epoch: number; places: SecretPlace[] }>
  find(place: SecretPlace): Promise<FoundSecret>
  /** Compare-and-set; `false`: another version than `expected` is there, and nothing was written. */
  put(record: SecretRecord, expected: number): Promise<boolean>
  /** Takes the secret away and leaves that it changed; `expected` undefined: whatever version is there. */
  remove(place: SecretPlace, act: { expected: number | undefined; at: number }): Promise<boolean>
  list(principal: string): Promise<SecretMetadata[]>
  /** How many data keys each key wraps. */
  countByKey(): Promise<ReadonlyMap<string, number>>
  /** Records that another key than this one wraps, in the order of their places, after one of them. */
  wrappedOtherwise(keyId: string, page: { after: SecretPlace | undefined; limit: number }): Promise<SecretRecord[]>
  /** One transaction; each only where version and wrapped key are still these. Answers how many were. */
  rewrap(changes: readonly Rewrapped[]): Promise<number>
  /** Forgets removals that every reader has seen by now. */
  removeForgotten(before: number): Promise<number>

  keys(): Promise<VaultKeyRecord[]>
  /** Inserts only where the id is not known, and never changes what is there; answers it. */
  ensureKey(key: VaultKeyRecord): Promise<VaultKeyRecord>
}
