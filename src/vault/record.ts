// One secret as the store keeps it: sealed with its own data key, which a key of the vault has wrapped.
import { type SecretPlace, SecretUnreadable } from '../protocol/vault.ts'
import type { Rewrapped, SecretRecord } from '../store/secrets.ts'
import { bindingOf, newDataKey, openSecret, sealSecret } from './envelope.ts'
import type { VaultKeyring } from './keyring.ts'
import { NotUnwrapped, type WrappingKey } from './wrapping-key.ts'

export type Sealed = Pick<SecretRecord, 'keyId' | 'wrappedKey' | 'sealed'>

export async function sealRecord(
  { first }: VaultKeyring,
  { place, version, secret }: { place: SecretPlace; version: number; secret: Buffer },
): Promise<Sealed> {
  const binding = bindingOf(place, version)
  const dataKey = newDataKey()
  try {
    const sealed = sealSecret(secret, dataKey, binding)
    const wrapped = await wrapWith(first, dataKey, binding)
    return { keyId: first.id, wrappedKey: wrapped.toString('base64url'), sealed: sealed.toString('base64url') }
  } finally {
    dataKey.fill(0)
  }
}

/** Throws SecretUnreadable. */
export async function openRecord(keyring: VaultKeyring, record: SecretRecord): Promise<Buffer> {
  const dataKey = await unwrapDataKey(keyring, record)
  try {
    const secret = openSecret(Buffer.from(record.sealed, 'base64url'), dataKey, bindingOf(record, record.version))
    if (secret === undefined) throw altered()
    return secret
  } finally {
    dataKey.fill(0)
  }
}

/** The same data key under the first key. Throws SecretUnreadable. */
export async function rewrapRecord(keyring: VaultKeyring, record: SecretRecord): Promise<Rewrapped> {
  const { principal, upstream, field, version, wrappedKey } = record
  const { first } = keyring
  const dataKey = await unwrapDataKey(keyring, record)
  try {
    const wrapped = await wrapWith(first, dataKey, bindingOf(record, version))
    const place = { principal, upstream, field }
    return { ...place, version, oldWrappedKey: wrappedKey, keyId: first.id, wrappedKey: wrapped.toString('base64url') }
  } finally {
    dataKey.fill(0)
  }
}

async function wrapWith(key: WrappingKey, dataKey: Buffer, binding: Buffer): Promise<Buffer> {
  try {
    return await key.wrap(dataKey, binding)
  } catch (cause) {
    throw unavailable(key, cause)
  }
}

async function unwrapDataKey(keyring: VaultKeyring, record: SecretRecord): Promise<Buffer> {
  const key = keyring.find(record.keyId)
  if (key === undefined)
    throw new SecretUnreadable(
      'vault_key_missing',
      `The secret is sealed with ${record.keyId}, which is not in vault.keys.`,
    )
  try {
    return await key.unwrap(Buffer.from(record.wrappedKey, 'base64url'), bindingOf(record, record.version))
  } catch (cause) {
    if (cause instanceof NotUnwrapped) throw altered(cause)
    throw unavailable(key, cause)
  }
}

const unavailable = ({ id }: WrappingKey, cause: unknown) =>
  new SecretUnreadable('vault_key_unavailable', `The vault key ${id} cannot be used now.`, { cause })

const altered = (cause?: unknown) =>
  new SecretUnreadable('secret_altered', 'The secret is not what was sealed here.', { cause })
