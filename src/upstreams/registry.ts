// The MCP servers behind us, by id, and what is known of their health: built once from the configuration.
import type { UpstreamConfig } from '../config/servers.ts'
import { transportOf } from '../protocol/transports.ts'
import { gatedChannel } from './channel/gated-channel.ts'
import { openChannelUpstream } from './channel/open.ts'
import type { ChannelLog } from './channel/said.ts'
import { gateOf } from './gate.ts'
import { createHealth } from './health.ts'
import type { Surroundings } from './network/connect.ts'
import { type OpenUpstream, openRemoteUpstream } from './pool.ts'
import type { ChannelUpstream, Upstreams } from './upstream.ts'

interface Needs {
  readonly log: ChannelLog
  /** Of connections to servers. */
  readonly around: Surroundings
  /** Our own folder (`store.directory`); those of child processes are in it. */
  readonly directory: string
}

export function createUpstreams(servers: readonly UpstreamConfig[], { log, around, directory }: Needs): Upstreams {
  const { clock } = around
  const { health, report } = createHealth({ ids: servers.map(({ id }) => id), clock, log })
  const watched = new Map(servers.map((config) => [config.id, gateOf(config, around)]))
  const open = (config: UpstreamConfig): OpenUpstream | ChannelUpstream => {
    const gate = watched.get(config.id) ?? gateOf(config, around)
    if ('url' in config && transportOf(config) === 'http') return openRemoteUpstream(config, around, gate)
    const server = openChannelUpstream(config, {
      log,
      clock,
      around,
      directory,
      report: (outcome) => report(config.id, outcome),
    })
    return gatedChannel(server, { gate, openGate: () => gateOf(config, around) })
  }
  const upstreams = new Map(servers.map((config) => [config.id, open(config)]))
  const gates = () => [...watched].map(([id, gate]) => ({ id, figures: gate.figures() }))
  return {
    get: (id) => upstreams.get(id),
    health() {
      const resting = new Set(gates().flatMap(({ id, figures }) => (figures.breaker === 'closed' ? [] : [id])))
      return health().map((one) => (resting.has(one.id) ? { ...one, state: 'resting' } : one))
    },
    gates,
    report,
    async close() {
      await Promise.all([...upstreams.values()].map((upstream) => upstream.close()))
    },
  }
}
