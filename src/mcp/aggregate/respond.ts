// Phase 4 at a view: who answers what. The view itself the handshake, lists and housekeeping; the server that has a thing the rest.
import type { Policy } from '../../policy/policy.ts'
import { RequestError, RpcError } from '../../protocol/errors.ts'
import type { RpcNotification, RpcResponse } from '../../protocol/jsonrpc.ts'
import { isLogLevel } from '../../protocol/log-level.ts'
import { RPC } from '../../protocol/mcp.ts'
import { formerSubject } from '../../protocol/principal.ts'
import type { Caller } from '../../upstreams/caller.ts'
import { UpstreamRefused } from '../../upstreams/credential.ts'
import { sendRpc } from '../answer.ts'
import { helloOfHandshake, helloOfRequest } from '../bridge/hello.ts'
import { FAULTS, faultMessage } from '../fault.ts'
import type { Edit } from '../filter.ts'
import { hiddenError } from '../hidden.ts'
import { type ListKind, listOf } from '../list-forms.ts'
import { callerOf, isUnreached } from '../reach.ts'
import type { Ending } from '../relay.ts'
import { sendFailure } from '../reply.ts'
import type { SessionPlace } from '../session.ts'
import { throughAlias } from './alias.ts'
import type { Audience, BackChannel } from './back-channel/back-channel.ts'
import { tell } from './back-channel/tell.ts'
import { type CallNeeds, createCalls } from './call.ts'
import { type ConnectingNeeds, withConnection } from './connecting.ts'
import { type Found, isOfEra, ownerOf } from './decide.ts'
import type { Introduce } from './introduction.ts'
import type { Lists } from './lists.ts'
import { type Outgoing, outgoing } from './outgoing.ts'
import type { States } from './request-state.ts'
import type { AggregateSession, AggregateSessions } from './sessions.ts'
import type { Compose } from './views/caller-composition.ts'
import { isRequest, type RequestVisit, type ViewVisit } from './visit.ts'

export interface RespondNeeds extends Omit<CallNeeds, 'sessions' | 'back'>, ConnectingNeeds {
  readonly policy: Policy
  readonly lists: Lists
  readonly compose: Compose
  readonly introduction: Introduce
  readonly sessions: AggregateSessions
  readonly back: BackChannel
  onError(error: unknown): void
  readonly states: States
}

/** `edit`: what of the server's answer the caller may see, where the view is one server alone. */
export type Respond = (visit: ViewVisit, found: Found | undefined, edit?: Edit) => Promise<Ending>

