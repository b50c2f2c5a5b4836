// Where servers say things by themselves: the GET stream of a session (MCP 2025-11-25, Transports), a listening request (MCP 2026-07-28,
// Subscriptions), what a channel says beside its answers. What breaks off is opened again, later and later; what there is none of stays closed.
import { setTimeout as delay } from 'node:timers/promises'
import { isRecord } from '../../../protocol/json.ts'
import {
  HEADER_METHOD,
  HEADER_PROTOCOL_VERSION,
  HEADER_SESSION,
  META_CLIENT_CAPABILITIES,
  META_PROTOCOL_VERSION,
  MODERN_REVISION,
} from '../../../protocol/mcp.ts'
import { toldMessage, UNTOLD } from '../../../upstreams/identity/meta.ts'
import type { ChannelUpstream, RemoteUpstream, Upstream } from '../../../upstreams/upstream.ts'
import { askInSession, closeUpstreamSession, nextId, openUpstreamSession } from '../../bridge/handshake.ts'
import { OUR_HELLO } from '../../bridge/hello.ts'
import { CHANGED_LISTS, listFlag } from '../../list-forms.ts'
import { isUnreached } from '../../reach.ts'
import type { Origin } from './notifications.ts'
import type { UpstreamPlace } from './server-message.ts'
import { type EventsEnd, type EventsReading, readEvents } from './upstream-events.ts'

export type Message = Readonly<Record<string, unknown>>
/** A promise: no more until it has resolved. */
export type Hear = (message: Message) => Promise<void> | undefined

export interface Source extends Origin {
  /** What tells it from the other sources of its server. */
  readonly key: string
  /** The session that it belongs to, where it belongs to one of a client. */
  readonly place: UpstreamPlace | undefined
  /**
   * Hands on what the server says, until the signal ends or there is nothing to hear. `onOpen` is called whenever it begins to listen.
   * Never rejects for what a server does.
   */
  run(hear: Hear, signal: AbortSignal, onOpen?: () => void): Promise<void>
}

export interface SourceNeeds {
  eraOf(upstream: RemoteUpstream, signal: AbortSignal): Promise<'modern' | 'legacy'>
  /** Longest event. */
  readonly mostBytes: number
  readonly waits?: Waits
}

/** One person's listening at a server of the handshake era, in the session of their calls: some tell of what happens in it to it alone. */
export type ListenAs = (
  upstream: RemoteUpstream,
  asked: { readonly uris: readonly string[]; readonly reached: Reached<RemoteUpstream> },
  events: Omit<EventsReading, 'mostBytes'>,
) => Promise<Attempt>

/** A server as it is reached at this moment: bound anew for each try, so that a renewed credential is used. */
export interface Reached<U extends Upstream> {
  readonly server: string
  /** `undefined` where it is there no more. Throws, or rejects, as `Reach` does. */
  get(): U | undefined | Promise<U | undefined>
}

/** Between two tries, milliseconds. */
interface Waits {
  readonly first: number
  readonly most: number
}
const WAITS: Waits = { first: 1000, most: 60_000 }

/** `over`: there will be nothing to hear. */
export type Attempt = EventsEnd | { readonly kind: 'over' }
export const OVER: Attempt = { kind: 'over' }
const FAILED: Attempt = { kind: 'failed' }

/**
 * The stream of a session that was opened for one client: all of it is that client's. A server without sessions has told nobody whose its
 * stream is, and says there what it says to everybody.
 */
export function sessionSource(needs: SourceNeeds, reached: Reached<RemoteUpstream>, place: UpstreamPlace): Source {
  return {
    server: reached.server,
    key: `session ${place.session ?? ''}`,
    own: place.session !== undefined,
    place,
    run: (hear, signal, onOpen) =>
      keepOpen(needs.waits, signal, reached, (upstream) =>
        readSession(upstream, place, { ...reading(needs, hear, signal), onOpen }),
      ),
  }
}

/** What a server says of its lists, and of these resources, to whoever listens: nothing of one client's calls. */
export function listeningSource(
  needs: SourceNeeds,
  reached: Reached<RemoteUpstream>,
  uris: readonly string[],
  listenAs: ListenAs = (upstream, asked, events) =>
    listenInSession(upstream, asked.uris, { ...events, mostBytes: needs.mostBytes }),
): Source {
  return {
    server: reached.server,
    key: uris.length === 0 ? 'lists' : 'resources',
    own: false,
    place: undefined,
    run: (hear, signal, onOpen) =>
      keepOpen(needs.waits, signal, reached, async (upstream) => {
        const events = { ...reading(needs, hear, signal), onOpen }
        const era = await needs.eraOf(upstream, signal)
        return era === 'modern' ? listen(upstream, uris, events) : listenAs(upstream, { uris, reached }, events)
      }),
  }
}

