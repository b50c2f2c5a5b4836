// A server's answer in the words of the client's era: MCP 2026-07-28, Base protocol and Caching; MCP 2025-11-25.
import { isRecord } from '../../protocol/json.ts'
import { type RpcId, type RpcNotification, type RpcResponse, rpcError } from '../../protocol/jsonrpc.ts'
import { isAtLeast } from '../../protocol/log-level.ts'
import { LEGACY_RPC, META_SERVER_INFO, RPC } from '../../protocol/mcp.ts'

type Values = Readonly<Record<string, unknown>>

/** MCP 2026-07-28, Caching: these results MUST say how long and for whom they count. */
const CACHEABLE = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
])
/** Errors about the envelope of 2026-07-28, which this gateway has written. */
const MODERN_ENVELOPE: ReadonlySet<number> = new Set([RPC.headerMismatch, RPC.unsupportedVersion])

const NEEDS_INPUT =
  'The server needs an answer of the user to go on, and asks for it in a way that this client does not speak.'

interface Asked {
  readonly method: string
  /** The client's own. */
  readonly id: RpcId
}

/** A handshake server's answer to a modern client. */
export function modernResponse(
  response: RpcResponse,
  { method, id }: Asked,
  serverInfo: Values | undefined,
): RpcResponse {
  const { result, error } = response
  if (error !== undefined) return rpcError(id, { ...error, code: modernCode(error.code) })
  if (!isRecord(result)) return { jsonrpc: '2.0', id, result }
  const meta = isRecord(result['_meta']) ? result['_meta'] : {}
  const named = serverInfo === undefined ? meta : { ...meta, [META_SERVER_INFO]: serverInfo }
  // What its server knew nothing to say of is nobody else's, and old at once.
  const caching = CACHEABLE.has(method) ? { ttlMs: 0, cacheScope: 'private' } : {}
  const labelled = Object.keys(named).length === 0 ? {} : { _meta: named }
  return { jsonrpc: '2.0', id, result: { ...result, ...caching, ...labelled, resultType: 'complete' } }
}

/** MCP 2026-07-28: these two must not be emitted any more. */
function modernCode(code: number): number {
  if (code === LEGACY_RPC.resourceNotFound) return RPC.invalidParams
  return code === LEGACY_RPC.urlElicitationRequired ? RPC.internalError : code
}

/** A modern server's answer to a client of the handshake era. */
export function legacyResponse(response: RpcResponse, { method, id }: Asked): RpcResponse {
  const { result, error } = response
  if (error !== undefined) return legacyError(error, { method, id })
  if (!isRecord(result)) return { jsonrpc: '2.0', id, result }
  const { resultType, _meta, ...rest } = result
  if (resultType !== undefined && resultType !== 'complete') return unanswerable({ method, id })
  const kept = CACHEABLE.has(method) ? withoutCaching(rest) : rest
  return { jsonrpc: '2.0', id, result: { ...kept, ...metaOfResult(_meta) } }
}

function withoutCaching({ ttlMs: _, cacheScope: __, ...rest }: Values): Values {
  return rest
}

function metaOfResult(meta: unknown): Values {
  if (!isRecord(meta)) return {}
  const { [META_SERVER_INFO]: _, ...rest } = meta
  return Object.keys(rest).length === 0 ? {} : { _meta: rest }
}

function legacyError(error: NonNullable<RpcResponse['error']>, asked: Asked): RpcResponse {
  if (error.code === RPC.missingCapability) return unanswerable(asked)
  // A client of both eras would take it for our own word on the revision that we speak.
  if (MODERN_ENVELOPE.has(error.code)) return rpcError(asked.id, { code: RPC.internalError, message: error.message })
  return rpcError(asked.id, error)
}

/** `input_required`, or the refusal to go on without it. In the answer of a tool a model can read it. */
function unanswerable({ method, id }: Asked): RpcResponse {
  if (method !== 'tools/call') return rpcError(id, { code: RPC.internalError, message: NEEDS_INPUT })
  return { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: NEEDS_INPUT }], isError: true } }
}

export interface Listening {
  /** Ours, which the server was given. */
  readonly ourToken: number
  /** The client's own; `undefined` when it did not ask for progress. */
  readonly progressToken: RpcId | undefined
  /** `undefined`: log messages were not asked for. */
  readonly logLevel: string | undefined
}

/**
 * What a server says during a call, as far as it is of this call: its progress under the client's token, and log messages where they
 * were asked for. Changes of lists and resources are told on streams of their own, where they are judged.
 */
export function notificationFor(
  { method, params }: RpcNotification,
  { ourToken, progressToken, logLevel }: Listening,
): RpcNotification | undefined {
  if (method === 'notifications/progress' && progressToken !== undefined && params?.['progressToken'] === ourToken)
    return { jsonrpc: '2.0', method, params: { ...params, progressToken } }
  if (method === 'notifications/message' && logLevel !== undefined && isAtLeast(params?.['level'], logLevel))
    return { jsonrpc: '2.0', method, params: params ?? {} }
  return undefined
}
