// The keys of the vault: the first wraps, all unwrap. At the start each proves that it is the key it was, and that none is missing.
import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../protocol/clock.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { Secrets, VaultKeyRecord } from '../store/secrets.ts'
import { DATA_KEY } from './envelope.ts'
import { NotUnwrapped, type WrappingKey } from './wrapping-key.ts'

export interface VaultKeyring {
  /** What wraps. */
  readonly first: WrappingKey
  find(id: string): WrappingKey | undefined
}

type KnownKeys = Pick<Secrets, 'keys' | 'ensureKey' | 'countByKey'>

interface Needs {
  readonly keys: readonly WrappingKey[]
  readonly secrets: KnownKeys
  readonly clock: Clock
}

/** Refuses to open with a wrong or missing key; what is stored stays as it is. */
export async function openVaultKeyring({ keys, secrets, clock }: Needs): Promise<VaultKeyring> {
  const [first] = keys
  if (first === undefined) throw new TypeError('A vault has at least one key.')
  await checkNoneMissing(keys, secrets)
  const known = new Map((await secrets.keys()).map((record) => [record.id, record]))
  for (const key of keys)
    await checkCanary(key, known.get(key.id) ?? (await secrets.ensureKey(await canaryOf(key, clock()))))
  const held = new Map(keys.map((key) => [key.id, key]))
  return { first, find: (id) => held.get(id) }
}

async function checkNoneMissing(keys: readonly WrappingKey[], secrets: KnownKeys): Promise<void> {
  const held = new Set(keys.map(({ id }) => id))
  const missing = [...(await secrets.countByKey())].filter(([id]) => !held.has(id))
  if (missing.length === 0) return
  const counts = missing.map(([id, count]) => `${id} (${count} ${count === 1 ? 'secret' : 'secrets'})`).join(', ')
  throw new OperatorError(
    `vault.keys lacks keys that secrets are sealed with: ${counts}. Nothing was changed. Put them back behind the others; ` +
      'they can go once `portcullis keys rotate --vault` has moved those secrets to the first key.',
  )
}

const contextOf = (id: string): Buffer => Buffer.from(`portcullis canary\0${id}`)
const hashOf = (value: Buffer): string => createHash('sha256').update(value).digest('base64url')

/** A random value that stands for nothing: the key is right when it unwraps it. */
async function canaryOf(key: WrappingKey, now: number): Promise<VaultKeyRecord> {
  const value = randomBytes(DATA_KEY)
  const wrapped = await wrapCanary(key, value)
  return { id: key.id, canary: wrapped.toString('base64url'), canaryHash: hashOf(value), createdAt: now }
}

async function wrapCanary(key: WrappingKey, value: Buffer): Promise<Buffer> {
  try {
    return await key.wrap(value, contextOf(key.id))
  } catch (cause) {
    throw unusable(key, cause)
  }
}

async function checkCanary(key: WrappingKey, { canary, canaryHash }: VaultKeyRecord): Promise<void> {
  const value = await unwrapCanary(key, Buffer.from(canary, 'base64url'))
  if (value !== undefined && hashOf(value) === canaryHash) return
  throw new OperatorError(
    `vault.keys: ${key.id} is not the key it was when the store first saw it. Nothing was changed. Put the former key back; ` +
      'if this is a new one, give it an id of its own and keep the former behind it.',
  )
}

async function unwrapCanary(key: WrappingKey, wrapped: Buffer): Promise<Buffer | undefined> {
  try {
    return await key.unwrap(wrapped, contextOf(key.id))
  } catch (error) {
    if (error instanceof NotUnwrapped) return undefined
    throw unusable(key, error)
  }
}

function unusable({ id }: WrappingKey, cause: unknown): OperatorError {
  if (cause instanceof OperatorError) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new OperatorError(
    `vault.keys: ${id} cannot be used now (${why}). Check its settings, and that it can be reached.`,
    {
      cause,
    },
  )
}
