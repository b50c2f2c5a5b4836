// An account that does not work any more: forgotten in the vault, noted in the store, said once in log and record.
import type { SecretPlace, Vault } from '../protocol/vault.ts'
import type { ConnectionRecord, ConnectionRecords } from '../store/connections.ts'
import type { ConnectionAct } from './connection-act.ts'
import { tokensPlace } from './oauth/tokens-held.ts'
import { secretPlace } from './pasted-secret.ts'

export type LapseReason =
  | 'refresh_refused'
  | 'refresh_lost'
  | 'client_gone'
  | 'upstream_token_expired'
  | 'upstream_token_refused'
  | 'issuer_changed'
  | 'server_moved'
  | 'kind_changed'

interface Needs {
  readonly vault: Pick<Vault, 'remove'>
  readonly records: Pick<ConnectionRecords, 'expire'>
  record(act: ConnectionAct): Promise<void>
  warn(detail: Record<string, unknown>, message: string): void
}

type Lapsing = Pick<ConnectionRecord, 'principal' | 'server' | 'kind' | 'version'>

/** Only in that version of its secret, or an earlier one: a newer one may be there by now. */
export type Lapse = (connection: Lapsing, reason: LapseReason) => Promise<void>

const PLACES: Readonly<Record<Lapsing['kind'], (principal: string, server: string) => SecretPlace>> = {
  oauth: tokensPlace,
  secret: secretPlace,
}

export const createLapse =
  ({ vault, records, record, warn }: Needs): Lapse =>
  async ({ principal, server, kind, version }, reason) => {
    // The secret first: a record without one needs connecting. What is of the wrong kind is so in every version.
    const expected = reason === 'kind_changed' ? {} : { expectedVersion: version }
    await vault.remove(PLACES[kind](principal, server), expected)
    if (!(await records.expire(principal, server, version))) return
    warn({ server, reason }, 'a person has to connect their account again')
    await record({ act: 'connection_lapsed', decision: 'deny', reason, subject: principal, name: server })
  }
