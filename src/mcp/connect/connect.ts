// A call that needs an account of the caller's own: what they are told, in the form that their client knows. The link leads to a page of
// ours, which asks who opens it. MCP 2025-11-25, Elicitation (URL mode, -32042); MCP 2026-07-28, Multi round-trip requests.
import type { Clock } from '../../protocol/clock.ts'
import { isRecord } from '../../protocol/json.ts'
import { type RpcId, type RpcResponse, rpcError } from '../../protocol/jsonrpc.ts'
import { LEGACY_RPC, RPC } from '../../protocol/mcp.ts'
import type { Asked, ConnectionRequest } from '../../tokens/connection-request.ts'
import type { SealKey } from '../../tokens/seal.ts'
import type { ConnectionReason } from '../../upstreams/credential.ts'
import { MULTI_ROUND } from '../bridge/rounds.ts'
import type { Era } from '../era.ts'
import { type Answered, connectStates, QUESTION, type StateOf } from './connect-state.ts'
import { noService } from './connect-tool.ts'

export interface ConnectAsked extends StateOf {
  readonly id: RpcId
  readonly era: Era
  /** What the client can do, as it declared it. */
  readonly declared: Readonly<Record<string, unknown>>
  readonly reason: ConnectionReason
  /** They come back from our question. */
  readonly answered: Answered | undefined
  readonly asked: Asked | undefined
  /** No person: nobody could open a link for it, and sign in as it. */
  readonly service: boolean
}

export interface Connect {
  /** In place of the server's answer. */
  answer(asked: ConnectAsked): RpcResponse
  /** The tool was called by somebody who needs no account any more. */
  connected(id: RpcId, era: Era, server: string): RpcResponse
  /** `undefined`: not an answer to a question of ours. Throws RpcError for one that is not for this. */
  answered(
    of: StateOf,
    params: Readonly<Record<string, unknown>> | undefined,
    former: string | undefined,
  ): Answered | undefined
}

interface Needs {
  titleOf(server: string): string
  /** A link for this person alone, and the id it goes by in elicitations. */
  linkFor(request: ConnectionRequest): { readonly url: string; readonly id: string }
  sealKeys(): readonly SealKey[]
  readonly clock: Clock
}

export type ConnectForm = 'elicitation_error' | 'input_required' | 'result' | 'error'

/** Whoever was asked a moment ago and comes back without an account is told in words, or would be asked for ever. */
export function decideForm({
  era,
  method,
  declared,
  answered,
  service,
}: Omit<ConnectAsked, keyof StateOf> & { method: string }): ConnectForm {
  const inWords = method === 'tools/call' ? 'result' : 'error'
  if (service || answered !== undefined || !opensLinks(declared)) return inWords
  if (era === 'legacy') return 'elicitation_error'
  return MULTI_ROUND.has(method) ? 'input_required' : inWords
}

/** An empty `elicitation` is the form mode alone. */
function opensLinks({ elicitation }: Readonly<Record<string, unknown>>): boolean {
  return isRecord(elicitation) && isRecord(elicitation['url'])
}

export function createConnect({ titleOf, linkFor, sealKeys, clock }: Needs): Connect {
  const states = connectStates({ sealKeys, clock })
  return {
    answered: states.open,
    connected(id, era, server) {
      const text = `An account at ${titleOf(server)} is connected. List the tools again: they are there now.`
      return resultOf(id, { content: [{ type: 'text', text }] }, era)
    },
    answer(asked) {
      const { id, server, reason, service } = asked
      const form = decideForm(asked)
      if (service) return inWords(asked, form, noService(titleOf(server)))
      const { url, id: elicitationId } = linkFor(asked)
      const message = WORDS[reason](titleOf(server))
      if (form === 'elicitation_error') {
        const elicitations = [{ mode: 'url', elicitationId, url, message }]
        return rpcError(id, { code: LEGACY_RPC.urlElicitationRequired, message, data: { elicitations } })
      }
      if (form === 'input_required') {
        const question = { method: 'elicitation/create', params: { mode: 'url', url, message } }
        const result = { resultType: form, inputRequests: { [QUESTION]: question }, requestState: states.seal(asked) }
        return { jsonrpc: '2.0', id, result }
      }
      return inWords(asked, form, `${message} Open this link in a browser, then try again: ${url}`)
    },
  }
}

function inWords({ id, era }: Pick<ConnectAsked, 'id' | 'era'>, form: ConnectForm, text: string): RpcResponse {
  if (form === 'error') return rpcError(id, { code: RPC.internalError, message: text })
  return resultOf(id, { content: [{ type: 'text', text }], isError: true }, era)
}

/** MCP 2026-07-28: results say that they are whole. */
const resultOf = (id: RpcId, result: object, era: Era): RpcResponse => ({
  jsonrpc: '2.0',
  id,
  result: era === 'modern' ? { resultType: 'complete', ...result } : result,
})

const WORDS: Readonly<Record<ConnectionReason, (title: string) => string>> = {
  not_connected: (title) => `The user has to connect an account of their own at ${title} first.`,
  needs_reauth: (title) => `The account at ${title} does not work any more: the user has to connect it again.`,
  more_scopes: (title) => `The account at ${title} may not do this yet: the user has to allow more there.`,
}
