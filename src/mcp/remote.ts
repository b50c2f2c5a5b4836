// A request to a remote upstream: which session, which head, what its answer must pass through.
// MCP 2025-11-25, Transports: session management, resumability; MCP 2026-07-28 has neither.
import type { RemoteUpstream } from '../upstreams/upstream.ts'
import { noEndpoint } from './fault.ts'
import type { Forward } from './forward.ts'
import { upstreamHeaders } from './headers.ts'
import type { Incoming } from './message.ts'
import type { Passage } from './passage.ts'
import type { Ending } from './relay.ts'
import type { Screen } from './screen.ts'
import type { Session, Sessions } from './session.ts'
import type { Place, Streams } from './streams.ts'
import { toldBody } from './told-body.ts'
import type { Visit } from './visit.ts'

type RemoteVisit = Pick<Visit, 'exchange' | 'principal' | 'head' | 'httpMethod' | 'incoming' | 'era'>

interface Needs {
  readonly forward: Forward
  readonly sessions: Sessions
  readonly streams: Streams
  readonly limits: Passage['limits']
}

interface Going {
  readonly upstream: RemoteUpstream
  readonly visit: RemoteVisit
  readonly screen: Screen
  readonly renewable: boolean
  /** The session id that the client was given. */
  readonly sealed: string | undefined
  /** A GET stream or a subscription, open as long as the client is. */
  readonly lasting: boolean
}

/**
 * `renewable`: a refusal of what the server was given is thrown (UpstreamRefused), and not told.
 *
 * The caller's session id goes no further, and the upstream's comes no nearer, than this file.
 */
export function createRemoteRoute({ forward, sessions, streams, limits }: Needs) {
  return (upstream: RemoteUpstream, visit: RemoteVisit, screen: Screen, renewable = false): Promise<Ending> => {
    const { head, httpMethod, incoming, era } = visit
    // MCP 2026-07-28: a session id means nothing there and is neither used nor echoed.
    const sealed = era === 'legacy' && incoming?.method !== 'initialize' ? head.session : undefined
    const lasting = httpMethod === 'GET' || incoming?.method === 'subscriptions/listen'
    const going = { upstream, visit, screen, renewable, sealed, lasting }
    // Most calls have nothing to open and hold no place.
    return sealed === undefined && !lasting ? send(going) : hold(going)
  }

  async function hold(going: Going): Promise<Ending> {
    const { visit, sealed, lasting } = going
    const { exchange, principal, httpMethod } = visit
    const session = sealed === undefined ? undefined : await sessions.open(placeOf(going), sealed)
    if (httpMethod === 'DELETE' && sealed !== undefined && session !== undefined) await sessions.end(sealed, session)
    const held = lasting ? streams.reserve(principal, exchange.address, exchange.carried) : undefined
    try {
      return await send(going, session, held)
    } finally {
      held?.release()
    }
  }

  function send(going: Going, session?: Session, held?: Place): Promise<Ending> {
    const { upstream, visit, screen, renewable, sealed, lasting } = going
    const { exchange, principal, head, httpMethod: method, incoming, era } = visit
    const opening = incoming?.method === 'initialize'
    const greets = opening || incoming?.method === 'server/discover'
    return forward(
      upstream,
      {
        method,
        headers: upstreamHeaders({
          head,
          body: incoming !== undefined,
          session: session?.upstream,
          // What a stream replays was the answer to some other request, and its filter is not here any more.
          lastEvent: era === 'legacy' && method === 'GET' && screen.hears === undefined ? head.lastEvent : undefined,
          requestId: exchange.id,
          addedHeaders: upstream.addedHeaders,
        }),
        body: incoming === undefined ? null : toldBody(incoming.body, incoming.message, upstream.meta),
        lasting,
      },
      {
        res: exchange.res,
        requestId: exchange.id,
        expects: incoming?.kind === 'request' ? 'answer' : method === 'GET' ? 'stream' : 'nothing',
        id: incoming?.id,
        era,
        faultOfStatus: greets ? noEndpoint : undefined,
        screen,
        sessionFor(id) {
          if (era === 'legacy' && opening)
            return sessions.seal(placeOf(going), { upstream: id, revision: asked(incoming), owner: undefined })
          return id === session?.upstream ? sealed : undefined
        },
        openStream: (onEnd) => held?.watch(onEnd) ?? streams.open(principal, exchange.address, onEnd),
        upstream,
        // Its session is ended here already.
        renewable: renewable && method !== 'DELETE',
        limits,
      },
    )
  }
}

const placeOf = ({ upstream, visit }: Going) => ({ subject: visit.principal.subject, server: upstream.id })

/** Revision that the client asks for in its handshake. */
function asked(incoming: Incoming | undefined): Session['revision'] {
  const version = incoming?.kind === 'request' ? incoming.message.params?.['protocolVersion'] : undefined
  return typeof version === 'string' ? version.slice(0, 32) : ''
}