/** What a server at a channel says to nobody in particular. It knows no clients of ours, so nothing of it is of one client alone. */
export function channelSource(needs: SourceNeeds, reached: Reached<ChannelUpstream>): Source {
  return {
    server: reached.server,
    key: 'channel',
    own: false,
    place: undefined,
    run: (hear, signal, onOpen) =>
      keepOpen(needs.waits, signal, reached, (upstream) => {
        const { promise, resolve } = Promise.withResolvers<Attempt>()
        if (signal.aborted) return Promise.resolve(OVER)
        const unsubscribe = upstream.subscribe((message) => void hear({ ...message }))
        onOpen?.()
        const leave = (): void => {
          unsubscribe()
          resolve(OVER)
        }
        signal.addEventListener('abort', leave, { once: true })
        return promise
      }),
  }
}

const reading = ({ mostBytes }: SourceNeeds, hear: Hear, signal: AbortSignal) => ({ mostBytes, hear, signal })

async function readSession(
  upstream: RemoteUpstream,
  { session, revision }: Pick<UpstreamPlace, 'session' | 'revision'>,
  events: EventsReading,
): Promise<Attempt> {
  const headers = {
    accept: 'text/event-stream',
    [HEADER_PROTOCOL_VERSION]: revision,
    ...(session !== undefined && { [HEADER_SESSION]: session }),
  }
  const end = await readEvents(upstream, { method: 'GET', headers, body: null }, events)
  // 405: it has no such stream. 404, in the field 400: the session is over, and the next one brings a stream of its own.
  return end.kind === 'refused' && NO_STREAM.has(end.status) ? OVER : end
}

const NO_STREAM: ReadonlySet<number> = new Set([400, 404, 405])

const LISTEN = 'subscriptions/listen'
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'
export const META_SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId'
const ALL_LISTS = Object.fromEntries(CHANGED_LISTS.map((list) => [listFlag(list), true]))

/** MCP 2026-07-28: one request that lasts, and its notifications. */
async function listen(upstream: RemoteUpstream, uris: readonly string[], events: EventsReading): Promise<Attempt> {
  const notifications = uris.length === 0 ? ALL_LISTS : { resourceSubscriptions: uris }
  const meta = { [META_PROTOCOL_VERSION]: MODERN_REVISION, [META_CLIENT_CAPABILITIES]: {} }
  const asked = { jsonrpc: '2.0' as const, id: nextId(), method: LISTEN, params: { notifications, _meta: meta } }
  const body = JSON.stringify(toldMessage(asked, upstream.meta ?? UNTOLD))
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    [HEADER_PROTOCOL_VERSION]: MODERN_REVISION,
    [HEADER_METHOD]: LISTEN,
  }
  // Its word that it listens is the moment from which nothing is missed; the head alone says less.
  const hear: Hear = (message) => {
    if (message['method'] !== ACKNOWLEDGED) return events.hear(withoutSubscription(message))
    events.onOpen?.()
    return undefined
  }
  const end = await readEvents(upstream, { method: 'POST', headers, body }, { ...events, hear, onOpen: undefined })
  // What does not know the method will not know it in a minute. What answers without a stream has refused in JSON.
  return end.kind === 'refused' && end.status < 500 && end.status !== 429 ? OVER : end
}

/** The id is that of our own request; the client has another. */
function withoutSubscription(message: Message): Message {
  const { params } = message
  if (!isRecord(params) || !isRecord(params['_meta'])) return message
  const { _meta, ...said } = params
  const { [META_SUBSCRIPTION]: _, ...meta } = params['_meta']
  return { ...message, params: Object.keys(meta).length === 0 ? said : { ...said, _meta: meta } }
}

/** MCP 2025-11-25, for everybody: a session of our own, in which nothing is called. */
async function listenInSession(
  upstream: RemoteUpstream,
  uris: readonly string[],
  events: EventsReading,
): Promise<Attempt> {
  const { signal } = events
  const session = await openUpstreamSession(upstream, OUR_HELLO, signal)
  try {
    for (const uri of uris) {
      const message = { jsonrpc: '2.0' as const, id: nextId(), method: 'resources/subscribe', params: { uri } }
      // One that it refuses is one it never tells of.
      await askInSession(upstream, session, { message, signal })
    }
    return await readSession(upstream, { session: session.id, revision: session.revision }, events)
  } finally {
    closeUpstreamSession(upstream, session)
  }
}

async function keepOpen<U extends Upstream>(
  waits: Waits = WAITS,
  signal: AbortSignal,
  reached: Reached<U>,
  open: (upstream: U) => Promise<Attempt>,
): Promise<void> {
  let failures = 0
  const attempt = async (): Promise<Attempt> => {
    const upstream = await reached.get()
    return upstream === undefined ? OVER : open(upstream)
  }
  while (!signal.aborted) {
    const end = await attempt().catch((error: unknown) => {
      // An account that is not connected may be in a minute.
      if (isUnreached(error)) return FAILED
      throw error
    })
    if (end.kind === 'over' || signal.aborted) return
    // A stream that has said something was a good one.
    failures = end.kind === 'ended' && end.heard ? 0 : failures + 1
    const wait = Math.min(waits.first * 2 ** Math.min(failures, 20), waits.most)
    // Not all at the same moment: many clients lose their streams together.
    await delay(wait * (0.5 + Math.random() / 2), undefined, { signal, ref: false }).catch(() => undefined)
  }
}
