// A session's GET stream at a server at a channel: what concerns the server itself. MCP 2025-11-25, Transports: listening for messages.
// Not delivered: log messages, and updates of resources that this session did not ask for. The channel is shared; both could be of others.
import { EVENT_STREAM, writeEvent } from '../../protocol/events.ts'
import type { RpcNotification } from '../../protocol/jsonrpc.ts'
import { keepAlive } from '../keep-alive.ts'
import { listChanged } from '../list-forms.ts'
import type { Ending } from '../relay.ts'
import type { Place } from '../streams.ts'
import type { ChannelLimits, ChannelVisit } from './route.ts'
import type { ChannelSession } from './sessions.ts'

interface Listening {
  readonly visit: ChannelVisit
  readonly session: ChannelSession
  /** The session wants to hear of it, and may. */
  readonly mayHear: (uri: string) => boolean
  readonly place: Place
  readonly limits: ChannelLimits
}

/** Resolves when the stream has ended, whoever ended it. */
export function openListening({ visit, session, mayHear, place, limits }: Listening): Promise<Ending> {
  const { exchange, upstream } = visit
  const { res } = exchange
  // MCP: a message goes to one stream only; a client that comes back takes over from the one it lost.
  session.endStream?.()
  res.writeHead(200, [...EVENT_STREAM]).flushHeaders()
  const unsubscribe = upstream.subscribe((message) => {
    if (!isFor(message, mayHear) || res.destroyed) return
    res.write(writeEvent(message))
    if (res.writableLength > limits.streamBuffer) res.destroy()
  })
  keepAlive(res, limits.streamKeepAlive)
  const end = () => void res.end()
  const unwatch = place.watch(end)
  session.endStream = end
  return new Promise((resolve) => {
    res.once('close', () => {
      unsubscribe()
      unwatch()
      if (session.endStream === end) session.endStream = undefined
      resolve({ status: 200, outcome: 'answered', fault: undefined })
    })
  })
}

function isFor({ method, params }: RpcNotification, mayHear: (uri: string) => boolean): boolean {
  if (listChanged(method) !== undefined) return true
  const uri = params?.['uri']
  return method === 'notifications/resources/updated' && typeof uri === 'string' && mayHear(uri)
}
