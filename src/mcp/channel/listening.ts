// A session's GET stream at a server at a channel: what concerns the server itself. MCP 2025-11-25, Transports: listening for messages.
// Not delivered: updates of resources that this session did not ask for, and log messages where callers share the channel; both could be of
// others. Of one caller's own, each session has the log from the level on that it asked for.
import { EVENT_STREAM, writeEvent } from '../../protocol/events.ts'
import type { RpcNotification } from '../../protocol/jsonrpc.ts'
import { isAtLeast } from '../../protocol/log-level.ts'
import { untilClosed } from '../closed.ts'
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
export async function openListening({ visit, session, mayHear, place, limits }: Listening): Promise<Ending> {
  const { exchange, upstream } = visit
  const { res } = exchange
  // MCP: a message goes to one stream only; a client that comes back takes over from the one it lost.
  session.endStream?.()
  res.writeHead(200, [...EVENT_STREAM]).flushHeaders()
  const unsubscribe = upstream.subscribe((message) => {
    const isHeard = isLog(message) ? wantsLog(message, visit, session) : isFor(message, mayHear)
    if (!isHeard || res.destroyed) return
    res.write(writeEvent(message))
    if (res.writableLength > limits.streamBuffer) res.destroy()
  })
  keepAlive(res, limits.streamKeepAlive)
  const end = () => void res.end()
  const unwatch = place.watch(end)
  session.endStream = end
  await untilClosed(res)
  unsubscribe()
  unwatch()
  if (session.endStream === end) session.endStream = undefined
  return { status: 200, outcome: 'answered', fault: undefined }
}

const isLog = ({ method }: RpcNotification): boolean => method === 'notifications/message'

function wantsLog({ params }: RpcNotification, { upstream }: ChannelVisit, { logLevel }: ChannelSession): boolean {
  return upstream.wantLogs !== undefined && logLevel !== undefined && isAtLeast(params?.['level'], logLevel)
}

function isFor({ method, params }: RpcNotification, mayHear: (uri: string) => boolean): boolean {
  if (listChanged(method) !== undefined) return true
  const uri = params?.['uri']
  return method === 'notifications/resources/updated' && typeof uri === 'string' && mayHear(uri)
}
