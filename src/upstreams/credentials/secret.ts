// A secret that the person has pasted on our page, such as a personal access token. It is theirs alone; refused by the server, it is gone.
import type { CredentialsOf } from '../../config/credentials.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { Vault } from '../../protocol/vault.ts'
import type { ConnectionRecords } from '../../store/connections.ts'
import { ConnectionNeeded, type Credential } from '../credential.ts'
import { secretPlace } from '../pasted-secret.ts'
import { unverifiedExpiry } from '../unverified-claims.ts'
import type { Given } from '../upstream.ts'
import { subjectOf } from './person.ts'

interface Needs {
  readonly vault: Pick<Vault, 'get' | 'remove'>
  readonly records: Pick<ConnectionRecords, 'find' | 'expire' | 'touch'>
  readonly clock: Clock
  /** The store did not take a note of its use, for which nobody waits. */
  onError(error: unknown): void
}

interface Held {
  readonly version: number
  readonly given: Given
  /** Of a secret that says so itself: a JWT. */
  readonly expiresAt: number | undefined
  touchedAt: number
}

const MOST_HELD = 10_000
/** How exactly its last use is known. */
const TOUCH = 5 * 60_000

export function secretCredential(
  server: string,
  { header, prefix }: Pick<CredentialsOf<'secret'>, 'header' | 'prefix'>,
  { vault, records, clock, onError }: Needs,
): Credential {
  const field = header.toLowerCase()
  const held = new Map<string, Held>()

  function hold(subject: string, version: number, secret: string): Held {
    const known = held.get(subject)
    if (known?.version === version) return known
    const made = {
      version,
      given: { headers: { [field]: prefix + secret } },
      expiresAt: unverifiedExpiry(secret),
      touchedAt: 0,
    }
    held.delete(subject)
    held.set(subject, made)
    const [oldest] = held.keys()
    if (held.size > MOST_HELD && oldest !== undefined) held.delete(oldest)
    return made
  }

  /** The vault keeps what it has opened: this reads no store. */
  async function read(subject: string): Promise<Held> {
    const found = await vault.get(secretPlace(subject, server))
    if (found === undefined) {
      held.delete(subject)
      const state = (await records.find(subject, server))?.state
      throw new ConnectionNeeded(server, state === undefined ? 'not_connected' : 'needs_reauth')
    }
    const { version, secret } = found
    const own = hold(subject, version, secret.toString('utf8'))
    secret.fill(0)
    if (own.expiresAt !== undefined && own.expiresAt <= clock()) return evict(subject, version)
    return own
  }

  /** Only what was refused: a newer one may be there by now. */
  async function evict(subject: string, version: number): Promise<never> {
    held.delete(subject)
    await vault.remove(secretPlace(subject, server), { expectedVersion: version })
    await records.expire(subject, server, version)
    throw new ConnectionNeeded(server, 'needs_reauth')
  }

  function touch(subject: string, own: Held): void {
    const now = clock()
    if (Math.abs(now - own.touchedAt) < TOUCH) return
    own.touchedAt = now
    records.touch(subject, server, now).catch(onError)
  }

  return {
    personal: true,
    async given(caller) {
      const subject = subjectOf(caller)
      const own = await read(subject)
      touch(subject, own)
      return own.given
    },
    async renewed(caller, given, { status }) {
      // A 403 says that this is not for them, not that the secret is a bad one.
      if (status !== 401) return undefined
      const subject = subjectOf(caller)
      const own = await read(subject)
      return sameHeaders(own.given, given) ? evict(subject, own.version) : own.given
    },
  }
}

function sameHeaders(one: Given, other: Given): boolean {
  const [[name, value] = []] = Object.entries(one.headers)
  return name !== undefined && other.headers[name] === value
}
