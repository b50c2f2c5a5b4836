// Client secrets (RFC 6749 §2.3.1): compared, never needed again, so only their hash is kept. They are long and random; one pass is enough.
import { timingSafeEqual } from 'node:crypto'
import type Provider from 'oidc-provider'
import { sha256 } from './hash.ts'

const MARK = 'sha256~'

export const hashClientSecret = (secret: string): string => MARK + sha256(secret)

/** What the library writes back on an update is hashed already. */
export const storedClientSecret = (secret: string): string =>
  secret.startsWith(MARK) ? secret : hashClientSecret(secret)

/** The library compares what it holds with what came; what it holds is the hash. */
export function compareHashedSecrets(provider: Provider): void {
  provider.Client.prototype.compareClientSecret = function compareClientSecret(actual: string): boolean {
    const expected = Buffer.from(this.clientSecret ?? '')
    const given = Buffer.from(hashClientSecret(actual))
    return expected.length === given.length && timingSafeEqual(expected, given)
  }
}
