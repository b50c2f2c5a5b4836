// A call of one thing behind a view: as bytes to a remote server of the client's own era, else over the bridge.
// MCP 2026-07-28 and 2025-11-25, Transports: what a client that leaves means.

import type { RpcNotification, RpcRequest } from '../../protocol/jsonrpc.ts'
import type { Binding } from '../../upstreams/binding.ts'
import type { RemoteUpstream, Upstream, Upstreams } from '../../upstreams/upstream.ts'
import type { Bridge } from '../bridge/call.ts'
import { type ClientHello, helloOfRequest } from '../bridge/hello.ts'
import { Deadline } from '../deadlines.ts'
import type { Era } from '../era.ts'
import { unknownServer } from '../hidden.ts'
import { callerOf, type Reach } from '../reach.ts'
import type { Ending } from '../relay.ts'
import { withRenewal } from '../renewal.ts'
import { openReply, sendFailure } from '../reply.ts'
import type { BackChannel } from './back-channel/back-channel.ts'
import { tell } from './back-channel/tell.ts'
import type { Catalog } from './catalog/catalog.ts'
import { heldState, type QuestionNeeds, withQuestions } from './questioned.ts'
import { type At, asideOf, type RelayNeeds, relayed, type ViewCall } from './relayed.ts'
import type { AggregateSession, AggregateSessions } from './sessions.ts'
import type { SpokenEras } from './spoken-eras.ts'
import type { ViewVisit } from './visit.ts'

export interface CallNeeds extends QuestionNeeds, Omit<RelayNeeds, 'back'> {
  readonly reach: Reach
  readonly binding: Pick<Binding, 'renew'>
  readonly report: Upstreams['report']
  readonly bridge: Pick<Bridge, 'bridgeCall'>
  readonly eras: SpokenEras
  readonly sessions: Pick<AggregateSessions, 'lost' | 'upstreamSession'>
  readonly back: Pick<BackChannel, 'aside' | 'running'>
  readonly catalog: Pick<Catalog, 'definitionOf'>
}

export function createCalls(needs: CallNeeds): (call: ViewCall) => Promise<Ending> {
  return async function serve(call) {
    const { visit, found } = call
    const caller = callerOf(visit)
    const bound = await needs.reach(found.server, caller)
    if (bound === undefined) throw unknownServer()
    const gone = leaving(visit)
    try {
      return await withRenewal(needs, bound, caller, (upstream, last) =>
        callAt(needs, call, { upstream, renewable: !last, gone }),
      )
    } catch (error) {
      return sendFailure(visit.exchange, visit.incoming.id, error)
    }
  }
}

interface Waiting<U extends Upstream = Upstream> extends At<U> {
  /** Ends what is waited for, where the client that leaves has cancelled. */
  readonly gone: () => AbortController
}

function callAt(needs: CallNeeds, call: ViewCall, at: Waiting): Promise<Ending> {
  const { visit, session } = call
  const { upstream, renewable, gone } = at
  if (upstream.kind !== 'remote' || visit.view.alone || heldState(visit) !== undefined)
    return bridged(needs, call, upstream, gone())
  const pass = (spoken: Era): Promise<Ending> => {
    if (spoken !== visit.era) return bridged(needs, call, upstream, gone())
    if (session !== undefined) return inSession(needs, { ...call, session }, { upstream, renewable, gone })
    return relayed(needs, call, { upstream, renewable, place: undefined, lost: undefined })
  }
  const known = needs.eras.known(upstream, visit.era)
  return known === undefined ? needs.eras.eraFor(upstream, visit.era, gone().signal).then(pass) : pass(known)
}

async function inSession(
  needs: CallNeeds,
  call: ViewCall & { readonly session: AggregateSession },
  { upstream, renewable, gone }: Waiting<RemoteUpstream>,
): Promise<Ending> {
  const { back } = needs
  const { visit, session } = call
  const { incoming } = visit
  const leg = await needs.sessions.upstreamSession(session, upstream, gone().signal)
  const place = { server: upstream.id, session: leg.id, revision: leg.revision }
  const forget = back.running.begin(session.id, incoming.message, {
    server: upstream.id,
    cancel: () => void tell(upstream, place, Buffer.from(JSON.stringify(cancelled(incoming.message)))),
  })
  const lost = () => needs.sessions.lost(session, upstream, leg)
  try {
    return await relayed(needs, call, { upstream, renewable, place, lost })
  } finally {
    forget()
  }
}

/** Made where something waits for it: the relay sees a client leave by itself. */
function leaving({ exchange, era }: ViewVisit): () => AbortController {
  let controller: AbortController | undefined
  return () => {
    if (controller !== undefined) return controller
    const made = new AbortController()
    controller = made
    // MCP 2026-07-28: a client that goes away has cancelled; MCP 2025-11-25: it has not.
    if (era === 'modern') {
      if (exchange.res.closed) made.abort()
      else exchange.res.once('close', () => made.abort())
    }
    return made
  }
}

const cancelled = ({ id }: RpcRequest): RpcNotification => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId: id },
})

/** As messages: what the server says goes into the other era's words, and is judged like what passes as bytes. */
async function bridged(needs: CallNeeds, call: ViewCall, upstream: Upstream, gone: AbortController): Promise<Ending> {
  const { visit, outgoing, session } = call
  const { exchange, principal, incoming, method } = visit
  const message = { ...incoming.message, params: outgoing.params }
  const hello: ClientHello = session?.hello ?? helloOfRequest(message.params)
  const forget =
    session && needs.back.running.begin(session.id, message, { server: upstream.id, cancel: () => gone.abort() })
  // The call ends with the credential that made it.
  const openStream = () => needs.streams.open(principal, exchange.address, () => gone.abort())
  const reply = openReply(exchange, { openStream, limits: needs.limits })
  const aside = asideOf(needs, call, upstream, undefined)
  // Nobody listens any more: the call may run to its end, but not without end.
  let left: Deadline | undefined
  const leave = () => {
    left = new Deadline(upstream.requestTimeout, () => gone.abort())
  }
  if (exchange.res.closed) leave()
  else exchange.res.once('close', leave)
  try {
    const definition =
      method === 'tools/call'
        ? await needs.catalog.definitionOf(upstream.id, call.found.name, callerOf(visit))
        : undefined
    const onNotification = (notification: RpcNotification) => {
      const said = aside(notification)
      if (said !== undefined) reply.say(said)
    }
    const asking = { visit, session, reply, signal: gone.signal, onNotification }
    const { kind, response } = await withQuestions(needs, asking, (parts) =>
      needs.bridge.bridgeCall(upstream, {
        principal,
        message,
        hello,
        definition,
        logLevel: session?.logLevel,
        ...parts,
      }),
    )
    return reply.answer((kind === 'answered' && outgoing.reword(response)) || response)
  } finally {
    exchange.res.off('close', leave)
    left?.cancel()
    reply.end()
    forget?.()
  }
}
