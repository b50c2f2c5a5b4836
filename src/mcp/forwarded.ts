// A call that an ingress asks about, and sends to the server itself: judged by the message where the ingress sends it along, else by
// the fields in which a request of MCP 2026-07-28 repeats it (Transports: a server MUST refuse fields that differ from the body).
import type { IncomingHttpHeaders } from 'node:http'
import type { Limits } from '../policy/limits.ts'
import type { RequestFacts } from '../protocol/decision.ts'
import { RequestError } from '../protocol/errors.ts'
import { decodeHeaderValue } from '../protocol/header-value.ts'
import type { Revision } from '../protocol/mcp.ts'
import type { Principal } from '../protocol/principal.ts'
import { admitInquiry } from './admit.ts'
import { type DecideNeeds, decideInquiry, type Verdict } from './decide.ts'
import { checkEra, type Era, eraOfHead } from './era.ts'
import { type McpHead, readHead } from './headers.ts'
import { checkMediaType, type Incoming, parseMessage } from './message.ts'
import { checkRevision } from './revision.ts'
import { type Target, targetOf } from './target.ts'
import { checkReadArguments } from './unambiguous.ts'

interface Needs extends DecideNeeds {
  readonly admit: Limits['admit']
  /** Oldest that may be spoken to the server. */
  minimumRevision(server: string): Revision | undefined
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
  /** Of the caller, and when. */
  readonly request: Omit<RequestFacts, 'era'>
}

export type JudgedCall = Verdict & {
  readonly method: string
  readonly era: Era
}

/** What such a request touches is in its body alone. */
const UNNAMED = new Set(['completion/complete', 'subscriptions/listen', 'resources/subscribe', 'resources/unsubscribe'])

/** Throws RequestError or RpcError for a call that nobody can be sure of, BearerError `insufficient_scope`. */
export function forwardedCalls(needs: Needs): (call: ForwardedCall) => Promise<JudgedCall> {
  const { policy, limits } = needs
  return async function judge({ principal, server, headers, rawHeaders, body, request: { address, at } }) {
    const head = readHead(rawHeaders)
    const reading = policy.reads(server)
    const said = body === undefined ? saidByHead(head) : saidByBody(head, headers, body, limits)
    if (body !== undefined) checkReadArguments(reading, body)
    const { method, params, wordless, era, incoming } = said
    const minimum = needs.minimumRevision(server)
    if (minimum !== undefined) checkRevision(minimum, { incoming, head, era })
    const target = targetOf(method, params)
    // The fields name the thing and keep what it is called with.
    if (body === undefined && reading.args && hasArguments(target)) throw unknownCall()
    const request = { address, at, era }
    const inquiry = { principal, server, method, wordless, params, target, request }
    const { verdict, end } = await admitInquiry(needs.admit, inquiry, await decideInquiry(needs, inquiry))
    // The call goes past us, and nobody tells when it has ended: of what runs at once this one is no part.
    end?.()
    return { ...verdict, method, era }
  }
}

const hasArguments = ({ kind }: Target): boolean => kind === 'tool' || kind === 'prompt'

interface Words {
  readonly method: string
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly wordless: boolean
  readonly era: Era
  readonly incoming: Incoming | undefined
}

function saidByBody(head: McpHead, headers: IncomingHttpHeaders, body: Buffer, limits: Needs['limits']): Words {
  checkMediaType(headers)
  const incoming = parseMessage(body, limits)
  const era = checkEra(incoming, head)
  if (incoming.kind === 'response') return { method: 'response', params: undefined, wordless: true, era, incoming }
  return { method: incoming.method, params: incoming.message.params, wordless: false, era, incoming }
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
  return { method, params, wordless: false, era: 'modern', incoming: undefined }
}

const unknownCall = () => new RequestError(403, 'call_unknown', 'It cannot be told which tool this call is for.')
