// What a person may paste as a secret for a server, and where it is kept.
import { ConnectionRefused } from '../protocol/connections.ts'
import type { SecretPlace } from '../protocol/vault.ts'
import { unverifiedExpiry } from './unverified-claims.ts'

/** As a header field it must fit beside all others. */
const LONGEST = 8 * 1024
/** RFC 9110 §5.5, without what only some servers take. */
const SENDABLE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

export const secretPlace = (principal: string, server: string): SecretPlace => ({
  principal,
  upstream: server,
  field: 'secret',
})

/** As it is kept: with the home of the server that it was pasted for. A secret is one line. */
export const keptText = (secret: string, home: string): string => `${home}\n${secret}`

/** `undefined`: it was not pasted for a server that is there. */
export const findSecret = (kept: string, home: string): string | undefined =>
  kept.startsWith(`${home}\n`) ? kept.slice(home.length + 1) : undefined

/** Without what is around it, and without the word that is written before it anyway. Throws ConnectionRefused. */
export function parseSecret(pasted: string, { prefix, now }: { prefix: string; now: number }): string {
  const trimmed = pasted.trim()
  const repeats = prefix.trim() !== '' && trimmed.toLowerCase().startsWith(prefix.trimStart().toLowerCase())
  const secret = repeats ? trimmed.slice(prefix.trimStart().length).trim() : trimmed
  if (secret === '') throw refused('secret_empty', 'Nothing was pasted. Copy the secret and paste it whole.')
  if (secret.length > LONGEST)
    throw refused('secret_too_long', 'This is too long to be a secret. Paste only the secret itself.')
  if (!SENDABLE.test(secret))
    throw refused(
      'secret_characters',
      'A secret is one line of plain letters, digits and signs. Copy it again and paste it whole.',
    )
  const expiresAt = unverifiedExpiry(secret)
  if (expiresAt !== undefined && expiresAt <= now)
    throw refused('secret_expired', 'This token has expired already. Make a new one and paste that.')
  return secret
}

const refused = (reason: string, message: string) => new ConnectionRefused(reason, message)
