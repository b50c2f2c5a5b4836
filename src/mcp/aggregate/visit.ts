// A request to a view, once it is read and its head fits its body; and which view it is for.
import { RpcError } from '../../protocol/errors.ts'
import { isRecord } from '../../protocol/json.ts'
import { LEGACY_REVISIONS, META_PROTOCOL_VERSION, MODERN_REVISION, RPC } from '../../protocol/mcp.ts'
import { type Target, targetOf } from '../target.ts'
import { type Arrival, checkWords, type Words } from '../visit.ts'
import type { View } from './views/view.ts'

export interface ViewVisit extends Arrival, Words {
  readonly view: View
  readonly target: Target
}

/** One that asks for an answer. */
export type RequestVisit = ViewVisit & { readonly incoming: { readonly kind: 'request' } }

export const isRequest = (visit: ViewVisit): visit is RequestVisit => visit.incoming?.kind === 'request'

const SUPPORTED = [MODERN_REVISION, ...LEGACY_REVISIONS]
const legacy: readonly string[] = LEGACY_REVISIONS

export function checkViewVisit(arrival: Arrival & Pick<ViewVisit, 'view'>): ViewVisit {
  const words = checkWords(arrival)
  checkSpoken({ ...words, head: arrival.head })
  return { ...arrival, ...words, target: targetOf(words.method, words.params) }
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
