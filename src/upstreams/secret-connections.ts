// Connecting by a pasted secret: the vault's half and the record's half of one act.
import type { Clock } from '../protocol/clock.ts'
import type { Vault } from '../protocol/vault.ts'
import type { ConnectionRecords, NewConnection } from '../store/connections.ts'
import { parseSecret, secretPlace } from './pasted-secret.ts'

interface Needs {
  readonly vault: Pick<Vault, 'put' | 'remove'>
  readonly records: Pick<ConnectionRecords, 'connect' | 'remove'>
  readonly clock: Clock
}

export interface SecretConnections {
  /** `prefix`: what is written before the secret on its way. Throws ConnectionRefused. */
  paste(principal: string, server: { id: string; prefix: string }, pasted: string): Promise<NewConnection>
  /** `false`: there was none. */
  disconnect(principal: string, server: string): Promise<boolean>
}

export function secretConnections({ vault, records, clock }: Needs): SecretConnections {
  return {
    async paste(principal, { id: server, prefix }, pasted) {
      const now = clock()
      const secret = Buffer.from(parseSecret(pasted, { prefix, now }))
      const stored = await vault.put(secretPlace(principal, server), secret)
      secret.fill(0)
      if (stored.status !== 'stored') throw new TypeError('A secret that may replace any other met a conflict.')
      const none = { scopes: [], asked: [], issuer: undefined }
      const made = { principal, server, kind: 'secret', ...none, connectedAt: now, version: stored.version } as const
      await records.connect(made)
      return made
    },
    async disconnect(principal, server) {
      // The secret first: a record without one needs connecting, a secret without a record would still be used.
      const removed = await vault.remove(secretPlace(principal, server))
      return (await records.remove(principal, server)) || removed
    },
  }
}
