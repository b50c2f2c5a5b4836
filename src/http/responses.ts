// Refusals, translated once: error → status, headers, body. What was wrong inside stays inside; the request id links the two.
import { bearerChallenge } from '../protocol/challenge.ts'
import { BearerError, RequestError, RpcError, StoreUnavailable } from '../protocol/errors.ts'
import { type RpcId, rpcError } from '../protocol/jsonrpc.ts'
import type { Resource } from '../protocol/resource.ts'
import type { Exchange } from './exchange.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  /** For log, metric and audit. */
  readonly reason: string
  /** Nobody's refusal but our own failure: log it with its cause. */
  readonly unexpected: boolean
}

const WORDS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}

const plain = (
  status: number,
  reason: string,
  message: string,
  headers: Record<string, string> = {},
  unexpected = false,
): Answer => ({
  status,
  headers,
  body: { error: WORDS[status] ?? 'Error', message },
  reason,
  unexpected,
})

/** `resource` is needed where a credential was asked for; `rpcId` where the message was read before it was refused. */
export function answerOf(
  error: unknown,
  context: { resource?: Resource | undefined; rpcId?: RpcId | undefined } = {},
): Answer {
  if (error instanceof BearerError) {
    const message = error.code === undefined ? 'Authentication required.' : error.message
    const headers =
      context.resource === undefined ? {} : { 'WWW-Authenticate': bearerChallenge(error, context.resource) }
    return plain(error.status, error.reason, message, headers)
  }
  if (error instanceof RpcError) {
    const { code, message, data, retryAfter } = error
    return {
      status: error.status,
      headers: retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) },
      body: rpcError(context.rpcId ?? null, { code, message, data }),
      reason: error.reason,
      unexpected: false,
    }
  }
  if (error instanceof RequestError) {
    const headers: Record<string, string> = {}
    if (error.retryAfter !== undefined) headers['Retry-After'] = String(error.retryAfter)
    if (error.close) headers['Connection'] = 'close'
    return plain(error.status, error.reason, error.message, headers)
  }
  if (error instanceof StoreUnavailable)
    return plain(
      503,
      'store_unavailable',
      'The gate cannot reach its store. Try again shortly.',
      { 'Retry-After': '5' },
      true,
    )
  return plain(500, 'internal_error', 'Something went wrong here. The request id names it in the log.', {}, true)
}

/** Writes an answer, unless the response has begun or the client is gone. */
export function sendAnswer({ res }: Exchange, answer: Answer): void {
  if (res.headersSent || res.destroyed) {
    res.destroy()
    return
  }
  sendJson(res, answer.status, answer.body, { ...answer.headers, 'Cache-Control': 'no-store' })
}

/** One JSON answer, head and body in one write. */
export function sendJson(
  res: Exchange['res'],
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const payload = JSON.stringify(body)
  res.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(payload),
    ...headers,
  })
  res.end(payload)
}