export function createRespond(needs: RespondNeeds): Respond {
  const { lists, introduction, sessions, back, states, reach } = needs
  const call = createCalls(needs)

  return async function respond(visit, found, edit) {
    try {
      const { era, method } = visit
      // At a view of many it was judged before.
      if (isRequest(visit) && !isOfEra(method, era))
        throw hiddenError({ kind: 'method', name: method }, era, 'not_offered')
      return await (era === 'modern' ? answer(visit, { found, edit }) : answerInSession(visit, { found, edit }))
    } catch (error) {
      // Of one server alone, whoever bound it has it bound anew and asks once more.
      if (visit.view.alone && error instanceof UpstreamRefused) throw error
      return sendFailure(visit.exchange, visit.incoming?.id, error)
    }
  }

  function answer(visit: ViewVisit, { found, edit }: Touched): Ending | Promise<Ending> {
    if (visit.incoming === undefined) throw notAllowed(visit)
    if (!isRequest(visit)) return accept(visit)
    return shared(visit, { found, edit, session: undefined })
  }

  async function answerInSession(visit: ViewVisit, { found, edit }: Touched): Promise<Ending> {
    const { incoming, method } = visit
    if (method === 'initialize' && isRequest(visit)) return begin(visit)
    const session = await openSession(visit)
    if (incoming === undefined) return visit.httpMethod === 'GET' ? listen(visit, session) : end(visit, session)
    if (incoming.kind === 'response') return passAnswer(visit, session, incoming)
    if (!isRequest(visit)) return notice(visit, session)
    if (method === 'ping') return send(visit, '{}')
    if (method === 'logging/setLevel') return setLevel(visit, session)
    if (found !== undefined && (method === 'resources/subscribe' || method === 'resources/unsubscribe'))
      return withConnection(needs, { visit, found, session }, (asked) => subscribe(asked, found, session))
    return shared(visit, { found, edit, session })
  }

  /** What both eras have. */
  function shared(visit: RequestVisit, { found, edit, session }: Asked): Promise<Ending> {
    const { view, method } = visit
    const kind = listOf(method)
    if (kind !== undefined && !view.alone) return list(visit, kind)
    if (method === 'server/discover') return discover(visit)
    if (method === 'subscriptions/listen') return listenTo(visit)
    if (found === undefined) throw new TypeError(`Nobody answers ${method}.`)
    return withConnection(needs, { visit, found, session }, (asked) => {
      const send = (sent: Outgoing) =>
        call({
          visit: asked,
          found,
          session,
          audience: audienceOf(asked),
          outgoing: edit === undefined ? sent : { ...sent, reword: edited(asked, sent, edit) },
        })
      const sent = outgoing(asked, found, states)
      return sent instanceof Promise ? sent.then(send) : send(sent)
    })
  }

  async function list(visit: RequestVisit, kind: ListKind): Promise<Ending> {
    const { view, params, request } = visit
    const cursor = params?.['cursor']
    return sendResult(visit, await lists.result({ view, caller: callerOf(visit), kind, request, cursor }))
  }

  async function discover(visit: RequestVisit): Promise<Ending> {
    const { view, params } = visit
    return send(visit, JSON.stringify(await introduction.discover(view, callerOf(visit), helloOfRequest(params))))
  }

  async function begin(visit: RequestVisit): Promise<Ending> {
    const { view, params } = visit
    const hello = helloOfHandshake(params)
    const result = await introduction.initialize(view, callerOf(visit), hello)
    const sealed = await sessions.begin(placeOf(visit), hello)
    return send(visit, JSON.stringify(result), ['mcp-session-id', sealed])
  }

  async function openSession(visit: ViewVisit): Promise<AggregateSession> {
    const { head, principal } = visit
    if (head.session === undefined)
      throw new RpcError(RPC.legacyServerError, 'session_missing', 'Bad Request: Mcp-Session-Id is missing')
    const place = placeOf(visit)
    const former = formerSubject(principal)
    try {
      return await sessions.open(place, head.session, principal)
    } catch (error) {
      if (former === undefined || !(error instanceof RpcError)) throw error
      return sessions.open({ ...place, subject: former }, head.session, principal)
    }
  }

  async function end(visit: ViewVisit, session: AggregateSession): Promise<Ending> {
    back.end(session.id, callerOf(visit))
    await sessions.end(session)
    visit.exchange.res.writeHead(200, ['content-length', '0']).end()
    return ANSWERED
  }

  function listen(visit: ViewVisit, session: AggregateSession): Promise<Ending> {
    const { exchange, principal, view } = visit
    const places = [...sessions.opened(session)].map(([server, { id, revision }]) => ({
      server,
      session: id,
      revision,
    }))
    const { capabilities } = session.hello
    const audience = audienceOf(visit)
    const release = sessions.hold(session)
    const listened = back.listen({
      exchange,
      principal,
      servers: view.servers,
      session: session.id,
      capabilities,
      places,
      audience,
    })
    return listened.finally(release)
  }

  function listenTo(visit: RequestVisit): Promise<Ending> {
    const { exchange, principal, view, incoming } = visit
    const caller = callerOf(visit)
    const locate = async (uri: string) =>
      view.alone ? view.id : ownerOf(uri, view, (await needs.compose(view, caller)).composition)
    const audience = audienceOf(visit)
    return back.listenTo({ exchange, principal, servers: view.servers, message: incoming.message, locate, audience })
  }

  async function passAnswer(visit: ViewVisit, session: AggregateSession, incoming: ResponseIncoming): Promise<Ending> {
    const { subject, id, sealedId } = session
    if (needs.asking.answer({ subject, session: sealedId }, incoming.message)) return accept(visit)
    const answered = await back.answer({ subject, session: id }, incoming, callerOf(visit))
    if (typeof answered === 'string') return accept(visit)
    // The server did not take it; the client has done its part.
    return { ...accept(visit), outcome: 'upstream_error', fault: answered.reason }
  }

  /** Notifications of a client: what ends a call ends only one of its own. */
  function notice(visit: ViewVisit, session: AggregateSession): Ending {
    const { method, params } = visit
    if (method === 'notifications/cancelled') back.running.cancel(session.id, params?.['requestId'])
    if (method === 'notifications/roots/list_changed') tellAll(session, { jsonrpc: '2.0', method }, callerOf(visit))
    return accept(visit)
  }

  /** Every server that the client has a session with. Nobody waits: one that is gone asks for the roots when it is back. */
  function tellAll(session: AggregateSession, notification: RpcNotification, caller: Caller): void {
    const body = Buffer.from(JSON.stringify(notification))
    for (const [server, { id, revision }] of sessions.opened(session))
      tellOne(server, { session: id, revision }, body, caller).catch((error: unknown) => {
        if (!isUnreached(error)) needs.onError(error)
      })
  }

  async function tellOne(server: string, place: Parameters<typeof tell>[1], body: Buffer, caller: Caller) {
    const upstream = await reach(server, caller)
    if (upstream?.kind === 'remote') await tell(upstream, place, body)
  }

  async function setLevel(visit: RequestVisit, session: AggregateSession): Promise<Ending> {
    const level = visit.params?.['level']
    if (!isLogLevel(level))
      throw new RpcError(RPC.invalidParams, 'bad_params', 'Invalid params: level', { status: 200 })
    await sessions.setLogLevel(session, level)
    return send(visit, '{}')
  }

  async function subscribe(visit: RequestVisit, found: Found, session: AggregateSession): Promise<Ending> {
    const { incoming, exchange, method } = visit
    const upstream = await reach(found.server, callerOf(visit))
    if (upstream === undefined) throw new TypeError('The server is gone.')
    const { signal } = new AbortController()
    const { message } = incoming
    const ask = (): Promise<RpcResponse> =>
      upstream.kind === 'remote'
        ? sessions.ask(session, upstream, { message, signal })
        : needs.bridge.bridgeCall(upstream, {
            principal: visit.principal,
            message,
            hello: session.hello,
            signal,
            onNotification: () => undefined,
          })
    const act = method === 'resources/subscribe' ? back.subscribe : back.unsubscribe
    const response = await act({ session: session.id, upstream, uri: found.name, signal, ask })
    sendRpc(exchange.res, 200, response ?? { jsonrpc: '2.0', id: message.id, result: {} })
    return ANSWERED
  }

  function audienceOf({ view, principal, request, method }: ViewVisit): Audience {
    const { policy } = needs
    return {
      sees: (server) => policy.view(principal, view.virtual ? view.id : server) !== 'none',
      mayRead(server, uri) {
        const rules = view.virtual ? throughAlias(policy, { server: view.id, name: uri }) : policy
        const thing = { principal, server, method, kind: 'resource' as const, name: uri, request }
        return rules.couldAllow(thing).effect === 'allow'
      },
    }
  }
}

