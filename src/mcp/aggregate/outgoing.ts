// A call on its way to the server that has the thing: its own name for it, and the state that it gave out; and what becomes of its answer.
// MCP 2026-07-28, Multi round-trip requests.

import { RpcError } from '../../protocol/errors.ts'
import { isRecord } from '../../protocol/json.ts'
import { type RpcId, type RpcResponse, rpcError } from '../../protocol/jsonrpc.ts'
import { META_CLIENT_CAPABILITIES, RPC } from '../../protocol/mcp.ts'
import { refusedInput } from '../held/refused-question.ts'
import { hiddenError, unknownInOurWords } from '../hidden.ts'
import { argumentsOf } from '../target.ts'
import type { Found } from './decide.ts'
import { heldState } from './questioned.ts'
import type { StateOf, States } from './request-state.ts'
import { type Replacement, splice } from './splice.ts'
import type { RequestVisit, ViewVisit } from './visit.ts'

export interface Outgoing {
  /** The client's bytes, with these values in place of its own. */
  readonly body: Buffer
  readonly params: Readonly<Record<string, unknown>>
  /** Name or URI at the server, as its head says it; `undefined` for methods whose head names nothing. */
  readonly name: string | undefined
  /** What an answer may be exchanged for; `undefined` leaves it as it is. */
  reword(message: unknown): object | undefined
}

/** At once, unless it comes back with a state. Throws, or rejects with, RpcError for one that was not given for this. */
export function outgoing(visit: RequestVisit, found: Found, states: States): Outgoing | Promise<Outgoing> {
  const { params, era } = visit
  const requestState = params?.['requestState']
  if (requestState === undefined || heldState(visit) !== undefined) return replaced(visit, found, states, [])
  if (typeof requestState !== 'string' || era === 'legacy')
    throw new RpcError(RPC.invalidParams, 'bad_state', 'Invalid params: requestState', { status: 200 })
  return states
    .open(stateOf(visit, found), requestState)
    .then((value) => replaced(visit, found, states, [{ path: ['params', 'requestState'], value }]))
}

function replaced(visit: RequestVisit, found: Found, states: States, more: readonly Replacement[]): Outgoing {
  const { incoming, params = {}, era } = visit
  const { id } = incoming
  const { name } = found
  const replacements = [...renamed(visit, found), ...more]
  return {
    body: splice(incoming.body, replacements),
    params: withReplaced(params, replacements),
    name,
    reword(message) {
      const unknown = unknownInOurWords({ target: { ...visit.target, name }, era, id })
      if (unknown(message) !== undefined) return unknownHere(visit, id)
      return carried(message, { of: stateOf(visit, found), states, id, declared: declaredBy(params) })
    },
  }
}

const stateOf = ({ principal, view, method, params }: RequestVisit, { server, name }: Found): StateOf => ({
  subject: principal.subject,
  view: view.id,
  server,
  method,
  name,
  args: argumentsOf(method, params),
})

/** A server that does not know a name says so in a few words, and one that asks its user says that it does. */
export const mayConcern = (answer: Buffer): boolean =>
  answer.length <= SHORT || answer.includes('input_required') || answer.includes('\\u00')

const SHORT = 1024

/** URIs are the same everywhere. */
function renamed({ target, method }: ViewVisit, found: Found): Replacement[] {
  if (found.name === target.name) return []
  const path = method === 'completion/complete' ? ['params', 'ref', 'name'] : ['params', 'name']
  return [{ path, value: found.name }]
}

function withReplaced(
  params: Readonly<Record<string, unknown>>,
  replacements: readonly Replacement[],
): Readonly<Record<string, unknown>> {
  let written = params
  for (const { path, value } of replacements) {
    const [, key = '', inner] = path
    const held = written[key]
    written = { ...written, [key]: inner === undefined ? value : { ...(isRecord(held) ? held : {}), [inner]: value } }
  }
  return written
}

/** The server knows the thing no more: its own name for it is nobody's business here. */
function unknownHere({ target, era }: ViewVisit, id: RpcId): RpcResponse {
  const { code, message, data } = hiddenError(target, era, 'unknown')
  return rpcError(id, { code, message, data })
}

interface Carrying {
  readonly of: StateOf
  readonly states: Pick<States, 'seal'>
  readonly id: RpcId
  readonly declared: Readonly<Record<string, unknown>>
}

/** MCP 2026-07-28, Multi round-trip requests: what the server asks, and the state to come back with, sealed. */
function carried(message: unknown, { of, states, id, declared }: Carrying): object | undefined {
  const result = isRecord(message) ? message['result'] : undefined
  if (!isRecord(message) || !isRecord(result) || result['resultType'] !== 'input_required') return undefined
  if (refusedInput(result, declared) !== undefined)
    return refused(id, 'The server asks for what this client cannot be asked.')
  const { requestState } = result
  if (requestState === undefined) return undefined
  const sealed = typeof requestState === 'string' ? states.seal(of, requestState) : undefined
  if (sealed === undefined) return refused(id, 'The server gave out a state that cannot be carried.')
  return { ...message, result: { ...result, requestState: sealed } }
}

const refused = (id: RpcId, message: string): RpcResponse => rpcError(id, { code: RPC.internalError, message })

function declaredBy(params: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const meta = params['_meta']
  const declared = isRecord(meta) ? meta[META_CLIENT_CAPABILITIES] : undefined
  return isRecord(declared) ? declared : {}
}
