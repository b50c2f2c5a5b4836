// Sealed text: what we hand out to get back, readable and makeable by us alone, and only where it was made for (AES-256-GCM,
// NIST SP 800-38D). Whoever opens it knows what it is bound to; moved elsewhere it does not open.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

export interface SealKey {
  readonly key: Buffer
}

const NONCE = 12
const TAG = 16
const LONGEST = 4096

/** `binding` is authenticated and not contained: say in it what the text is and whom it is for. The first key seals. */
export function seal(keys: readonly SealKey[], binding: string, payload: object): string {
  const [newest] = keys
  if (newest === undefined) throw new TypeError('There is no key to seal with.')
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', newest.key, nonce).setAAD(Buffer.from(binding))
  const sealed = Buffer.concat([nonce, cipher.update(JSON.stringify(payload), 'utf8'), cipher.final()])
  return Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64url')
}

/** `undefined` for what was not sealed with one of these keys for this binding, or is longer than it can be. */
export function unseal(
  keys: readonly SealKey[],
  binding: string,
  text: string,
  longest = LONGEST,
): Record<string, unknown> | undefined {
  if (text.length > longest || !/^[A-Za-z0-9_-]+$/.test(text)) return undefined
  const sealed = Buffer.from(text, 'base64url')
  // A second spelling of the same bytes would escape whatever is remembered of the first.
  if (sealed.length <= NONCE + TAG || sealed.toString('base64url') !== text) return undefined
  for (const { key } of keys) {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE), { authTagLength: TAG })
    decipher.setAAD(Buffer.from(binding)).setAuthTag(sealed.subarray(-TAG))
    const opened = decipher.update(sealed.subarray(NONCE, -TAG), undefined, 'utf8')
    try {
      return JSON.parse(opened + decipher.final('utf8')) as Record<string, unknown>
    } catch {
      // Not sealed with this key; an older one may fit, and when none does the answer is the same as for any other stranger.
    }
  }
  return undefined
}
