// One message of our own to a remote server, and its one answer: MCP 2026-07-28 and 2025-11-25, Transports.
// What a server does beside its part (another's id, two answers, a page, nothing at all) becomes one fault (catalogue row E27).
import type { Dispatcher } from 'undici'
import { isRecord } from '../../protocol/json.ts'
import type { RpcId, RpcMessage, RpcResponse } from '../../protocol/jsonrpc.ts'
import { rpcError } from '../../protocol/jsonrpc.ts'
import { HEADER_SESSION } from '../../protocol/mcp.ts'
import { type RemoteUpstream, UpstreamError } from '../../upstreams/upstream.ts'
import { readJson } from '../answer.ts'
import { Deadline } from '../deadlines.ts'
import { readEvent, splitEvents, withoutMark } from '../events.ts'
import { FAULTS, type Fault, faultOfError, faultOfHead } from '../fault.ts'
import { mediaType } from '../headers.ts'

/** What a server says before it answers: a notification, or in the handshake era a request of its own. */
export type Aside = Readonly<Record<string, unknown>> & { readonly method: string }

export interface Question {
  readonly message: RpcMessage
  /** Beside our credential, which is set over them. */
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Absent where the era lets a server say nothing but notifications, and nobody hears those. */
  readonly onAside?: ((aside: Aside) => 'taken' | 'refused') | undefined
}

export interface Answer {
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
  isRecord(reason) && reason['name'] === 'TimeoutError' ? FAULTS.timeout : FAULTS.cancelled

/** Rejects with UpstreamError. The end of the signal closes the request: to a server of 2026-07-28 that is its cancellation. */
export async function ask(upstream: RemoteUpstream, question: Question): Promise<Answer> {
  const { message, headers, signal } = question
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
        ...upstream.credentialHeaders,
      },
      body: JSON.stringify(message),
      headersTimeout: 0,
      bodyTimeout: upstream.idleTimeout,
      signal: patience.signal,
    })
    deadline.cancel()
    return await readAnswer(answer, question, upstream.maxAnswer)
  } catch (error) {
    if (error instanceof UpstreamError || !(error instanceof Error)) throw error
    throw failure(faultOfError(error), error)
  } finally {
    deadline.cancel()
    signal.removeEventListener('abort', leave)
  }
}

async function readAnswer(answer: Dispatcher.ResponseData, question: Question, most: number): Promise<Answer> {
  const { statusCode: status, headers, body } = answer
  const given = headers[HEADER_SESSION]
  const session = typeof given === 'string' ? given : undefined
  const id = 'method' in question.message && 'id' in question.message ? question.message.id : undefined
  const fault = faultOfHead(status, headers)
  if (fault !== undefined || id === undefined || id === null) {
    await body.dump()
    if (fault !== undefined) throw failure(fault)
    return { status, session, response: undefined }
  }
  const type = mediaType(headers)
  if (type === 'text/event-stream' && status === 200)
    return { status, session, response: await readEvents(body, { id, most, onAside: question.onAside }) }
  const text = await readBody(body, most)
  if (type === 'application/json') return { status, session, response: readResponse(text, id, status) }
  if (status >= 500) throw failure(FAULTS.upstream_error)
  if (status < 400) throw failure(FAULTS.protocol)
  return { status, session, response: undefined }
}

type Body = Dispatcher.ResponseData['body']

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
  const message = readJson(text)
  const kind = kindOf(message, id)
  if (isRecord(message) && kind === 'answer') return responseOf(message, id)
  if (status < 400) throw failure(FAULTS.protocol)
  if (isRecord(message) && message['id'] === undefined && isErrorObject(message['error']))
    return rpcError(id, message['error'])
  if (status >= 500) throw failure(FAULTS.upstream_error)
  return undefined
}

function readEvents(
  body: Body,
  { id, most, onAside }: { id: RpcId; most: number; onAside: Question['onAside'] },
): Promise<RpcResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<RpcResponse>()
  let begun = false
  let over = false
  let rest = 0
  const fail = (fault: Fault): void => {
    over = true
    reject(failure(fault))
    body.destroy()
  }
  const splitter = splitEvents(most, (event, whole) => {
    if (over) return
    if (!whole) return fail(FAULTS.too_large)
    const { data } = readEvent(begun ? event : withoutMark(event))
    begun = true
    if (data === undefined) return
    const message = readJson(data)
    const kind = kindOf(message, id)
    if (isAside(message) && kind !== 'stranger') {
      const heard = onAside?.(message) ?? (kind === 'notification' ? 'taken' : 'refused')
      return heard === 'refused' ? fail(FAULTS.protocol) : undefined
    }
    if (!isRecord(message) || kind !== 'answer') return fail(FAULTS.protocol)
    over = true
    resolve(responseOf(message, id))
    const late = new Deadline(REST.time, () => body.destroy())
    body.once('close', () => late.cancel())
  })
  body.on('data', (chunk: Buffer) => {
    if (!over) return splitter.push(chunk)
    rest += chunk.length
    if (rest > REST.size) body.destroy()
  })
  body.once('end', () => over || fail(FAULTS.reset))
  // Also when we have destroyed it ourselves: whoever waited has been told by then.
  body.on('error', (error: Error) => reject(error instanceof UpstreamError ? error : failure(faultOfError(error), error)))
  return promise
}

type Kind = 'answer' | 'request' | 'notification' | 'stranger'

function kindOf(message: unknown, id: RpcId): Kind {
  if (!isRecord(message)) return 'stranger'
  const answers = ('result' in message ? 1 : 0) + ('error' in message ? 1 : 0)
  if ('method' in message) {
    if (answers > 0 || !isAside(message)) return 'stranger'
    return 'id' in message ? 'request' : 'notification'
  }
  if (answers !== 1) return 'stranger'
  if ('error' in message && !isErrorObject(message['error'])) return 'stranger'
  // An error without an id is what a server sends that could not read ours.
  return message['id'] === id || (message['id'] === null && 'error' in message) ? 'answer' : 'stranger'
}

const isAside = (message: unknown): message is Aside => isRecord(message) && typeof message['method'] === 'string'

const isErrorObject = (error: unknown): error is { code: number; message: string; data?: unknown } =>
  isRecord(error) && typeof error['code'] === 'number' && typeof error['message'] === 'string'

function responseOf({ result, error }: Readonly<Record<string, unknown>>, id: RpcId): RpcResponse {
  return isErrorObject(error) ? rpcError(id, error) : { jsonrpc: '2.0', id, result }
}
