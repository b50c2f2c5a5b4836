// Limits, on the store of the gateway: with PostgreSQL the replicas count together, with SQLite this process is the only one.
import type { Config } from '../config/schema.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { rarely } from '../observe/rarely.ts'
import { createLimits, type Limits } from '../policy/limits.ts'
import { openExchange } from '../policy/limits-exchange.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Store } from '../store/store.ts'

interface Needs {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Pick<Metrics, 'watch'>
}

const TOLD = { every: 60_000, most: 20 }

export function openLimits({ config, store, clock, log, metrics }: Needs): Limits {
  const isTime = rarely({ ...TOLD, clock })
  const exchange = openExchange({
    allowances: store.ephemeral.allowances,
    clock,
    onChange(up, error) {
      if (up) log.info({}, 'limits are counted in the store again')
      else log.error({ error }, 'the store does not answer: limits are counted by this replica alone')
    },
  })
  metrics.watch({ limitsInStore: () => (exchange.isUp() ? 1 : 0) })
  return createLimits(config, {
    clock,
    exchange,
    shared: !config.store.url.startsWith('sqlite:'),
    onCrowded(limit) {
      if (isTime(limit)) log.warn({ limit }, 'more callers than this limit can tell apart: new ones share one count')
    },
  })
}
