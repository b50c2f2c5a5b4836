// One message that a server says by itself, on a stream of its own or in the answer to a call: what becomes of it for the client of an
// aggregate. MCP 2025-11-25, Base protocol and Client features.
import { isRecord } from '../../../protocol/json.ts'
import type { RpcId, RpcResponse } from '../../../protocol/jsonrpc.ts'
import { rpcError } from '../../../protocol/jsonrpc.ts'
import { RPC } from '../../../protocol/mcp.ts'
import { type ClientCapabilities, type Refusal, refusedQuestion } from '../../held/refused-question.ts'
import { type ChangedList, listChange, listChanged } from '../../list-forms.ts'
import { type Hearer, mayHear, type Origin } from './notifications.ts'
import type { Asked, Questions } from './questions.ts'

/** A session of ours with a server, for one client. */
export interface UpstreamPlace {
  readonly server: string
  readonly session: string | undefined
  readonly revision: string
}

/** How servers may ask this client; a client of the modern era is never asked this way. */
export interface Asking {
  readonly questions: Pick<Questions, 'seal' | 'sealed'>
  readonly asked: Asked
  readonly capabilities: ClientCapabilities
  /** Tells the server that its question goes no further. Nobody waits for it. */
  refuse(place: UpstreamPlace, response: RpcResponse, refusal: Refusal): void
}

export interface JudgeNeeds {
  readonly hearer: Hearer
  readonly asking: Asking | undefined
  /** Told whoever may hear it: the catalogue keeps no list that is known to be old. */
  onListChanged(server: string): void
}

/** `list`: one of the servers' lists has changed. `undefined`: it goes no further. */
export type Judged = { readonly list: ChangedList } | { readonly message: object } | undefined
/** Questions are heard where there is a place to answer to. */
export type Judge = (origin: Origin, place: UpstreamPlace | undefined, message: unknown) => Judged

const LONGEST_ID = 256

export function createJudge({ hearer, asking, onListChanged }: JudgeNeeds): Judge {
  return (origin, place, message) => {
    if (!isRecord(message) || 'result' in message || 'error' in message) return undefined
    const { method, params, id } = message
    if (typeof method !== 'string') return undefined
    if ('id' in message) return asking && place && origin.own ? ask(asking, place, { id, method, params }) : undefined
    const list = listChanged(method)
    if (list !== undefined) onListChanged(origin.server)
    if (method === 'notifications/cancelled' && origin.own && asking) return takenBack(asking, origin.server, params)
    if (!mayHear(origin, method, params, hearer)) return undefined
    if (list !== undefined) return { list }
    return { message: isRecord(params) ? { jsonrpc: '2.0', method, params } : { jsonrpc: '2.0', method } }
  }
}

/** The same on the stream that answers one call: what is said there is about that call, and progress goes by its token alone. */
export function createAside(
  needs: JudgeNeeds,
  call: { readonly server: string; readonly place: UpstreamPlace | undefined; readonly token: unknown },
): (message: unknown) => object | undefined {
  const isProgressOf = (_: string, token: unknown) => token !== undefined && token === call.token
  const judge = createJudge({ ...needs, hearer: { ...needs.hearer, isProgressOf } })
  return (message) => {
    const judged = judge({ server: call.server, own: true }, call.place, message)
    if (judged === undefined || 'message' in judged) return judged?.message
    return { jsonrpc: '2.0', method: listChange(judged.list) }
  }
}

function ask(asking: Asking, place: UpstreamPlace, asks: { id: unknown; method: string; params: unknown }): Judged {
  const { questions, asked, capabilities } = asking
  const { method, params } = asks
  // Without an id of MCP's kind there is nobody to answer.
  if (!isId(asks.id)) return undefined
  const refusal = refusedQuestion(method, params, capabilities)
  if (refusal !== undefined) {
    asking.refuse(place, rpcError(asks.id, REFUSALS[refusal]), refusal)
    return undefined
  }
  const id = questions.seal(asked, { ...place, id: asks.id })
  return { message: isRecord(params) ? { jsonrpc: '2.0', id, method, params } : { jsonrpc: '2.0', id, method } }
}

/** What a client itself would say that was asked so. */
const REFUSALS: Readonly<Record<Refusal, { code: number; message: string }>> = {
  not_declared: { code: RPC.methodNotFound, message: 'This client declared no such capability.' },
  not_a_question: { code: RPC.methodNotFound, message: 'Method not found' },
  unsafe_link: { code: RPC.invalidParams, message: 'Only https links are shown to people.' },
}

/** A server takes its question back: the client knows it by our id. */
function takenBack({ questions, asked }: Asking, server: string, params: unknown): Judged {
  if (!isRecord(params) || !isId(params['requestId'])) return undefined
  const requestId = questions.sealed(asked, { server, id: params['requestId'] })
  if (requestId === undefined) return undefined
  return { message: { jsonrpc: '2.0', method: 'notifications/cancelled', params: { ...params, requestId } } }
}

const isId = (id: unknown): id is RpcId =>
  (typeof id === 'string' && id.length <= LONGEST_ID) || (typeof id === 'number' && Number.isSafeInteger(id))
