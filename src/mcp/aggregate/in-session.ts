// What a client of the handshake revisions does in its session at a view, and nobody else: it begins and ends it, listens, answers what it
// was asked, subscribes. MCP 2025-11-25, Lifecycle, and Transports: session management.
import type { Policy } from '../../policy/policy.ts'
import { RpcError } from '../../protocol/errors.ts'
import type { RpcNotification, RpcResponse } from '../../protocol/jsonrpc.ts'
import { isLogLevel } from '../../protocol/log-level.ts'
import { RPC } from '../../protocol/mcp.ts'
import { formerSubject } from '../../protocol/principal.ts'
import type { Caller } from '../../upstreams/caller.ts'
import { sendRpc } from '../answer.ts'
import type { Bridge } from '../bridge/call.ts'
import { helloOfHandshake } from '../bridge/hello.ts'
import { callerOf, isUnreached } from '../reach.ts'
import type { Ending } from '../relay.ts'
import type { SessionPlace } from '../session.ts'
import { audienceOf } from './audience.ts'
import type { BackChannel } from './back-channel/back-channel.ts'
import { tell } from './back-channel/tell.ts'
import { type ConnectingNeeds, withConnection } from './connecting.ts'
import type { Found } from './decide.ts'
import type { Introduce } from './introduction.ts'
import type { QuestionNeeds } from './questioned.ts'
import type { AggregateSession, AggregateSessions } from './sessions.ts'
import { ANSWERED, accept, send } from './view-answer.ts'
import type { RequestVisit, ViewVisit } from './visit.ts'

export interface InSessionNeeds extends ConnectingNeeds, Pick<QuestionNeeds, 'asking'> {
  readonly policy: Policy
  readonly introduction: Introduce
  readonly sessions: AggregateSessions
  readonly back: BackChannel
  readonly bridge: Pick<Bridge, 'bridgeCall'>
  onError(error: unknown): void
}

export interface InSession {
  begin(visit: RequestVisit): Promise<Ending>
  /** Throws RpcError where no session is named, or none of this principal's. */
  open(visit: ViewVisit): Promise<AggregateSession>
  /** What is no request: the stream, the end, responses and notifications. */
  receive(visit: ViewVisit, session: AggregateSession): Ending | Promise<Ending>
  /** `undefined`: a request that both eras have. */
  answer(visit: RequestVisit, session: AggregateSession, found: Found | undefined): Ending | Promise<Ending> | undefined
}

type ResponseIncoming = NonNullable<ViewVisit['incoming']> & { readonly kind: 'response' }

export function createInSession(needs: InSessionNeeds): InSession {
  const { introduction, sessions, back, reach } = needs

  function listen(visit: ViewVisit, session: AggregateSession): Promise<Ending> {
    const { exchange, principal, view } = visit
    const places = [...sessions.opened(session)].map(([server, { id, revision }]) => ({
      server,
      session: id,
      revision,
    }))
    const { capabilities } = session.hello
    const audience = audienceOf(needs.policy, visit)
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

  async function end(visit: ViewVisit, session: AggregateSession): Promise<Ending> {
    back.end(session.id, callerOf(visit))
    await sessions.end(session)
    visit.exchange.res.writeHead(200, ['content-length', '0']).end()
    return ANSWERED
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
    const tellOne = async (server: string, place: Parameters<typeof tell>[1]): Promise<void> => {
      const upstream = await reach(server, caller)
      if (upstream?.kind === 'remote') await tell(upstream, place, body)
    }
    for (const [server, { id, revision }] of sessions.opened(session))
      tellOne(server, { session: id, revision }).catch((error: unknown) => {
        if (!isUnreached(error)) needs.onError(error)
      })
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

  return {
    async begin(visit) {
      const { view, params } = visit
      const hello = helloOfHandshake(params)
      const result = await introduction.initialize(view, callerOf(visit), hello)
      const sealed = await sessions.begin(placeOf(visit), hello)
      return send(visit, JSON.stringify(result), ['mcp-session-id', sealed])
    },
    async open(visit) {
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
    },
    receive(visit, session) {
      const { incoming } = visit
      if (incoming === undefined) return visit.httpMethod === 'GET' ? listen(visit, session) : end(visit, session)
      return incoming.kind === 'response' ? passAnswer(visit, session, incoming) : notice(visit, session)
    },
    answer(visit, session, found) {
      const { method } = visit
      if (method === 'ping') return send(visit, '{}')
      if (method === 'logging/setLevel') return setLevel(visit, session)
      if (found !== undefined && (method === 'resources/subscribe' || method === 'resources/unsubscribe'))
        return withConnection(needs, { visit, found, session }, (asked) => subscribe(asked, found, session))
      return undefined
    },
  }
}

const placeOf = ({ principal, view }: ViewVisit): SessionPlace => ({ subject: principal.subject, server: view.id })
