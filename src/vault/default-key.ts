// The key of a gate that was told of none: a file beside the database, made at the first start. It is named after itself, so that
// another file in its place is another key, and is not taken for it.
import { createHash } from 'node:crypto'
import { OperatorError } from '../protocol/errors.ts'
import type { Secrets } from '../store/secrets.ts'
import { makeKeyFile, readKeyFile } from './key-file.ts'
import { localKey } from './kms/local.ts'
import type { WrappingKey } from './wrapping-key.ts'

interface Needs {
  readonly path: string
  readonly secrets: Pick<Secrets, 'countByKey'>
}

export async function defaultKey({ path, secrets }: Needs): Promise<WrappingKey> {
  if (readKeyFile(path) === undefined) {
    await checkNothingSealed(path, secrets)
    makeKeyFile(path)
  }
  const key = readKeyFile(path)
  if (key === undefined) throw new OperatorError(`The vault key ${path} was made and is gone. Start again.`)
  return localKey(defaultKeyId(key), key)
}

export const defaultKeyId = (key: Buffer): string =>
  `local-${createHash('sha256').update('portcullis key id').update(key).digest('hex').slice(0, 12)}`

/** A new key would open nothing of what is there, and hide that the old one is missing. */
async function checkNothingSealed(path: string, secrets: Needs['secrets']): Promise<void> {
  const counts = await secrets.countByKey()
  if (counts.size === 0) return
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  throw new OperatorError(
    `The vault key ${path} is missing, and the store holds ${total} sealed ${total === 1 ? 'secret' : 'secrets'} ` +
      `(${[...counts.keys()].join(', ')}). Nothing was changed. Restore the file from its backup, or name the right keys in vault.keys.`,
  )
}
