// A call at a view whose server wants an account of the caller's own: made, or answered with the way to connect one.
import { formerSubject } from '../../protocol/principal.ts'
import { askedBy } from '../../tokens/connection-request.ts'
import { ConnectionNeeded, type ConnectionReason } from '../../upstreams/credential.ts'
import { sendRpc } from '../answer.ts'
import { helloOfRequest } from '../bridge/hello.ts'
import type { Connect } from '../connect/connect.ts'
import { paramsWithoutAnswer, withoutAnswer } from '../connect/connect-state.ts'
import { callerOf, type Reach } from '../reach.ts'
import type { Ending } from '../relay.ts'
import { CONNECTION_NEEDED } from './catalog/catalog.ts'
import type { Found } from './decide.ts'
import type { AggregateSession } from './sessions.ts'
import type { RequestVisit } from './visit.ts'

export interface ConnectingNeeds {
  readonly connect: Connect
  readonly reach: Reach
}

interface Asked {
  readonly visit: RequestVisit
  readonly found: Found
  /** Of a client of the handshake era. */
  readonly session: AggregateSession | undefined
}

/** `make` is given the request as the server may see it: without the answer to a question of ours. */
export async function withConnection(
  { connect, reach }: ConnectingNeeds,
  { visit, found, session }: Asked,
  make: (visit: RequestVisit) => Promise<Ending>,
): Promise<Ending> {
  const { principal, method, params, era, incoming, exchange } = visit
  const { id } = incoming
  const of = { subject: principal.subject, server: found.server, method, name: found.name }
  const answered = era === 'modern' ? connect.answered(of, params, formerSubject(principal)) : undefined

  function tell(reason: ConnectionReason): Ending {
    const declared = (session?.hello ?? helloOfRequest(params)).capabilities
    const service = principal.kind === 'service'
    const asked = askedBy(principal, visit.view.virtual ? visit.view.id : found.server)
    sendRpc(exchange.res, 200, connect.answer({ ...of, id, era, declared, reason, answered, asked, service }))
    return { status: 200, outcome: 'answered', fault: undefined, instead: CONNECTION_NEEDED }
  }

  if (answered === 'decline') return tell('not_connected')
  try {
    if (!found.connects) return await make(answered === undefined ? visit : withoutOurAnswer(visit))
    await reach(found.server, callerOf(visit))
    sendRpc(exchange.res, 200, connect.connected(id, era, found.server))
    return { status: 200, outcome: 'answered', fault: undefined }
  } catch (error) {
    if (!(error instanceof ConnectionNeeded)) throw error
    return tell(error.reason)
  }
}

function withoutOurAnswer(visit: RequestVisit): RequestVisit {
  const { incoming } = visit
  const params = paramsWithoutAnswer(visit.params)
  const message = { ...incoming.message, ...(params !== undefined && { params }) }
  return { ...visit, params, incoming: { ...incoming, message, body: withoutAnswer(incoming.body) } }
}
