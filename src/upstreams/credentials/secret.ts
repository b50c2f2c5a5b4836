// A secret that the person has pasted on our page, such as a personal access token. It is theirs alone; refused by the server, it is gone.
import type { CredentialsOf } from '../../config/credentials.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { Vault } from '../../protocol/vault.ts'
import type { ConnectionRecords } from '../../store/connections.ts'
import { ConnectionNeeded, type Credential } from '../credential.ts'
import type { Lapse, LapseReason } from '../lapse.ts'
import { findSecret, secretPlace } from '../pasted-secret.ts'
import { unverifiedExpiry } from '../unverified-claims.ts'
import type { Given } from '../upstream.ts'
import { type InUse, inUseAt } from './in-use.ts'
import { subjectOf } from './person.ts'

interface Needs {
  /** Where the server is. */
  readonly home: string
  readonly vault: Pick<Vault, 'get'>
  readonly records: Pick<ConnectionRecords, 'find' | 'touch'>
  readonly lapse: Lapse
  readonly clock: Clock
  /** The store did not take a note of its use, for which nobody waits. */
  onError(error: unknown): void
}

interface Held extends InUse {
  /** Of a secret that says so itself: a JWT. */
  readonly expiresAt: number | undefined
}

export function secretCredential(
  server: string,
  { header, prefix }: Pick<CredentialsOf<'secret'>, 'header' | 'prefix'>,
  needs: Needs,
): Credential {
  const { home, vault, records, clock } = needs
  const field = header.toLowerCase()
  const held = inUseAt<Held>(server, needs)

  /** What was made of this version of it; it is read for a new one alone. `undefined`: it is for another server than this one. */
  function hold(subject: string, version: number, kept: Buffer): Held | undefined {
    const known = held.find(subject)
    if (known?.version === version) return known
    const secret = findSecret(kept.toString('utf8'), home)
    if (secret === undefined) return undefined
    const given = { headers: { [field]: prefix + secret } }
    return held.keep(subject, { version, given, expiresAt: unverifiedExpiry(secret), touchedAt: 0 })
  }

  /** The vault keeps what it has opened: this reads no store. */
  async function read(subject: string): Promise<Held> {
    const found = await vault.get(secretPlace(subject, server))
    if (found === undefined) {
      held.forget(subject)
      const row = await records.find(subject, server)
      // The configuration has made it another server: what was connected there over OAuth is kept no longer.
      if (row?.kind === 'oauth' && row.state === 'connected') await needs.lapse(row, 'kind_changed')
      throw new ConnectionNeeded(server, row === undefined ? 'not_connected' : 'needs_reauth')
    }
    const { version, secret } = found
    const own = hold(subject, version, secret)
    secret.fill(0)
    if (own === undefined) return evict(subject, version, 'server_moved')
    if (own.expiresAt !== undefined && own.expiresAt <= clock())
      return evict(subject, version, 'upstream_token_expired')
    return own
  }

  /** Only what was refused: a newer one may be there by now. */
  async function evict(subject: string, version: number, reason: LapseReason): Promise<never> {
    held.forget(subject)
    await needs.lapse({ principal: subject, server, kind: 'secret', version }, reason)
    throw new ConnectionNeeded(server, 'needs_reauth')
  }

  return {
    personal: true,
    async given(caller) {
      const subject = subjectOf(caller)
      const own = await read(subject)
      held.touch(subject, own)
      return own.given
    },
    async renewed(caller, given, { status }) {
      // A 403 says that this is not for them, not that the secret is a bad one.
      if (status !== 401) return undefined
      const subject = subjectOf(caller)
      const own = await read(subject)
      return sameHeaders(own.given, given) ? evict(subject, own.version, 'upstream_token_refused') : own.given
    },
  }
}

function sameHeaders(one: Given, other: Given): boolean {
  const [[name, value] = []] = Object.entries(one.headers)
  return name !== undefined && other.headers[name] === value
}
