// One message of our own to a remote server, and its one answer: MCP 2026-07-28 and 2025-11-25, Transports.
// What a server does beside its part (another's id, two answers, a page, nothing at all) becomes one fault (catalogue row E27).
import type { Dispatcher } from 'undici'
import { readEvent, splitEvents, withoutMark } from '../../protocol/events.ts'
import { isRecord } from '../../protocol/json.ts'
import {
  type RpcId,
  type RpcMessage,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  rpcError,
} from '../../protocol/jsonrpc.ts'
import { HEADER_SESSION } from '../../protocol/mcp.ts'
import { UpstreamRefused } from '../../upstreams/credential.ts'
import { verdictOf } from '../../upstreams/gate.ts'
import { toldMessage, UNTOLD } from '../../upstreams/identity/meta.ts'
import { type RemoteUpstream, UpstreamError, type Verdict } from '../../upstreams/upstream.ts'
import { readJson } from '../answer.ts'
import { Deadline } from '../deadlines.ts'
import { FAULTS, type Fault, faultOfError, faultOfHead } from '../fault.ts'
import { mediaType } from '../headers.ts'
import { refusedBy } from '../renewal.ts'

/** What a server says before it answers. */
export interface Hearing {
  readonly onNotification?: ((notification: RpcNotification) => void) | undefined
  /** Absent: a server may ask nothing here, and one that does has broken the protocol. */
  readonly onRequest?: ((request: RpcRequest) => void) | undefined
}

export interface Posting extends Hearing {
  readonly message: RpcMessage
  /** Beside our credential, which is set over them. */
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

export interface Posted {
  readonly status: number
  /** Session id that the server gave out. */
  readonly session: string | undefined
  /** `undefined` where nothing was asked, and where the server refused in other words than JSON-RPC's. */
  readonly response: RpcResponse | undefined
}

/** How long, and how much, is read behind an answer so that the connection can serve again. */
const REST = { time: 1000, size: 64 * 1024 }

export const failure = ({ reason, message }: Fault, cause?: unknown): UpstreamError =>
  new UpstreamError(reason, message, { cause })

/** Why a wait was ended from outside. */
export const faultOfAbort = ({ reason }: AbortSignal): Fault =>
  reason instanceof Error && reason.name === 'TimeoutError' ? FAULTS.timeout : FAULTS.cancelled

/** Rejects with UpstreamError. The end of the signal closes the request: to a server of 2026-07-28 that is its cancellation. */
export async function post(upstream: RemoteUpstream, posting: Posting): Promise<Posted> {
  // A notification, a cancellation above all, takes no place: it makes room.
  if (idOf(posting.message) === undefined) return send(upstream, posting)
  const { gate } = upstream
  await gate.enter()
  let verdict: Verdict = 'neither'
  try {
    const posted = await send(upstream, posting)
    verdict = 'ok'
    return posted
  } catch (error) {
    if (error instanceof UpstreamError) verdict = verdictOf(error.reason)
    throw error
  } finally {
    gate.leave(verdict)
  }
}

async function send(upstream: RemoteUpstream, posting: Posting): Promise<Posted> {
  const { message, headers, signal } = posting
  const patience = new AbortController()
  // Counted from here: the wait for a free connection is part of the caller's wait.
  const deadline = new Deadline(upstream.requestTimeout, () => patience.abort(failure(FAULTS.timeout)))
  const leave = () => patience.abort(failure(faultOfAbort(signal)))
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave)
  try {
    const answer = await upstream.pool.request({
      path: upstream.path,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
        ...upstream.addedHeaders,
      },
      body: JSON.stringify(toldMessage(message, upstream.meta ?? UNTOLD)),
      headersTimeout: 0,
      bodyTimeout: upstream.idleTimeout,
      signal: patience.signal,
    })
    // An answer that is no stream is waited for as a whole: byte by byte it could take for ever.
    if (mediaType(answer.headers) === 'text/event-stream') deadline.cancel()
    return await readPosted(answer, posting, upstream.maxAnswer)
  } catch (error) {
    throw asUpstreamError(error)
  } finally {
    deadline.cancel()
    signal.removeEventListener('abort', leave)
  }
}

function asUpstreamError(error: unknown): unknown {
  return error instanceof UpstreamError || !(error instanceof Error) ? error : failure(faultOfError(error), error)
}

type Body = Dispatcher.ResponseData['body']

