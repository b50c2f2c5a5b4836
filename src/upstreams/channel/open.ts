// A server that is spoken to over a lasting channel, from its configuration.
import type { RemoteServerConfig, StdioServerConfig, UpstreamConfig } from '../../config/servers.ts'
import type { Surroundings } from '../connect.ts'
import { openInstances } from '../instances.ts'
import { openRemoteUpstream } from '../pool.ts'
import type { ChannelUpstream } from '../upstream.ts'
import { remoteOpener } from './remote/open.ts'
import { type ChildNeeds, childOpener } from './stdio/open.ts'

type Lasting = 'sse' | 'websocket'
export type ChannelServerConfig = StdioServerConfig | RemoteServerConfig

export const isChannel = (config: UpstreamConfig): config is ChannelServerConfig =>
  'command' in config || lastingOf(config) !== undefined

const lastingOf = ({ transport, url }: RemoteServerConfig): Lasting | undefined => {
  if (transport !== undefined) return transport === 'http' ? undefined : transport
  return /^wss?:/.test(url) ? 'websocket' : undefined
}

/** The gate's own, the same for every caller. With any other, one process would have to be several people. */
const OF_THE_GATE: ReadonlySet<string> = new Set(['none', 'headers', 'query', 'client-credentials'])

interface Needs extends ChildNeeds {
  /** Of connections to servers. */
  readonly around: Surroundings
}

/** Throws OperatorError where this machine cannot keep what is asked. */
export function openChannelUpstream(config: ChannelServerConfig, needs: Needs): ChannelUpstream {
  const { clock } = needs
  if ('command' in config) {
    const kind = config.instances ?? (OF_THE_GATE.has(config.credentials.type) ? 'shared' : 'per-principal')
    return openInstances(config, { open: childOpener(config, needs), opensAgain: true, kind, clock })
  }
  const transport = lastingOf(config) ?? 'websocket'
  const remote = openRemoteUpstream(config, needs.around)
  return openInstances(config, {
    open: remoteOpener({ ...config, transport }, remote, needs),
    // Each message over HTTP+SSE has a head of its own.
    opensAgain: transport === 'websocket',
    kind: config.instances ?? 'per-principal',
    clock,
    onClose: remote.close,
  })
}
