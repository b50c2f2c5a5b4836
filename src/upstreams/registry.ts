// The MCP servers behind us, by id, and what is known of their health: built once from the configuration.
import type { UpstreamConfig } from '../config/servers.ts'
import type { Clock } from '../protocol/clock.ts'
import { type OpenUpstream, openRemoteUpstream } from './pool.ts'
import { createStdioUpstream } from './stdio.ts'
import type { StdioLog } from './stdio-log.ts'
import type { ChannelUpstream, Upstreams } from './upstream.ts'

interface Needs {
  readonly log: StdioLog
  readonly clock: Clock
}

type Health = ReturnType<Upstreams['health']>[number]

export function createUpstreams(servers: readonly UpstreamConfig[], { log, clock }: Needs): Upstreams {
  const health = new Map<string, Health>(servers.map(({ id }) => [id, { id, state: 'unknown' }]))
  const report: Upstreams['report'] = (id, outcome) => {
    const before = health.get(id)
    if (before === undefined) return
    const at = clock()
    if (outcome.ok) {
      // Reported with every call: once a second is enough to know.
      if (before.state === 'up' && at - (before.at ?? 0) < 1000) return
      health.set(id, { id, state: 'up', at })
      if (before.state === 'down') log.info({ server: id }, 'server up')
      return
    }
    health.set(id, { id, state: 'down', reason: outcome.reason, at })
    if (before.state !== 'down') log.warn({ server: id, reason: outcome.reason }, 'server down')
  }
  const open = (config: UpstreamConfig): OpenUpstream | ChannelUpstream =>
    'command' in config
      ? createStdioUpstream(config, { log, clock, report: (outcome) => report(config.id, outcome) })
      : openRemoteUpstream(config)
  const upstreams = new Map(servers.map((config) => [config.id, open(config)]))
  return {
    get: (id) => upstreams.get(id),
    health: () => [...health.values()],
    report,
    async close() {
      await Promise.all([...upstreams.values()].map((upstream) => upstream.close()))
    },
  }
}
