// A client's request in the words of the server's era. What policy judged goes on as it is: method, name and arguments are never touched,
// only the envelope around them, which is each era's own. MCP 2026-07-28, Base protocol: `_meta`; Transports: the fields that repeat the body.
import { encodeHeaderValue } from '../../protocol/header-value.ts'
import { isRecord } from '../../protocol/json.ts'
import type { RpcRequest } from '../../protocol/jsonrpc.ts'
import {
  HEADER_METHOD,
  HEADER_NAME,
  HEADER_PROTOCOL_VERSION,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_LOG_LEVEL,
  META_PROTOCOL_VERSION,
  MODERN_REVISION,
} from '../../protocol/mcp.ts'
import type { Askable } from '../held/askable.ts'
import { type ClientHello, isModernHello } from './hello.ts'
import { paramHeaders } from './param-headers.ts'

type Params = Readonly<Record<string, unknown>>

const ENVELOPE = new Set([META_PROTOCOL_VERSION, META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL])
/** MCP 2026-07-28, Transports: where `Mcp-Name` comes from. */
const NAMED: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
])

/** The token that the client chose for the progress of its request. */
export function progressTokenOf({ params }: RpcRequest): string | number | undefined {
  const meta = params?.['_meta']
  const token = isRecord(meta) ? meta['progressToken'] : undefined
  return typeof token === 'string' || typeof token === 'number' ? token : undefined
}

/** Of a modern request: MCP 2026-07-28, Logging. */
export function logLevelOf({ params }: RpcRequest): string | undefined {
  const meta = params?.['_meta']
  const level = isRecord(meta) ? meta[META_LOG_LEVEL] : undefined
  return typeof level === 'string' ? level : undefined
}

/** For a server of the handshake era; `id` is ours, and is the progress token where the client wants progress. */
export function legacyRequest(message: RpcRequest, id: number): RpcRequest {
  const { params } = message
  if (params === undefined) return { ...message, id }
  // Of multi round trips (MCP 2026-07-28), which no server of this era has begun.
  const { _meta, inputResponses: _, requestState: __, ...rest } = params
  const meta = metaWithout(_meta, message, id)
  return { ...message, id, params: Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta } }
}

/**
 * For a server of 2026-07-28, with the head that it compares. A client of the handshake era is said to be able to what it can be asked
 * here, which is nothing unless somebody asks it.
 */
export function modernRequest(
  message: RpcRequest,
  given: {
    readonly id: number
    readonly hello: ClientHello
    readonly logLevel: string | undefined
    /** The tool as its server defines it, where that is known. */
    readonly definition: Params | undefined
    /** What a client of the handshake era can be asked. */
    readonly askable?: Askable | undefined
  },
): { message: RpcRequest; headers: Record<string, string> } {
  const { id, hello, logLevel, definition, askable = {} } = given
  const { _meta, ...params } = message.params ?? {}
  const name = params[NAMED.get(message.method) ?? '']
  const meta = {
    ...metaWithout(_meta, message, id),
    [META_PROTOCOL_VERSION]: MODERN_REVISION,
    [META_CLIENT_CAPABILITIES]: isModernHello(hello) ? hello.capabilities : askable,
    [META_CLIENT_INFO]: hello.clientInfo,
    ...(logLevel !== undefined && { [META_LOG_LEVEL]: logLevel }),
  }
  const headers = {
    [HEADER_PROTOCOL_VERSION]: MODERN_REVISION,
    [HEADER_METHOD]: message.method,
    ...(typeof name === 'string' && { [HEADER_NAME]: encodeHeaderValue(name) }),
    ...(message.method === 'tools/call' && paramHeaders(definition, params['arguments'])),
  }
  return { message: { ...message, id, params: { ...params, _meta: meta } }, headers }
}

/** The client's `_meta` without what one era's envelope says; progress comes under our own token. */
function metaWithout(meta: unknown, message: RpcRequest, id: number): Record<string, unknown> {
  if (!isRecord(meta)) return {}
  const kept = Object.entries(meta).filter(([key]) => !ENVELOPE.has(key) && key !== 'progressToken')
  return { ...Object.fromEntries(kept), ...(progressTokenOf(message) !== undefined && { progressToken: id }) }
}
