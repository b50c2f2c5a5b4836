// What a caller is told when the server behind the gate did not do its part: one JSON-RPC error, whatever went wrong.
import type { IncomingHttpHeaders } from 'node:http'
import { RpcError } from '../protocol/errors.ts'
import { type RpcId, type RpcResponse, rpcError } from '../protocol/jsonrpc.ts'
import { HEADER_SESSION, RPC } from '../protocol/mcp.ts'
import { UpstreamError } from '../upstreams/upstream.ts'

/** `reason` is a stable slug for record and health. */
export interface Fault {
  readonly status: number
  readonly reason: string
  readonly message: string
  /** Seconds until it is worth another try. */
  readonly retryAfter?: number
}

const fault = (status: number, reason: string, message: string): Fault => ({ status, reason, message })

export const FAULTS = {
  connect: fault(502, 'connect', 'The server behind the gate cannot be reached.'),
  reset: fault(502, 'reset', 'The server behind the gate broke off.'),
  timeout: fault(504, 'timeout', 'The server behind the gate did not answer in time.'),
  protocol: fault(502, 'protocol', 'The server behind the gate answered in a way that is not MCP.'),
  redirect: fault(502, 'redirect', 'The server behind the gate answered with a redirect.'),
  too_large: fault(502, 'too_large', 'The answer of the server behind the gate is too large.'),
  upstream_unauthorized: fault(502, 'upstream_unauthorized', 'The server behind the gate refused the gate.'),
  credential_failed: fault(403, 'credential_failed', 'The gate has no credential of this caller for the server.'),
  credential_unavailable: fault(
    503,
    'credential_unavailable',
    'The gate cannot get the credential for the server now.',
  ),
  upstream_error: fault(502, 'upstream_error', 'The server behind the gate failed.'),
  unavailable: fault(502, 'unavailable', 'The server behind the gate is not available.'),
  spawn: fault(502, 'spawn', 'The server behind the gate could not be started.'),
  exited: fault(502, 'exited', 'The server behind the gate has ended.'),
  session_lost: fault(502, 'session_lost', 'The server behind the gate has started anew. Call again.'),
  busy: fault(503, 'busy', 'Too many calls are under way at the server behind the gate.'),
  busy_principal: fault(503, 'busy_principal', 'Too many of your calls are under way at the server behind the gate.'),
  resting: fault(503, 'resting', 'The server behind the gate has failed and is left alone for a while.'),
  cancelled: fault(200, 'cancelled', 'The request was cancelled.'),
  credential_ended: fault(401, 'credential_ended', 'The credential of this stream has ended.'),
} as const satisfies Record<string, Fault>

export function faultMessage(found: Fault, id: RpcId | undefined, requestId: string): RpcResponse {
  const { message, retryAfter } = found
  const data = { requestId, ...(retryAfter !== undefined && { retryAfter }) }
  return rpcError(id ?? null, { code: RPC.internalError, message, data })
}

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'])
const CONNECTS = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'UND_ERR_CLOSED'],
  // Ours: upstreams/network/addresses.ts and upstreams/network/proxy.ts.
  ...['ERR_ADDRESS_REFUSED', 'ERR_PROXY'],
])
/** OpenSSL's words for a chain that does not hold. */
const UNVERIFIED = /^ERR_(?:TLS|SSL)|CERT|^UNABLE_TO_|^EPROTO$/
const PROTOCOLS = /^(?:HPE_|UND_ERR_(?:RES_CONTENT_LENGTH|HEADERS_OVERFLOW|INVALID_ARG|NOT_SUPPORTED))/

const NOT_ITS_HEALTH = new Set([
  'cancelled',
  'credential_ended',
  'session_lost',
  'too_large',
  'busy',
  'busy_principal',
  'resting',
])

/** `false`: the fault says nothing of whether the server is well. */
export const isOfItsHealth = (reason: string): boolean => !NOT_ITS_HEALTH.has(reason)

const faults: Readonly<Record<string, Fault>> = FAULTS

/** Its reason is one of FAULTS. */
export function faultOfUpstream({ reason, retryAfter }: UpstreamError): Fault {
  const known = faults[reason] ?? FAULTS.reset
  return retryAfter === undefined ? known : { ...known, retryAfter }
}

/** The same as a refusal, for where nothing was begun: of a server that could not even be asked. Other errors stay as they are. */
export function refusalOf(error: unknown, requestId: string): unknown {
  if (!(error instanceof UpstreamError)) return error
  const { status, message } = faultOfUpstream(error)
  const { reason, retryAfter } = error
  return new RpcError(RPC.internalError, reason, message, {
    status,
    data: { requestId },
    cause: error,
    ...(retryAfter !== undefined && { retryAfter }),
  })
}

/** RFC 9110 §10.2.3. */
export const retryField = ({ retryAfter }: Fault): string[] =>
  retryAfter === undefined ? [] : ['retry-after', String(retryAfter)]

/** From an error of the client's connection. */
export function faultOfError(error: Error & { code?: unknown }): Fault {
  const code = typeof error.code === 'string' ? error.code : ''
  if (TIMEOUTS.has(code)) return FAULTS.timeout
  if (CONNECTS.has(code) || UNVERIFIED.test(code)) return FAULTS.connect
  // undici has a code for few of its parser's refusals.
  return error.name === 'HTTPParserError' || PROTOCOLS.test(code) ? FAULTS.protocol : FAULTS.reset
}

/** RFC 9110 §15.6.3-5: whoever stands before the server says that it is not there. Any other is the server's own answer to one request. */
const ABSENT = new Set([502, 503, 504])

/** From a status of 500 or more, of an answer that is no JSON-RPC. */
export const faultOfFailure = (status: number): Fault =>
  ABSENT.has(status) ? FAULTS.unavailable : FAULTS.upstream_error

/** Refusals whose status says enough to a client, without the server's words. */
const PASSED_REFUSALS = new Set([400, 404, 405, 406, 409, 413, 415, 429])

/** From a status of 400 or more, of an answer that is no JSON-RPC; `undefined` where the status goes on to the client. */
export const faultOfRefusal = (status: number): Fault | undefined =>
  PASSED_REFUSALS.has(status) ? undefined : faultOfFailure(status)

const ENDPOINT_MISSING = new Set([404, 405])

/** What a refusal that is no JSON-RPC says of a server, where the words were a client's first ones, which every MCP endpoint knows. */
export const noEndpoint = (status: number): string | undefined =>
  ENDPOINT_MISSING.has(status) ? 'no_endpoint' : undefined

/** Of the successes, what MCP's transports answer with. */
const SUCCESSES = new Set([200, 202, 204])
const LONGEST_SESSION = 1024

/** From the head of an answer that must not pass whatever its body says. */
export function faultOfHead(status: number, headers: IncomingHttpHeaders): Fault | undefined {
  // Followed, a redirect would carry our credential to where the upstream points.
  if (status >= 300 && status < 400) return FAULTS.redirect
  // Its challenge is about our credential and names its own authorization server: none of the caller's business.
  if (status === 401 || status === 403 || status === 407) return FAULTS.upstream_unauthorized
  // RFC 9110 §15: a status of no known class would be ours as soon as we passed it on.
  if (status >= 600 || (status < 400 && !SUCCESSES.has(status))) return FAULTS.protocol
  const session = headers[HEADER_SESSION]
  // Sealed, it is longer still, and comes back in the head of every request.
  if (typeof session === 'string' && session.length > LONGEST_SESSION) return FAULTS.protocol
  const coding = headers['content-encoding']
  // No coding was asked for.
  return coding === undefined || coding === 'identity' ? undefined : FAULTS.protocol
}
