// What the servers behind an aggregate say by themselves, to a client of the handshake era: the GET stream of its session.
// MCP 2025-11-25, Transports: listening for messages. Nothing is replayed: what was said while nobody listened may be another's.
import type { Exchange } from '../../../http/exchange.ts'
import type { Principal } from '../../../protocol/principal.ts'
import type { Caller } from '../../../upstreams/caller.ts'
import { type RemoteUpstream, type Upstream, UpstreamError } from '../../../upstreams/upstream.ts'
import { askInSession, nextId } from '../../bridge/handshake.ts'
import { callerOf, type Reach } from '../../reach.ts'
import type { Ending } from '../../relay.ts'
import type { StreamLimits, Streams } from '../../streams.ts'
import type { Subscriptions } from '../../subscriptions.ts'
import { openClientStream } from './client-stream.ts'
import { type FanIn, openFanIn } from './fan-in.ts'
import type { Hearer } from './notifications.ts'
import { type Asking, createJudge, type UpstreamPlace } from './server-message.ts'
import { reachedBy, type ServerSources } from './server-sources.ts'
import { type SourceNeeds, sessionSource } from './sources.ts'

/** The client, and what the address shows to it. */
export interface Listener {
  readonly exchange: Exchange
  readonly principal: Principal
  /** Servers that the address draws from. */
  readonly servers: readonly string[]
  readonly hearer: Hearer
}

export interface SessionListener extends Listener {
  /** Id of the aggregate session. */
  readonly session: string
  readonly asking: Asking
  /** Its sessions at servers that are known from elsewhere. */
  readonly places: readonly UpstreamPlace[]
}

export interface ListeningNeeds extends SourceNeeds {
  /** As configured: bound to nobody yet. */
  get(server: string): Upstream | undefined
  readonly reach: Reach
  readonly sources: ServerSources
  readonly streams: Pick<Streams, 'reserve'>
  readonly subscriptions: Pick<Subscriptions, 'of'>
  /** `caller` has heard it. */
  onListChanged(server: string, caller: Caller): void
  onError(error: unknown, server: string): void
  readonly limits: StreamLimits
}

export interface Listening {
  /** Resolves when the stream has ended, whoever ended it. Throws RequestError 429. */
  listen(listener: SessionListener): Promise<Ending>
  /** The client's session at a server has come to be: what is said there is heard from now on, as soon as the promise resolves. */
  joined(session: string, upstream: RemoteUpstream, place: UpstreamPlace): Promise<void>
  /** Its subscriptions at a server are others now. */
  resubscribed(session: string, upstream: Upstream): void
  /** The session is over. */
  end(session: string): void
}

interface Known {
  readonly places: Map<string, UpstreamPlace>
  stream: { readonly fanIn: FanIn; readonly caller: Caller; end(): void } | undefined
}

const MOST = 10_000
/** Its calls run in sessions of its own, where it is asked; beside them nothing is. */
const NOTHING = {}
/** Longest wait of a call for the stream beside it. */
const PATIENCE = 1000

export function createListening(needs: ListeningNeeds): Listening {
  const sessions = new Map<string, Known>()
  const know = (session: string): Known => {
    const known = sessions.get(session) ?? { places: new Map(), stream: undefined }
    // The longest unused goes first; one with a stream stays.
    sessions.delete(session)
    sessions.set(session, known)
    if (sessions.size > MOST)
      for (const [oldest, { stream }] of sessions)
        if (stream === undefined) {
          sessions.delete(oldest)
          break
        }
    return known
  }

  return {
    async listen(listener) {
      const { exchange, principal, session, hearer, asking } = listener
      const caller = callerOf(listener)
      const held = needs.streams.reserve(principal, exchange.address, exchange.carried)
      const known = know(session)
      for (const place of listener.places) known.places.set(place.server, place)
      // MCP: a message goes to one stream only; a client that comes back takes over from the one it lost.
      known.stream?.end()
      const stop = new AbortController()
      const client = openClientStream(exchange.res, needs.limits)
      const fanIn = openFanIn({
        sources: [],
        judge: createJudge({ hearer, asking, onListChanged: (id) => needs.onListChanged(id, caller) }),
        emit: client.send,
        signal: stop.signal,
        onError: needs.onError,
      })
      const stream = { fanIn, caller, end: () => client.end() }
      known.stream = stream
      const unwatch = held.watch(() => client.end())
      for (const server of listener.servers) {
        const upstream = needs.get(server)
        if (upstream !== undefined && hearer.sees(server))
          hearServer(needs, { fanIn, upstream, session, known, caller })
      }
      await client.closed
      stop.abort()
      unwatch()
      held.release()
      if (known.stream === stream) known.stream = undefined
      return { status: 200, outcome: 'answered', fault: undefined }
    },
    joined(session, upstream, place) {
      const known = know(session)
      const before = known.places.get(place.server)
      known.places.set(place.server, place)
      if (before?.session === place.session) return Promise.resolve()
      // The session before it is gone, and what was subscribed to there with it.
      if (before !== undefined) subscribeAgain(needs, { session, upstream, place })
      if (known.stream === undefined) return Promise.resolve()
      const { fanIn, caller } = known.stream
      return atMost(PATIENCE, fanIn.add(sessionSource(needs, reachedBy(needs.reach, upstream, caller), place)))
    },
    resubscribed(session, upstream) {
      const stream = sessions.get(session)?.stream
      if (stream === undefined) return
      const { fanIn, caller } = stream
      const source = needs.sources.ofResources(upstream, needs.subscriptions.of(session, upstream.id), caller, NOTHING)
      if (source === undefined) fanIn.remove({ server: upstream.id, key: 'resources' })
      else void fanIn.replace(source)
    },
    end(session) {
      sessions.get(session)?.stream?.end()
      sessions.delete(session)
    },
  }
}

/** Everything there is to hear of one server: what it tells everybody, what the client subscribed to, what it says in the client's session. */
function hearServer(
  { sources, subscriptions, ...needs }: ListeningNeeds,
  hearing: { fanIn: FanIn; upstream: Upstream; session: string; known: Known; caller: Caller },
): void {
  const { fanIn, upstream, session, known, caller } = hearing
  void fanIn.add(sources.ofLists(upstream, caller, NOTHING))
  const place = known.places.get(upstream.id)
  if (upstream.kind === 'channel') return
  if (place !== undefined) {
    // There it has subscribed, too.
    void fanIn.add(sessionSource(needs, reachedBy(needs.reach, upstream, caller), place))
    return
  }
  const resources = sources.ofResources(upstream, subscriptions.of(session, upstream.id), caller, NOTHING)
  if (resources !== undefined) void fanIn.add(resources)
}

function subscribeAgain(
  { subscriptions, onError }: ListeningNeeds,
  { session, upstream, place }: { session: string; upstream: RemoteUpstream; place: UpstreamPlace },
): void {
  const leg = { id: place.session, revision: place.revision, capabilities: {} }
  const signal = AbortSignal.timeout(upstream.requestTimeout)
  for (const uri of subscriptions.of(session, upstream.id)) {
    const message = { jsonrpc: '2.0' as const, id: nextId(), method: 'resources/subscribe', params: { uri } }
    askInSession(upstream, leg, { message, signal }).catch((error: unknown) => {
      // What it does not take now it tells nothing of; the calls in the session say how it is.
      if (!(error instanceof UpstreamError)) onError(error, upstream.id)
    })
  }
}

export async function atMost(time: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, time)
  })
  await Promise.race([done, late])
  clearTimeout(timer)
}
