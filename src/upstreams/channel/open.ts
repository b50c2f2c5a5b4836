// A server that is spoken to over a lasting channel, from its configuration.
import type { UpstreamConfig } from '../../config/servers.ts'
import { transportOf } from '../../protocol/transports.ts'
import type { Surroundings } from '../network/connect.ts'
import { openRemoteUpstream } from '../pool.ts'
import type { ChannelUpstream } from '../upstream.ts'
import { openInstances } from './instances.ts'
import { remoteOpener } from './remote/open.ts'
import { type ChildNeeds, childOpener } from './stdio/open.ts'

/** The gate's own, the same for every caller. With any other, one process would have to be several people. */
const OF_THE_GATE: ReadonlySet<string> = new Set(['none', 'headers', 'query', 'client-credentials'])

interface Needs extends ChildNeeds {
  /** Of connections to servers. */
  readonly around: Surroundings
}

/** Throws OperatorError where this machine cannot keep what is asked. */
export function openChannelUpstream(config: UpstreamConfig, needs: Needs): ChannelUpstream {
  const { clock } = needs
  if ('command' in config) {
    const kind = config.instances ?? (OF_THE_GATE.has(config.credentials.type) ? 'shared' : 'per-principal')
    return openInstances(config, { open: childOpener(config, needs), opensAgain: true, kind, clock })
  }
  const transport = transportOf(config) === 'sse' ? 'sse' : 'websocket'
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
