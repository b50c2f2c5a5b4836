// A call at a server of 2026-07-28 for a client of the handshake era: what the server requires is asked of the client, and the call is
// made again with the answers. MCP 2026-07-28, Multi round-trip requests; MCP 2025-11-25, Client features.
import { randomUUID } from 'node:crypto'
import { isRecord } from '../../protocol/json.ts'
import { type RpcNotification, type RpcRequest, type RpcResponse, rpcError } from '../../protocol/jsonrpc.ts'
import { RPC } from '../../protocol/mcp.ts'
import type { Ask } from '../../upstreams/upstream.ts'
import { FAULTS } from '../fault.ts'
import { failure } from './answer-events.ts'

/** MCP 2026-07-28: these alone may be answered with `input_required`. */
export const MULTI_ROUND: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

/** A server that asks and asks does not come to an end by itself. */
const MOST_ROUNDS = 16
/** Of one round; each is shown to somebody. */
const MOST_QUESTIONS = 16

type Values = Readonly<Record<string, unknown>>
type Question = { readonly method: string; readonly params?: Record<string, unknown> }

interface Client {
  readonly ask?: Ask | undefined
  readonly signal: AbortSignal
  onNotification(notification: RpcNotification): void
}

/** The last answer: a question in it is one that nobody here can answer. Rejects as `send` does. */
export async function inRounds(
  message: RpcRequest,
  { ask, signal, onNotification }: Client,
  send: (message: RpcRequest) => Promise<RpcResponse>,
): Promise<RpcResponse> {
  let sent = message
  const followed: unknown[] = []
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const response = await send(sent)
    const { result } = response
    if (ask === undefined || !isRecord(result)) return response
    if (result['resultType'] !== 'input_required') {
      if (result['isError'] !== true) for (const link of followed) onNotification(completed(link))
      return response
    }
    const questions = readQuestions(result['inputRequests'])
    const answers = questions && askAll(questions, ask, signal)
    if (questions === undefined || answers === undefined) return response
    const inputResponses = await answers
    if (inputResponses === undefined) return unanswered(message)
    followed.push(...linksFollowed(questions, inputResponses))
    const { requestState } = result
    const params = { ...message.params, inputResponses, ...(typeof requestState === 'string' && { requestState }) }
    sent = { ...message, params }
  }
  throw failure(FAULTS.protocol)
}

/** By the server's names for them; `undefined` for what is not of MCP's form. */
function readQuestions(requests: unknown = {}): ReadonlyMap<string, Question> | undefined {
  if (!isRecord(requests)) return undefined
  const read = new Map<string, Question>()
  for (const [key, request] of Object.entries(requests)) {
    const { method, params } = isRecord(request) ? request : {}
    if (typeof method !== 'string' || read.size === MOST_QUESTIONS) return undefined
    read.set(key, isRecord(params) ? { method, params: withElicitationId(params) } : { method })
  }
  return read
}

/** MCP 2025-11-25 wants an id with a link, by which its end may be told; 2026-07-28 has none, and its end is that of the call. */
function withElicitationId(params: Record<string, unknown>): Record<string, unknown> {
  return params['mode'] === 'url' ? { elicitationId: randomUUID(), ...params } : params
}

/** Ids of the links that somebody agreed to follow. */
const linksFollowed = (questions: ReadonlyMap<string, Question>, answers: Values): unknown[] =>
  [...questions].flatMap(([key, { params }]) => {
    const answer = answers[key]
    return params?.['mode'] === 'url' && isRecord(answer) && answer['action'] === 'accept'
      ? [params['elicitationId']]
      : []
  })

/** MCP 2025-11-25, Elicitation: what was to be done behind the link is done. The server has gone on without asking for it again. */
const completed = (elicitationId: unknown): RpcNotification => ({
  jsonrpc: '2.0',
  method: 'notifications/elicitation/complete',
  params: { elicitationId },
})

/** All at once. `undefined` at once: one of them cannot be asked, so none is. Later: one was not answered. */
function askAll(
  questions: ReadonlyMap<string, Question>,
  ask: Ask,
  signal: AbortSignal,
): Promise<Values | undefined> | undefined {
  const over = new AbortController()
  const until = AbortSignal.any([signal, over.signal])
  const asked: Promise<readonly [string, unknown]>[] = []
  for (const [key, question] of questions) {
    const answer = ask({ jsonrpc: '2.0', id: key, ...question }, until)
    if (answer === undefined) {
      over.abort()
      return undefined
    }
    asked.push(answer.then((response) => [key, resultOf(question, response)] as const))
  }
  return Promise.all(asked)
    .then((all) => (all.some(([, result]) => result === undefined) ? undefined : Object.fromEntries(all)))
    .finally(() => over.abort())
}

/** This revision has no place for an error of the client's: a person who is not asked has cancelled, and a model does not answer so. */
function resultOf({ method }: Question, { result, error }: RpcResponse): unknown {
  if (error === undefined) return isRecord(result) ? result : undefined
  return method === 'elicitation/create' ? { action: 'cancel' } : undefined
}

const unanswered = ({ id }: RpcRequest): RpcResponse =>
  rpcError(id, { code: RPC.internalError, message: 'The client did not answer what the server asked of it.' })