interface Touched {
  readonly found: Found | undefined
  readonly edit: Edit | undefined
}

interface Asked extends Touched {
  /** Of a client of the handshake era. */
  readonly session: AggregateSession | undefined
}

/** An answer that cannot be read as what was asked for is shown to nobody. */
function edited({ incoming, exchange }: RequestVisit, { reword }: Outgoing, edit: Edit): Outgoing['reword'] {
  return (message) => edit(reword(message) ?? message) ?? faultMessage(FAULTS.protocol, incoming.id, exchange.id)
}

type ResponseIncoming = NonNullable<ViewVisit['incoming']> & { readonly kind: 'response' }

const ANSWERED: Ending = { status: 200, outcome: 'answered', fault: undefined }

const placeOf = ({ principal, view }: ViewVisit): SessionPlace => ({ subject: principal.subject, server: view.id })

/** `result` is JSON already: lists are kept so, and a long one is not copied for every caller. */
function sendResult({ exchange, incoming }: RequestVisit, result: Buffer, headers: string[] = []): Ending {
  const { res } = exchange
  const before = Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(incoming.id)},"result":`)
  headers.push('content-type', 'application/json', 'content-length', String(before.length + result.length + 1))
  res.cork()
  res.writeHead(200, headers)
  res.write(before)
  res.write(result)
  res.end('}')
  return ANSWERED
}

const send = (visit: RequestVisit, result: string, headers: string[] = []): Ending =>
  sendResult(visit, Buffer.from(result), headers)

function accept({ exchange }: ViewVisit): Ending {
  exchange.res.writeHead(202, ['content-length', '0']).end()
  return { ...ANSWERED, status: 202 }
}

/** MCP 2026-07-28, Transports: POST only. */
function notAllowed({ exchange }: ViewVisit): RequestError {
  exchange.res.setHeader('Allow', 'POST, OPTIONS')
  return new RequestError(405, 'method_not_allowed', 'Use POST.')
}
