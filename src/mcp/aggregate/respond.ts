// Phase 4 at a view: who answers what. The view itself the handshake, lists and housekeeping; the server that has a thing the rest.
import { RequestError } from '../../protocol/errors.ts'
import { UpstreamRefused } from '../../upstreams/credential.ts'
import { helloOfRequest } from '../bridge/hello.ts'
import { FAULTS, faultMessage } from '../fault.ts'
import type { Edit } from '../filter.ts'
import { hiddenError } from '../hidden.ts'
import { type ListKind, listOf } from '../list-forms.ts'
import { callerOf } from '../reach.ts'
import type { Ending } from '../relay.ts'
import { sendFailure } from '../reply.ts'
import { audienceOf } from './audience.ts'
import { type CallNeeds, createCalls } from './call.ts'
import { withConnection } from './connecting.ts'
import { type Found, isOfEra, ownerOf } from './decide.ts'
import { createInSession, type InSessionNeeds } from './in-session.ts'
import type { Lists } from './lists.ts'
import { type Outgoing, outgoing } from './outgoing.ts'
import type { States } from './request-state.ts'
import type { AggregateSession } from './sessions.ts'
import { accept, send, sendResult } from './view-answer.ts'
import type { Compose } from './views/caller-composition.ts'
import { isRequest, type RequestVisit, type ViewVisit } from './visit.ts'

export interface RespondNeeds extends Omit<CallNeeds, 'sessions' | 'back'>, InSessionNeeds {
  readonly lists: Lists
  readonly compose: Compose
  readonly states: States
}

/** `edit`: what of the server's answer the caller may see, where the view is one server alone. */
export type Respond = (visit: ViewVisit, found: Found | undefined, edit?: Edit) => Promise<Ending>

export function createRespond(needs: RespondNeeds): Respond {
  const { policy, lists, introduction, back, states } = needs
  const call = createCalls(needs)
  const inSession = createInSession(needs)

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
    if (visit.method === 'initialize' && isRequest(visit)) return inSession.begin(visit)
    const session = await inSession.open(visit)
    if (!isRequest(visit)) return inSession.receive(visit, session)
    return inSession.answer(visit, session, found) ?? shared(visit, { found, edit, session })
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
      const make = (sent: Outgoing) =>
        call({
          visit: asked,
          found,
          session,
          audience: audienceOf(policy, asked),
          outgoing: edit === undefined ? sent : { ...sent, reword: edited(asked, sent, edit) },
        })
      const sent = outgoing(asked, found, states)
      return sent instanceof Promise ? sent.then(make) : make(sent)
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

  function listenTo(visit: RequestVisit): Promise<Ending> {
    const { exchange, principal, view, incoming } = visit
    const caller = callerOf(visit)
    const locate = async (uri: string) =>
      view.alone ? view.id : ownerOf(uri, view, (await needs.compose(view, caller)).composition)
    const audience = audienceOf(policy, visit)
    return back.listenTo({ exchange, principal, servers: view.servers, message: incoming.message, locate, audience })
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

/** MCP 2026-07-28, Transports: POST only. */
function notAllowed({ exchange }: ViewVisit): RequestError {
  exchange.res.setHeader('Allow', 'POST, OPTIONS')
  return new RequestError(405, 'method_not_allowed', 'Use POST.')
}
