// Connecting by a pasted secret: the vault's half and the record's half of one act.
import type { Clock } from '../protocol/clock.ts'
import { type Connection, ConnectionRefused } from '../protocol/connections.ts'
import type { Vault } from '../protocol/vault.ts'
import type { ConnectionRecords } from '../store/connections.ts'
import type { ConnectionAct } from './connection-act.ts'
import { tokensPlace } from './oauth/tokens-held.ts'
import { keptText, parseSecret, secretPlace } from './pasted-secret.ts'

interface Needs {
  readonly vault: Pick<Vault, 'put' | 'remove'>
  readonly records: Pick<ConnectionRecords, 'connect' | 'remove'>
  readonly clock: Clock
  record(act: ConnectionAct): Promise<void>
}

interface PastedFor {
  readonly id: string
  /** Where it is. */
  readonly home: string
  /** What is written before the secret on its way. */
  readonly prefix: string
}

export interface SecretConnections {
  /** Throws ConnectionRefused. */
  paste(principal: string, server: PastedFor, pasted: string): Promise<Connection>
  /** `false`: there was none. */
  disconnect(principal: string, server: string): Promise<boolean>
}

export function secretConnections({ vault, records, clock, record }: Needs): SecretConnections {
  async function paste(principal: string, { id: server, home, prefix }: PastedFor, pasted: string) {
    const now = clock()
    const secret = Buffer.from(keptText(parseSecret(pasted, { prefix, now }), home))
    const stored = await vault.put(secretPlace(principal, server), secret)
    secret.fill(0)
    if (stored.status !== 'stored') throw new TypeError('A secret that may replace any other met a conflict.')
    const made = { principal, server, kind: 'secret', scopes: [], issuer: undefined, connectedAt: now } as const
    await records.connect({ ...made, asked: [], version: stored.version })
    // From when the server's credential was of the other kind, and would be again.
    await vault.remove(tokensPlace(principal, server))
    return { ...made, state: 'connected', usedAt: undefined } as const
  }

  return {
    async paste(subject, server, pasted) {
      const about = { subject, name: server.id }
      try {
        const made = await paste(subject, server, pasted)
        await record({ act: 'connection_made', decision: 'allow', reason: 'connected', ...about })
        return made
      } catch (error) {
        if (error instanceof ConnectionRefused)
          await record({ act: 'connection_refused', decision: 'deny', reason: error.reason, ...about })
        throw error
      }
    },
    async disconnect(subject, name) {
      // The secret first: a record without one needs connecting, a secret without a record would still be used.
      const removed = await vault.remove(secretPlace(subject, name))
      await vault.remove(tokensPlace(subject, name))
      const was = await records.remove(subject, name)
      if (was || removed)
        await record({ act: 'connection_ended', decision: 'allow', reason: 'disconnected_here', subject, name })
      return was || removed
    },
  }
}
