// One message of our own to a remote server, and its one answer: MCP 2026-07-28 and 2025-11-25, Transports.
// What a server does beside its part (another's id, two answers, a page, nothing at all) becomes one fault (catalogue row E27).
import { setTimeout as delay } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { isRecord } from '../../protocol/json.ts'
import { type RpcId, type RpcMessage, type RpcResponse, rpcError } from '../../protocol/jsonrpc.ts'
import { HEADER_LAST_EVENT, HEADER_PROTOCOL_VERSION, HEADER_SESSION, MODERN_REVISION } from '../../protocol/mcp.ts'
import { addPart } from '../../protocol/parts.ts'
import { UpstreamRefused } from '../../upstreams/credential.ts'
import { verdictOf } from '../../upstreams/gate.ts'
import { toldMessage, UNTOLD } from '../../upstreams/identity/meta.ts'
import type { SharedOptions } from '../../upstreams/network/shared-connections.ts'
import { type RemoteUpstream, UpstreamError, type Verdict } from '../../upstreams/upstream.ts'
import { readJson } from '../answer.ts'
import { Deadline } from '../deadlines.ts'
import { FAULTS, type Fault, faultOfFailure, faultOfHead } from '../fault.ts'
import { mediaType } from '../headers.ts'
import { refusedBy } from '../renewal.ts'
import {
  asUpstreamError,
  type Body,
  failure,
  type Hearing,
  Interrupted,
  isErrorObject,
  readEvents,
  readMessage,
} from './answer-events.ts'

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

/** Of one answer. */
const MOST_PARTS = 100
/** Before the next part, milliseconds: none is asked for in a hurry, whatever its server says. */
const SHORTEST_WAIT = 100

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

/** Ids of our own do not keep callers apart: an error without one answers anybody. */
type Asked = Dispatcher.RequestOptions & SharedOptions

async function send(upstream: RemoteUpstream, posting: Posting): Promise<Posted> {
  const { message, headers, signal } = posting
  const patience = new AbortController()
  // Counted from here: the wait for a free connection is part of the caller's wait.
  const deadline = new Deadline(upstream.requestTimeout, () => patience.abort(failure(FAULTS.timeout)))
  const leave = () => patience.abort(failure(faultOfAbort(signal)))
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave)
  const options: Asked = {
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
    whose: upstream.whose,
  }
  try {
    const answer = await upstream.pool.request(options)
    // An answer that is no stream is waited for as a whole: byte by byte it could take for ever.
    if (mediaType(answer.headers) === 'text/event-stream') deadline.cancel()
    return await inParts(upstream, { ...posting, signal: patience.signal }, answer)
  } catch (error) {
    const failed = asUpstreamError(error)
    if (failed instanceof UpstreamError && failed.reason === FAULTS.protocol.reason)
      upstream.pool.endConnectionOf?.(options)
    throw failed
  } finally {
    deadline.cancel()
    signal.removeEventListener('abort', leave)
  }
}

/** MCP 2025-11-25, Transports (resumability): a server may close the stream and have its client come back for the rest, as late as it says. */
async function inParts(upstream: RemoteUpstream, posting: Posting, answer: Dispatcher.ResponseData): Promise<Posted> {
  const { headers, signal } = posting
  let part = answer
  for (let parts = 0; parts < MOST_PARTS; parts++) {
    const posted = await readPosted(part, posting, upstream.maxAnswer).catch((error: unknown) => {
      // 2026-07-28 has no such streams.
      if (error instanceof Interrupted && headers[HEADER_PROTOCOL_VERSION] !== MODERN_REVISION) return error
      throw error instanceof Interrupted ? failure(FAULTS.reset) : error
    })
    if (!(posted instanceof Interrupted)) return posted
    await delay(Math.max(posted.retry, SHORTEST_WAIT), undefined, { signal }).catch(() => {
      throw signal.reason
    })
    const resuming = { ...headers, accept: 'text/event-stream', [HEADER_LAST_EVENT]: posted.lastEvent }
    const rest: Asked = {
      path: upstream.path,
      method: 'GET',
      headers: { ...resuming, ...upstream.addedHeaders },
      headersTimeout: upstream.requestTimeout,
      bodyTimeout: upstream.idleTimeout,
      signal,
      whose: upstream.whose,
    }
    part = await upstream.pool.request(rest)
    if (part.statusCode !== 200 || mediaType(part.headers) !== 'text/event-stream') {
      await part.body.dump()
      throw failure(FAULTS.reset)
    }
  }
  throw failure(FAULTS.reset)
}

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
  if (status >= 500) throw failure(faultOfFailure(status))
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
    addPart(chunks, bytes)
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
  if (status >= 500) throw failure(faultOfFailure(status))
  return undefined
}
