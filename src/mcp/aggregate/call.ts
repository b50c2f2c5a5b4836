// A call of one thing behind a view: as bytes through the relay to a remote server of the client's own era, else over the bridge.
// MCP 2026-07-28 and 2025-11-25, Transports: what a client that leaves means, and what a party that rewrites must say in the head.

import { encodeHeaderValue } from '../../protocol/header-value.ts'
import { isRecord } from '../../protocol/json.ts'
import type { RpcNotification, RpcRequest } from '../../protocol/jsonrpc.ts'
import { HEADER_NAME, HEADER_PROTOCOL_VERSION } from '../../protocol/mcp.ts'
import type { Binding } from '../../upstreams/binding.ts'
import type { RemoteUpstream, Upstream } from '../../upstreams/upstream.ts'
import type { Bridge } from '../bridge/call.ts'
import { saysSessionLost } from '../bridge/handshake.ts'
import type { ClientHello } from '../bridge/hello.ts'
import { helloOfRequest } from '../bridge/hello.ts'
import { Deadline } from '../deadlines.ts'
import { FAULTS, faultMessage } from '../fault.ts'
import type { Forward } from '../forward.ts'
import { type McpHead, upstreamHeaders } from '../headers.ts'
import { unknownServer } from '../hidden.ts'
import type { Passage } from '../passage.ts'
import { callerOf, type Reach } from '../reach.ts'
import type { Ending } from '../relay.ts'
import { withRenewal } from '../renewal.ts'
import { openReply, sendFailure } from '../reply.ts'
import type { Screen } from '../screen.ts'
import type { Streams } from '../streams.ts'
import { toldBody } from '../told-body.ts'
import type { Audience, BackChannel } from './back-channel/back-channel.ts'
import { progressToken } from './back-channel/running.ts'
import type { UpstreamPlace } from './back-channel/server-message.ts'
import { tell } from './back-channel/tell.ts'
import type { Catalog } from './catalog/catalog.ts'
import type { Found } from './decide.ts'
import { mayConcern, type Outgoing } from './outgoing.ts'
import { heldState, type QuestionNeeds, withQuestions } from './questioned.ts'
import type { AggregateSession, AggregateSessions } from './sessions.ts'
import type { SpokenEras } from './spoken-eras.ts'
import type { RequestVisit, ViewVisit } from './visit.ts'

export interface CallNeeds extends QuestionNeeds {
  readonly reach: Reach
  readonly binding: Pick<Binding, 'renew'>
  readonly bridge: Pick<Bridge, 'bridgeCall'>
  readonly eras: SpokenEras
  readonly forward: Forward
  readonly streams: Streams
  readonly sessions: Pick<AggregateSessions, 'lost' | 'upstreamSession'>
  readonly back: Pick<BackChannel, 'aside' | 'running'>
  readonly catalog: Pick<Catalog, 'definitionOf'>
  readonly limits: Passage['limits']
}

export interface ViewCall {
  readonly visit: RequestVisit
  readonly found: Found
  readonly outgoing: Outgoing
  /** Of a client of the handshake era. */
  readonly session: AggregateSession | undefined
  readonly audience: Audience
}

export function createCalls(needs: CallNeeds): (call: ViewCall) => Promise<Ending> {
  return async function serve(call) {
    const { visit, found } = call
    const caller = callerOf(visit)
    const bound = await needs.reach(found.server, caller)
    if (bound === undefined) throw unknownServer()
    const gone = leaving(visit)
    try {
      return await withRenewal(needs.binding, bound, caller, (upstream, last) =>
        callAt(needs, call, { upstream, renewable: !last, gone }),
      )
    } catch (error) {
      return sendFailure(visit.exchange, visit.incoming.id, error)
    }
  }
}

interface At<U extends Upstream = Upstream> {
  readonly upstream: U
  /** A refusal of what the server was given is thrown (UpstreamRefused), and not told. */
  readonly renewable: boolean
}

