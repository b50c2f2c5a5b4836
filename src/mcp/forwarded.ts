// A call that an ingress asks about, and sends to the server itself: judged by the message where the ingress sends it along, else by
// the fields in which a request of MCP 2026-07-28 repeats it (Transports: a server MUST refuse fields that differ from the body).
import type { IncomingHttpHeaders } from 'node:http'
import type { Policy } from '../policy/policy.ts'
import type { Call, Decision } from '../protocol/decision.ts'
import { RequestError } from '../protocol/errors.ts'
import { decodeHeaderValue } from '../protocol/header-value.ts'
import type { Principal } from '../protocol/principal.ts'
import { decideInquiry } from './decide.ts'
import { checkEra, type Era, eraOfHead } from './era.ts'
import { type McpHead, readHead } from './headers.ts'
import { checkMediaType, parseMessage } from './message.ts'
import { type Target, targetOf } from './target.ts'

interface Needs {
  readonly policy: Policy
  /** Throws BearerError `insufficient_scope`. */
  checkScopes(principal: Principal, call: Call): void
  readonly limits: { readonly depth: number; readonly keys: number }
}

/** What the ingress has of the call. */
export interface ForwardedCall {
  readonly principal: Principal
  readonly server: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  /** The whole message; `undefined` where the ingress keeps it. */
  readonly body: Buffer | undefined
}

export interface JudgedCall extends Decision {
  readonly method: string
  readonly target: Target
  readonly era: Era
}

/** What such a request touches is in its body alone. */
const UNNAMED = new Set(['completion/complete', 'subscriptions/listen', 'resources/subscribe', 'resources/unsubscribe'])

/** Throws RequestError or RpcError for a call that nobody can be sure of, BearerError `insufficient_scope`. */
export function forwardedCalls({ policy, checkScopes, limits }: Needs): (call: ForwardedCall) => JudgedCall {
  return function judge({ principal, server, headers, rawHeaders, body }) {
    const head = readHead(rawHeaders)
    const said = body === undefined ? saidByHead(head) : saidByBody(head, headers, body, limits)
    const { method, params, wordless, era } = said
    const target = targetOf(method, params)
    const decision = decideInquiry({ policy, checkScopes }, { principal, server, method, wordless, params, target })
    return { ...decision, method, era }
  }
}

interface Words {
  readonly method: string
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly wordless: boolean
  readonly era: Era
}

function saidByBody(head: McpHead, headers: IncomingHttpHeaders, body: Buffer, limits: Needs['limits']): Words {
  checkMediaType(headers)
  const incoming = parseMessage(body, limits)
  const era = checkEra(incoming, head)
  if (incoming.kind === 'response') return { method: 'response', params: undefined, wordless: true, era }
  return { method: incoming.method, params: incoming.message.params, wordless: false, era }
}

function saidByHead(head: McpHead): Words {
  const { method, name } = head
  // Servers of older revisions look at the body alone: whatever the fields say, another call may stand there.
  if (eraOfHead(head) !== 'modern' || method === undefined || UNNAMED.has(method)) throw unknownCall()
  const named = name === undefined ? undefined : decodeHeaderValue(name)
  if (name !== undefined && named === undefined)
    throw new RequestError(400, 'name_encoding', 'Mcp-Name is not a well-formed value.')
  // `Mcp-Name` repeats whichever of the two the method has.
  const params = named === undefined ? undefined : { name: named, uri: named }
  return { method, params, wordless: false, era: 'modern' }
}

const unknownCall = () => new RequestError(403, 'call_unknown', 'It cannot be told which tool this call is for.')
