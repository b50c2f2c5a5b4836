// A server of the handshake era that wants links followed before it does anything (error -32042, MCP 2025-11-25, Elicitation) towards a
// client of 2026-07-28: what the error lists becomes what the result requires, and the client calls again.
import { isRecord } from '../../protocol/json.ts'
import type { RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import { LEGACY_RPC } from '../../protocol/mcp.ts'
import { refusedQuestion } from '../held/refused-question.ts'
import { MULTI_ROUND } from './rounds.ts'

const MOST = 16

/** `undefined`: the answer stays what it is. Nothing is held in between, so there is no state to come back with. */
export function linksWanted(
  { error, id }: RpcResponse,
  { method, params }: RpcRequest,
  declared: Readonly<Record<string, unknown>>,
): RpcResponse | undefined {
  const listed =
    error?.code === LEGACY_RPC.urlElicitationRequired && isRecord(error.data) ? error.data['elicitations'] : undefined
  if (!MULTI_ROUND.has(method)) return undefined
  if (!Array.isArray(listed) || listed.length === 0 || listed.length > MOST) return undefined
  // Whoever has said no is not asked the same again.
  if (hasDeclined(params?.['inputResponses'])) return undefined
  const inputRequests: Record<string, object> = {}
  for (const [at, link] of listed.entries()) {
    const asked = { ...(isRecord(link) ? link : {}), mode: 'url' }
    if (refusedQuestion('elicitation/create', asked, declared) !== undefined) return undefined
    inputRequests[`link${at + 1}`] = { method: 'elicitation/create', params: asked }
  }
  return { jsonrpc: '2.0', id, result: { resultType: 'input_required', inputRequests } }
}

const hasDeclined = (responses: unknown): boolean =>
  isRecord(responses) && Object.values(responses).some((said) => !isRecord(said) || said['action'] !== 'accept')
