// A request to a view, once it is read and its head fits its body; and which view it is for.
import type { Exchange } from '../../http/exchange.ts'
import type { RequestFacts } from '../../protocol/decision.ts'
import { RpcError } from '../../protocol/errors.ts'
import { isRecord } from '../../protocol/json.ts'
import { LEGACY_REVISIONS, META_PROTOCOL_VERSION, MODERN_REVISION, RPC } from '../../protocol/mcp.ts'
import type { Principal } from '../../protocol/principal.ts'
import { checkEra, type Era, eraOfHead } from '../era.ts'
import type { McpHead } from '../headers.ts'
import type { Incoming } from '../message.ts'
import { type Target, targetOf } from '../target.ts'
import type { HttpMethod } from '../visit.ts'
import type { View } from './views/view.ts'

export interface ViewVisit {
  readonly exchange: Exchange
  readonly principal: Principal
  readonly view: View
  readonly httpMethod: HttpMethod
  readonly head: McpHead
  readonly incoming: Incoming | undefined
  readonly era: Era
  /** JSON-RPC method; the HTTP one for a request without a message, `response` for an answer to a server. */
  readonly method: string
  readonly wordless: boolean
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly target: Target
  readonly request: RequestFacts
}

/** One that asks for an answer. */
export type RequestVisit = ViewVisit & { readonly incoming: { readonly kind: 'request' } }

export const isRequest = (visit: ViewVisit): visit is RequestVisit => visit.incoming?.kind === 'request'

const SUPPORTED = [MODERN_REVISION, ...LEGACY_REVISIONS]
const legacy: readonly string[] = LEGACY_REVISIONS

export function checkViewVisit(read: {
  exchange: Exchange
  principal: Principal
  view: View
  httpMethod: HttpMethod
  head: McpHead
  incoming: Incoming | undefined
}): ViewVisit {
  const { exchange, head, incoming, httpMethod } = read
  const era = incoming === undefined ? eraOfHead(head) : checkEra(incoming, head)
  const method = incoming === undefined ? httpMethod : (incoming.method ?? 'response')
  const wordless = incoming === undefined || incoming.kind === 'response'
  const params = wordless ? undefined : incoming.message.params
  checkSpoken({ era, head, params, method })
  const request = { address: exchange.address, at: exchange.at, era }
  return { ...read, era, method, wordless, params, target: targetOf(method, params), request }
}

/** MCP 2026-07-28, Lifecycle: an unsupported version is named, with those that are; MCP 2025-11-25, Transports: it is 400. */
export function checkSpoken({
  era,
  head,
  params,
  method,
}: Pick<ViewVisit, 'era' | 'head' | 'params' | 'method'>): void {
  if (era === 'modern') {
    const meta = params?.['_meta']
    const requested = (isRecord(meta) ? meta[META_PROTOCOL_VERSION] : undefined) ?? head.version
    if (requested === undefined || requested === MODERN_REVISION) return
    throw new RpcError(RPC.unsupportedVersion, 'bad_revision', 'Unsupported protocol version', {
      data: { supported: SUPPORTED, requested },
    })
  }
  if (method === 'initialize' || head.version === undefined || legacy.includes(head.version)) return
  const words = `Bad Request: Unsupported protocol version (supported: ${legacy.join(', ')})`
  throw new RpcError(RPC.legacyServerError, 'bad_revision', words)
}
