// Moves every secret to the first key: their data keys are wrapped anew, in batches, beside running gates. What is done is committed;
// ended anywhere, it goes on where it was.
import { type SecretPlace, SecretUnreadable } from '../protocol/vault.ts'
import type { SecretRecord, Secrets } from '../store/secrets.ts'
import type { VaultKeyring } from './keyring.ts'
import { rewrapRecord } from './record.ts'

const BATCH = 100

export interface RotationProgress {
  readonly done: number
  readonly total: number
}

export interface Unmoved extends SecretPlace {
  readonly keyId: string
  readonly reason: string
}

export interface Rotation {
  readonly moved: number
  /** What did not open, and stays under its key. */
  readonly unmoved: readonly Unmoved[]
  /** How many secrets each key wraps now. */
  readonly counts: ReadonlyMap<string, number>
}

interface Needs {
  readonly secrets: Pick<Secrets, 'wrappedOtherwise' | 'rewrap' | 'countByKey'>
  readonly keyring: VaultKeyring
  readonly batch?: number
  onProgress(progress: RotationProgress): void
}

export async function rotateVault({ secrets, keyring, batch = BATCH, onProgress }: Needs): Promise<Rotation> {
  const { id } = keyring.first
  const total = sum(await secrets.countByKey(), id)
  const unmoved: Unmoved[] = []
  let moved = 0
  let after: SecretPlace | undefined
  for (;;) {
    const records = await secrets.wrappedOtherwise(id, { after, limit: batch })
    if (records.length === 0) break
    const rewrapped = []
    for (const record of records) {
      const made = await tryRewrap(keyring, record)
      if ('reason' in made) unmoved.push(made)
      else rewrapped.push(made)
    }
    if (rewrapped.length > 0) moved += await secrets.rewrap(rewrapped)
    after = records.at(-1)
    onProgress({ done: moved, total })
  }
  return { moved, unmoved, counts: await secrets.countByKey() }
}

const sum = (counts: ReadonlyMap<string, number>, except: string): number =>
  [...counts].reduce((total, [id, count]) => (id === except ? total : total + count), 0)

/** A key that cannot be used now ends the rotation: every further record would fail alike. */
async function tryRewrap(keyring: VaultKeyring, record: SecretRecord) {
  try {
    return await rewrapRecord(keyring, record)
  } catch (error) {
    if (!(error instanceof SecretUnreadable) || error.reason === 'vault_key_unavailable') throw error
    const { principal, upstream, field, keyId } = record
    return { principal, upstream, field, keyId, reason: error.reason }
  }
}