async function readPosted(answer: Dispatcher.ResponseData, posting: Posting, most: number): Promise<Posted> {
  const { statusCode: status, headers, body } = answer
  const given = headers[HEADER_SESSION]
  const session = typeof given === 'string' ? given : undefined
  const id = idOf(posting.message)
  const fault = faultOfHead(status, headers)
  if (fault !== undefined || id === undefined) {
    await body.dump()
    const refused = refusedBy(status, headers)
    if (refused !== undefined) throw new UpstreamRefused(refused)
    if (fault !== undefined) throw failure(fault)
    return { status, session, response: undefined }
  }
  const type = mediaType(headers)
  if (type === 'text/event-stream' && status === 200)
    return { status, session, response: await readEvents(body, { ...posting, id, most }) }
  const text = await readBody(body, most)
  if (type === 'application/json') return { status, session, response: readResponse(text, id, status) }
  if (status >= 500) throw failure(FAULTS.upstream_error)
  if (status < 400) throw failure(FAULTS.protocol)
  return { status, session, response: undefined }
}

const idOf = (message: RpcMessage): RpcId | undefined =>
  'method' in message && 'id' in message ? message.id : undefined

async function readBody(body: Body, most: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    const bytes: Buffer = chunk
    size += bytes.length
    // Leaving the loop ends the connection.
    if (size > most) throw failure(FAULTS.too_large)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

/** A refusal may have lost our id, or be no JSON-RPC at all; a success may not. */
function readResponse(text: Buffer, id: RpcId, status: number): RpcResponse | undefined {
  const said = readMessage(text, id)
  if (said.kind === 'answer') return said.response
  if (status < 400) throw failure(FAULTS.protocol)
  const message = readJson(text)
  if (isRecord(message) && message['id'] === undefined && isErrorObject(message['error']))
    return rpcError(id, message['error'])
  if (status >= 500) throw failure(FAULTS.upstream_error)
  return undefined
}

function readEvents(body: Body, reading: Hearing & { id: RpcId; most: number }): Promise<RpcResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<RpcResponse>()
  let begun = false
  let over = false
  let rest = 0
  const fail = (fault: Fault): void => {
    over = true
    reject(failure(fault))
    body.destroy()
  }
  const finish = (response: RpcResponse): void => {
    over = true
    resolve(response)
    const late = new Deadline(REST.time, () => body.destroy())
    body.once('close', () => late.cancel())
  }
  const take = (data: Buffer): void => {
    const said = readMessage(data, reading.id)
    if (said.kind === 'answer') finish(said.response)
    else if (said.kind === 'notification') reading.onNotification?.(said.notification)
    else if (said.kind === 'request' && reading.onRequest !== undefined) reading.onRequest(said.request)
    else fail(FAULTS.protocol)
  }
  const splitter = splitEvents(reading.most, (event, whole) => {
    // One chunk can hold several events, and the first may have ended it.
    if (over) return
    if (!whole) return fail(FAULTS.too_large)
    const { data } = readEvent(begun ? event : withoutMark(event))
    begun = true
    if (data !== undefined) take(data)
  })
  body.on('data', (chunk: Buffer) => {
    if (over) {
      rest += chunk.length
      if (rest > REST.size) body.destroy()
      return
    }
    try {
      splitter.push(chunk)
    } catch (error) {
      // A mistake of ours in taking a message ends this call, and not the process.
      over = true
      reject(error)
      body.destroy()
    }
  })
  body.once('end', () => {
    if (!over) fail(FAULTS.reset)
  })
  // Comes after our own end of it, too: whoever waited has been told by then.
  body.on('error', (error: Error) => reject(asUpstreamError(error)))
  return promise
}

type Said =
  | { readonly kind: 'answer'; readonly response: RpcResponse }
  | { readonly kind: 'notification'; readonly notification: RpcNotification }
  | { readonly kind: 'request'; readonly request: RpcRequest }
  | { readonly kind: 'stranger' }

const STRANGER: Said = { kind: 'stranger' }

/** JSON-RPC 2.0 §4 and §5: what this is to the request that waits. */
function readMessage(text: Buffer, waiting: RpcId): Said {
  const message = readJson(text)
  if (!isRecord(message)) return STRANGER
  const { id, method, result, error } = message
  if (method !== undefined) {
    // Half call, half answer: which of them a reader takes it for, nobody knows.
    if (typeof method !== 'string' || 'result' in message || 'error' in message) return STRANGER
    const params = isRecord(message['params']) ? { params: message['params'] } : {}
    if (id === undefined) return { kind: 'notification', notification: { jsonrpc: '2.0', method, ...params } }
    return isId(id) ? { kind: 'request', request: { jsonrpc: '2.0', id, method, ...params } } : STRANGER
  }
  // An error without an id is what a server sends that could not read ours.
  if (isErrorObject(error) && !('result' in message) && (id === waiting || id === null))
    return { kind: 'answer', response: rpcError(waiting, error) }
  if (result === undefined || 'error' in message || id !== waiting) return STRANGER
  return { kind: 'answer', response: { jsonrpc: '2.0', id: waiting, result } }
}

const isId = (id: unknown): id is RpcId => typeof id === 'string' || typeof id === 'number'

const isErrorObject = (error: unknown): error is { code: number; message: string; data?: unknown } =>
  isRecord(error) && typeof error['code'] === 'number' && typeof error['message'] === 'string'
