// A wrapping key that we hold ourselves: 32 bytes from a file or a variable.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { NotUnwrapped, type WrappingKey } from '../wrapping-key.ts'

const FORMAT = 1
const SALT = 32
const KEY = 32
const NONCE = 12
const TAG = 16

export const LOCAL_KEY = 32

/**
 * RFC 5869: each wrap has a key and nonce of its own, derived with a random salt. So there is no count of wraps after which nonces
 * could repeat (NIST SP 800-38D §8.3 allows one key 2^32 random ones), and nothing to count.
 */
export function localKey(id: string, secret: Buffer): WrappingKey {
  if (secret.length !== LOCAL_KEY) throw new TypeError('A wrapping key has 32 bytes.')
  const derive = (salt: Buffer): { key: Buffer; nonce: Buffer } => {
    const bytes = Buffer.from(hkdfSync('sha256', secret, salt, `portcullis data key\0${id}`, KEY + NONCE))
    return { key: bytes.subarray(0, KEY), nonce: bytes.subarray(KEY) }
  }
  return {
    id,
    async wrap(dataKey, context) {
      const salt = randomBytes(SALT)
      const { key, nonce } = derive(salt)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(context)
      const wrapped = [Buffer.of(FORMAT), salt, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]
      key.fill(0)
      return Buffer.concat(wrapped)
    },
    async unwrap(wrapped, context) {
      if (wrapped[0] !== FORMAT || wrapped.length < 1 + SALT + TAG) throw new NotUnwrapped()
      const { key, nonce } = derive(wrapped.subarray(1, 1 + SALT))
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG })
      decipher.setAAD(context).setAuthTag(wrapped.subarray(-TAG))
      const dataKey = decipher.update(wrapped.subarray(1 + SALT, -TAG))
      try {
        decipher.final()
        return dataKey
      } catch (cause) {
        dataKey.fill(0)
        throw new NotUnwrapped(cause)
      } finally {
        key.fill(0)
      }
    },
  }
}

/** Base64 or base64url of 32 bytes, as `openssl rand -base64 32` prints; `undefined` for anything else. */
export function parseLocalKey(text: string): Buffer | undefined {
  const written = text.trim()
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(written)) return undefined
  const key = Buffer.from(written, 'base64')
  return key.length === LOCAL_KEY ? key : undefined
}
