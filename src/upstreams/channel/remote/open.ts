// HTTP+SSE and WebSocket servers, from their configuration: a connection of their own for each instance.
import type { RemoteServerConfig } from '../../../config/servers.ts'
import type { Clock } from '../../../protocol/clock.ts'
import { withCredential } from '../../path.ts'
import type { OpenUpstream } from '../../pool.ts'
import { type Channel, createChannel } from '../channel.ts'
import type { Whose } from '../instances.ts'
import { type ChannelLog, rememberSecrets, saidLog } from '../said.ts'
import type { Fields } from '../transport.ts'
import { openSse } from './sse.ts'
import { openWebSocket } from './websocket.ts'

export interface RemoteNeeds {
  readonly log: ChannelLog
  readonly clock: Clock
  report(outcome: { ok: true } | { ok: false; reason: string }): void
}

/** A stream or connection that was a good one and has ended is opened again at once: proxies end the idle ones. */
const LIFE = { goodRun: 5_000, waitAfterGoodRun: 0 }

export function remoteOpener(
  config: RemoteServerConfig & { readonly transport: 'sse' | 'websocket' },
  remote: Pick<OpenUpstream, 'path' | 'pool' | 'streams' | 'open'>,
  { log, clock, report }: RemoteNeeds,
): (whose: Whose) => Channel {
  const { id, requestTimeout, idleTimeout, maxAnswer: longest } = config
  const url = new URL(config.url)

  return ({ mark, declares, granted, admit, renewed }) => {
    const personal = mark !== undefined
    const secrets = rememberSecrets()
    const fields = (told?: Fields) => {
      secrets.note(granted().given)
      return { ...granted().told, ...told, ...granted().given.headers }
    }
    const say = saidLog({ log, clock, server: id, secrets: secrets.all })
    const onLog = (line: string) => say(line, 'the server said what is no message')
    const path = () => withCredential(remote.path, granted().given)
    const place = { url, fields, path, longest, requestTimeout }
    return createChannel(
      { id, requestTimeout, idleTimeout },
      {
        personal,
        declares,
        log,
        clock,
        admit,
        granted,
        renewed,
        report,
        onJunk: onLog,
        life: LIFE,
        open: (ears) =>
          config.transport === 'sse'
            ? openSse({ ...remote, ...place, onLog }, ears)
            : openWebSocket({ ...place, open: remote.open }, ears),
      },
    )
  }
}
