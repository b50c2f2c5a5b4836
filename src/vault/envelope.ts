// The envelope of one secret: AES-256-GCM (NIST SP 800-38D) under a random data key that seals nothing else, bound to its place and
// version. Moved, cut, changed or shown as another version it does not open.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { LONGEST_SECRET, type SecretPlace } from '../protocol/vault.ts'

const FORMAT = 1
const NONCE = 12
const TAG = 16
const LENGTH = 4
/** Secrets are filled up to a multiple of this: how long one is would tell a password from a token, and whose token it is. */
const STEP = 256
const LONGEST_NAME = 1024

export const DATA_KEY = 32

export const newDataKey = (): Buffer => randomBytes(DATA_KEY)

/** What is authenticated beside the secret. Each part after its length: no two places read the same. */
export function bindingOf(place: SecretPlace, version: number): Buffer {
  const parts = ['portcullis secret', place.principal, place.upstream, place.field, String(version)]
  return Buffer.concat(parts.flatMap((part) => prefixed(Buffer.from(part))))
}

function prefixed(bytes: Buffer): Buffer[] {
  const length = Buffer.alloc(LENGTH)
  length.writeUInt32BE(bytes.length)
  return [length, bytes]
}

/** The names of a place come from our own code: one that databases or UTF-8 would fold into another is a mistake there. */
export function checkPlace(place: SecretPlace): void {
  for (const name of [place.principal, place.upstream, place.field])
    if (name === '' || name.length > LONGEST_NAME || name.includes('\0') || !name.isWellFormed())
      throw new TypeError('The name of a secret’s place is empty, too long or not well-formed text.')
}

export function sealSecret(secret: Buffer, dataKey: Buffer, binding: Buffer): Buffer {
  if (secret.length > LONGEST_SECRET) throw new RangeError(`A secret has at most ${LONGEST_SECRET} bytes.`)
  const filled = Buffer.alloc(Math.ceil((LENGTH + secret.length) / STEP) * STEP)
  filled.writeUInt32BE(secret.length)
  secret.copy(filled, LENGTH)
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', dataKey, nonce).setAAD(binding)
  const sealed = Buffer.concat([Buffer.of(FORMAT), nonce, cipher.update(filled), cipher.final(), cipher.getAuthTag()])
  filled.fill(0)
  return sealed
}

/** `undefined` for anything but what was sealed with this data key for this binding. The answer is the caller's to overwrite. */
export function openSecret(sealed: Buffer, dataKey: Buffer, binding: Buffer): Buffer | undefined {
  const size = sealed.length - 1 - NONCE - TAG
  if (sealed[0] !== FORMAT || size < STEP || size % STEP !== 0 || dataKey.length !== DATA_KEY) return undefined
  const nonce = sealed.subarray(1, 1 + NONCE)
  const decipher = createDecipheriv('aes-256-gcm', dataKey, nonce, { authTagLength: TAG })
  decipher.setAAD(binding).setAuthTag(sealed.subarray(-TAG))
  const filled = decipher.update(sealed.subarray(1 + NONCE, -TAG))
  try {
    decipher.final()
    // Authenticated: the length is the one that was written.
    return Buffer.from(filled.subarray(LENGTH, LENGTH + filled.readUInt32BE()))
  } catch {
    // The one failure that final() has: the tag is not that of these bytes.
    return undefined
  } finally {
    filled.fill(0)
  }
}
