// The tables over a database: the durable ones, the ephemeral ones, and the write that proves it takes writes.
import type { Durable } from './durable.ts'
import type { Ephemeral } from './ephemeral.ts'
import type { Sql } from './sql.ts'
import { allowances } from './tables/allowances.ts'
import { apiTokens } from './tables/api-tokens.ts'
import { artifacts } from './tables/artifacts.ts'
import { clientSessions } from './tables/client-sessions.ts'
import { clients } from './tables/clients.ts'
import { connections, upstreamClients } from './tables/connections.ts'
import { consents } from './tables/consents.ts'
import { counters } from './tables/counters.ts'
import { families } from './tables/families.ts'
import { keys } from './tables/keys.ts'
import { marks } from './tables/marks.ts'
import { type RefreshActs, refreshTokens } from './tables/refresh-tokens.ts'
import { replicas } from './tables/replicas.ts'
import { revocations } from './tables/revocations.ts'
import { secrets } from './tables/secrets.ts'
import { sweep } from './tables/sweep.ts'
import { tickets } from './tables/tickets.ts'
import { toolPins } from './tables/tool-pins.ts'
import { users } from './tables/users.ts'

interface Needs {
  /** Committed to the disk before it answers. */
  readonly durable: Sql
  /** May lose its last writes to a power cut, never to a crash. */
  readonly relaxed: Sql
  readonly refreshActs: RefreshActs
}

export interface Tables {
  readonly durable: Durable
  readonly ephemeral: Ephemeral
  check(): Promise<void>
}

export function tables({ durable, relaxed, refreshActs }: Needs): Tables {
  return {
    durable: {
      clients: clients(durable),
      families: families(durable),
      refreshTokens: refreshTokens({ sql: durable, acts: refreshActs }),
      consents: consents(durable),
      users: users(durable),
      keys: keys(durable),
      revocations: revocations(durable),
      apiTokens: apiTokens({ durable, relaxed }),
      toolPins: toolPins(durable),
      secrets: secrets(durable),
      connections: connections({ durable, relaxed }),
      upstreamClients: upstreamClients(durable),
    },
    ephemeral: {
      artifacts: artifacts({ durable, relaxed }),
      tickets: tickets(durable),
      marks: marks(relaxed),
      counters: counters(relaxed),
      clientSessions: clientSessions(relaxed),
      allowances: allowances(relaxed),
      replicas: replicas(relaxed),
      sweep: (now) => sweep(relaxed, now),
    },
    async check() {
      await durable.run("UPDATE epochs SET n = n + 1 WHERE name = 'checks'", [])
    },
  }
}
