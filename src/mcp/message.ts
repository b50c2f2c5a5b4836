// The JSON gate: what policy judged is byte for byte what the upstream receives. JSON-RPC 2.0 §4, MCP base protocol.
import { isAscii, isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { RequestError, RpcError } from '../protocol/errors.ts'
import { isRecord } from '../protocol/json.ts'
import type { RpcId, RpcNotification, RpcRequest, RpcResponse } from '../protocol/jsonrpc.ts'
import { RPC } from '../protocol/mcp.ts'
import { type ScanLimits, scanMessage } from './scan.ts'

export type Incoming =
  | {
      readonly kind: 'request'
      readonly body: Buffer
      readonly message: RpcRequest
      readonly method: string
      readonly id: RpcId
    }
  | {
      readonly kind: 'notification'
      readonly body: Buffer
      readonly message: RpcNotification
      readonly method: string
      readonly id: undefined
    }
  | {
      readonly kind: 'response'
      readonly body: Buffer
      readonly message: RpcResponse
      readonly method: undefined
      readonly id: undefined
    }

const JSON_UTF8 = /^application\/json[ \t]*(?:;[ \t]*(?:charset="?utf-8"?[ \t]*)?)?$/i
const LONGEST_METHOD = 128
const JSONRPC = '2.0' as const

/** RFC 8259 §8.1: JSON between systems is UTF-8; any other charset or a compressed body is one that only some parsers would read. */
export function checkMediaType(headers: IncomingMessage['headers']): void {
  const type = headers['content-type']
  if (type !== 'application/json' && !JSON_UTF8.test(type ?? ''))
    throw new RequestError(415, 'media_type', 'Send application/json in UTF-8.')
  const coding = headers['content-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'identity')
    throw new RequestError(415, 'content_coding', 'Send the body without a content coding.')
}

export function parseMessage(body: Buffer, limits: ScanLimits): Incoming {
  // RFC 8259 §8.1: no byte order mark; some parsers skip it and some stop.
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) throw unreadable('json_bom')
  const plain = isAscii(body)
  if (!plain && !isUtf8(body)) throw unreadable('json_encoding')
  const bytes = body.toString('latin1')
  const idAt = scanMessage(bytes, limits)
  const value = parseJson(plain ? bytes : body.toString('utf8'))
  // MCP 2025-06-18 removed batches. The one older revision that had them (2025-03-26) is refused too: each element would need
  // its own decision, record and header check, and no client in the field sends them.
  if (Array.isArray(value)) throw invalid('json_batch', 'Batches are not accepted; send one message per request.')
  if (!isRecord(value) || value['jsonrpc'] !== '2.0')
    throw invalid('not_jsonrpc', 'This is not a JSON-RPC 2.0 message.')
  return 'method' in value ? parseCall(value, body, bytes, idAt) : parseResponse(value, body, bytes, idAt)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw unreadable('json_syntax', cause)
  }
}

function parseCall(value: Record<string, unknown>, body: Buffer, bytes: string, idAt: number): Incoming {
  const { method, params } = value
  if (typeof method !== 'string' || method === '' || method.length > LONGEST_METHOD)
    throw invalid('bad_method', 'The method is not a short string.')
  if ('result' in value || 'error' in value) throw invalid('not_jsonrpc', 'A message is a call or an answer, not both.')
  if (params !== undefined && !isRecord(params)) throw invalid('bad_params', 'The params are not an object.')
  // Without an id nobody learns what became of it: a call is not slipped in as a notification.
  if (!('id' in value) && !method.startsWith('notifications/')) throw invalid('id_missing', 'A request needs an id.')
  if (!('id' in value)) {
    const message = params === undefined ? { jsonrpc: JSONRPC, method } : { jsonrpc: JSONRPC, method, params }
    return { kind: 'notification', body, message, method, id: undefined }
  }
  const id = checkId(value['id'], bytes, idAt)
  const message = params === undefined ? { jsonrpc: JSONRPC, method, id } : { jsonrpc: JSONRPC, method, params, id }
  return { kind: 'request', body, message, method, id }
}

/** A client's answer to a request of the server (handshake era only). */
function parseResponse(value: Record<string, unknown>, body: Buffer, bytes: string, idAt: number): Incoming {
  if ('result' in value === 'error' in value) throw invalid('not_jsonrpc', 'The message has no method.')
  const { error, result } = value
  const id = checkId(value['id'], bytes, idAt)
  if (!('error' in value))
    return { kind: 'response', body, message: { jsonrpc: '2.0', id, result }, method: undefined, id: undefined }
  if (!isRecord(error) || typeof error['code'] !== 'number' || typeof error['message'] !== 'string')
    throw invalid('not_jsonrpc', 'The error object is malformed.')
  const message = { jsonrpc: '2.0' as const, id, error: { code: error['code'], message: error['message'] } }
  return { kind: 'response', body, message, method: undefined, id: undefined }
}

/** MCP: a string or an integer, never null. One spelling only: `1.0` and 2^53 + 1 come back from another parser as another id. */
function checkId(id: unknown, bytes: string, at: number): RpcId {
  if (typeof id === 'string') return id
  if (typeof id === 'number' && Number.isSafeInteger(id)) {
    const spelled = String(id)
    const after = bytes.charCodeAt(at + spelled.length)
    const ends = after === 0x2c || after === 0x7d || after <= 0x20
    if (ends && bytes.startsWith(spelled, at)) return id
  }
  throw invalid('bad_id', 'The id is neither a string nor a plain integer.')
}

const unreadable = (reason: string, cause?: unknown) =>
  new RpcError(RPC.parseError, reason, 'The body is not JSON in UTF-8.', { cause })
const invalid = (reason: string, message: string) => new RpcError(RPC.invalidRequest, reason, message)