async function callAt(
  needs: CallNeeds,
  call: ViewCall,
  { upstream, renewable, gone }: At & { readonly gone: () => AbortController },
): Promise<Ending> {
  const { eras, back } = needs
  const { visit, session } = call
  const { era, incoming } = visit
  const same =
    upstream.kind === 'remote' &&
    !visit.view.alone &&
    heldState(visit) === undefined &&
    (eras.known(upstream, era) ?? (await eras.eraFor(upstream, era, gone().signal))) === era
  if (!same) return bridged(needs, call, upstream, gone())
  if (session === undefined) return relayed(needs, call, { upstream, renewable, place: undefined, lost: undefined })
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

interface Leg extends At<RemoteUpstream> {
  /** Of a client of the handshake era. */
  readonly place: UpstreamPlace | undefined
  /** The server has forgotten the session: the next call opens another. */
  readonly lost: (() => void) | undefined
}

/** The same bytes but for the name; the answer passes through but for what concerns the view. */
async function relayed(needs: CallNeeds, call: ViewCall, leg: Leg): Promise<Ending> {
  const { upstream, place, renewable } = leg
  const { visit, outgoing } = call
  const { exchange, principal, incoming, era, head } = visit
  const { id } = incoming
  const aside = asideOf(needs, call, upstream, place)
  return needs.forward(
    upstream,
    {
      method: 'POST',
      headers: upstreamHeaders({
        head: headFor(head, outgoing.name, place?.revision),
        body: true,
        session: place?.session,
        lastEvent: undefined,
        requestId: exchange.id,
        addedHeaders: upstream.addedHeaders,
      }),
      body: toldBody(outgoing.body, incoming.message, upstream.meta),
      lasting: false,
    },
    {
      res: exchange.res,
      requestId: exchange.id,
      expects: 'answer',
      id,
      era,
      screen: { edit: undefined, hears: undefined, aside, concerns: mayConcern, ...withoutLoss(call, leg) },
      sessionFor: () => undefined,
      openStream: (onEnd) => needs.streams.open(principal, onEnd),
      upstream,
      renewable,
      limits: needs.limits,
    },
  )
}

/** What the server says in the middle of the call, as far as it goes on. Without a place of the client's own it asks nothing. */
function asideOf({ back }: CallNeeds, call: ViewCall, { id: server }: Upstream, place: UpstreamPlace | undefined) {
  const { visit, session, audience } = call
  const client = session && { subject: session.subject, session: session.id, capabilities: session.hello.capabilities }
  const token = progressToken(visit.incoming.message.params)
  return back.aside({ server, place, token, audience, client, caller: callerOf(visit) })
}

/** The client's own session goes on, whatever becomes of ours at the server: a 404 of that one would end it. */
function withoutLoss({ visit, outgoing }: ViewCall, { lost }: Leg): Pick<Screen, 'faultOf' | 'reword'> {
  const { exchange, incoming } = visit
  if (lost === undefined) return { reword: outgoing.reword }
  return {
    faultOf(status) {
      if (status !== 404) return undefined
      lost()
      return FAULTS.session_lost
    },
    // Servers in the field say it with 400 and words.
    reword(message) {
      if (!isRecord(message) || !saysSessionLost(message['error'])) return outgoing.reword(message)
      lost()
      return faultMessage(FAULTS.session_lost, incoming.id, exchange.id)
    },
  }
}

/** The head says what the body says: MCP 2026-07-28, Transports, for a party that rewrites. */
function headFor(head: McpHead, name: string | undefined, revision: string | undefined): McpHead {
  const passed: string[] = []
  for (let at = 0; at < head.passed.length; at += 2) {
    const field = head.passed[at] ?? ''
    const value = head.passed[at + 1] ?? ''
    if (field === HEADER_NAME && name !== undefined) passed.push(field, encodeHeaderValue(name))
    else if (field !== HEADER_PROTOCOL_VERSION || revision === undefined) passed.push(field, value)
  }
  if (revision !== undefined) passed.push(HEADER_PROTOCOL_VERSION, revision)
  return { ...head, passed }
}

/** As messages: what the server says goes into the other era's words, and is judged like what passes as bytes. */
async function bridged(needs: CallNeeds, call: ViewCall, upstream: Upstream, gone: AbortController): Promise<Ending> {
  const { visit, outgoing, session } = call
  const { exchange, principal, incoming, method } = visit
  const message = { ...incoming.message, params: outgoing.params }
  const hello: ClientHello = session?.hello ?? helloOfRequest(message.params)
  const forget =
    session && needs.back.running.begin(session.id, message, { server: upstream.id, cancel: () => gone.abort() })
  // The call ends with the credential that made it.
  const openStream = () => needs.streams.open(principal, () => gone.abort())
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
