// What a server asks in the middle of a call that goes over the bridge: a client of the handshake era is asked on the stream of the call,
// a modern one is told `input_required` and comes back. MCP 2025-11-25, Client features; MCP 2026-07-28, Multi round-trip requests.
import type { RpcNotification, RpcRequest } from '../../protocol/jsonrpc.ts'
import { countedAs } from '../../protocol/principal.ts'
import { helloOfRequest } from '../bridge/hello.ts'
import { MULTI_ROUND } from '../bridge/rounds.ts'
import type { ClientQuestions } from '../held/client-questions.ts'
import type { CallParts, MakeCall } from '../held/held-call.ts'
import { type Answer, type HeldCalls, type HeldFor, isHeldState } from '../held/held-calls.ts'
import { type ClientCapabilities, refusedQuestion } from '../held/refused-question.ts'
import type { Reply } from '../reply.ts'
import { argumentsOf } from '../target.ts'
import type { AggregateSession } from './sessions.ts'
import type { RequestVisit, ViewVisit } from './visit.ts'

export interface QuestionNeeds {
  readonly held: HeldCalls
  readonly asking: ClientQuestions
}

/** One request of the client on its way: `signal` ends when it is given up. */
export interface Asking {
  readonly visit: RequestVisit
  readonly session: AggregateSession | undefined
  readonly reply: Pick<Reply, 'isOpen' | 'say'>
  readonly signal: AbortSignal
  onNotification(notification: RpcNotification): void
}

/** Makes the call with somebody to put its server's questions to, or goes on with the one that the client comes back to. Rejects as the call does. */
export async function withQuestions(
  { held, asking }: QuestionNeeds,
  { visit, session, reply, signal, onNotification }: Asking,
  make: MakeCall,
): Promise<Answer> {
  const { params, incoming, method, principal, exchange } = visit
  const whose = countedAs(principal, exchange.address)
  if (session === undefined) {
    const { capabilities } = helloOfRequest(params)
    const mayAsk = (question: RpcRequest) => MULTI_ROUND.has(method) && mayPut(question, capabilities)
    const request = {
      message: incoming.message,
      of: heldFor({ ...visit, address: visit.view.id }),
      signal,
      onNotification,
    }
    const state = heldState(visit)
    return state === undefined ? held.begin(request, { whose, mayAsk }, make) : held.resume(request, state)
  }
  const { subject, sealedId, hello } = session
  const client = { subject, session: sealedId, whose }
  const ask = asking.askOn(client, reply, (question) => mayPut(question, hello.capabilities))
  const parts: CallParts = { signal, ask, onNotification }
  return { kind: 'answered', response: await make(parts) }
}

const mayPut = (question: RpcRequest, declared: ClientCapabilities): boolean =>
  question.method !== 'ping' && refusedQuestion(question.method, question.params, declared) === undefined

/** What tells one held call from another: the words of the client. */
export interface Asked
  extends Pick<ViewVisit, 'principal' | 'head' | 'incoming' | 'era' | 'method' | 'params' | 'target'> {
  /** Server or view whose address it is. */
  readonly address: string
}

/** The state of a call that is held; `undefined` for a request that begins one. */
export function heldState({ params, era }: Pick<ViewVisit, 'params' | 'era'>): string | undefined {
  const state = params?.['requestState']
  return era === 'modern' && isHeldState(state) ? state : undefined
}

export function heldFor({ principal, address, method, target, params }: Omit<Asked, 'head' | 'incoming'>): HeldFor {
  return { subject: principal.subject, address, method, name: target.name, args: argumentsOf(method, params) }
}
