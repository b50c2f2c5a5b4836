// The stream in which a server answers one request of ours, and what a message in it is to us. MCP 2025-11-25 and 2026-07-28, Transports.
import type { Dispatcher } from 'undici'
import { eventField, readEvent, splitEvents, withoutMark } from '../../protocol/events.ts'
import { isRecord } from '../../protocol/json.ts'
import {
  type RpcId,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  rpcError,
} from '../../protocol/jsonrpc.ts'
import { UpstreamError } from '../../upstreams/upstream.ts'
import { readJson } from '../answer.ts'
import { Deadline } from '../deadlines.ts'
import { FAULTS, type Fault, faultOfError } from '../fault.ts'

/** What a server says before it answers. */
export interface Hearing {
  readonly onNotification?: ((notification: RpcNotification) => void) | undefined
  /** Absent: a server may ask nothing here, and one that does has broken the protocol. */
  readonly onRequest?: ((request: RpcRequest) => void) | undefined
}

/** How long, and how much, is read behind an answer so that the connection can serve again. */
const REST = { time: 1000, size: 64 * 1024 }

/** Before a stream is gone on with whose server says nothing of it, and at least: milliseconds. */
const RETRY = 1000
/** What may be said in a head. */
const RESUMABLE = /^[\x21-\x7e]{1,1024}$/

export type Body = Dispatcher.ResponseData['body']

export const failure = ({ reason, message }: Fault, cause?: unknown): UpstreamError =>
  new UpstreamError(reason, message, { cause })

export function asUpstreamError(error: unknown): unknown {
  return error instanceof UpstreamError || !(error instanceof Error) ? error : failure(faultOfError(error), error)
}

/** MCP 2025-11-25, Transports (resumability): the stream ended before its answer, and goes on after the event that it named last. */
export class Interrupted extends Error {
  readonly lastEvent: string
  /** So long it wants to be left alone, milliseconds. */
  readonly retry: number

  constructor(lastEvent: string, retry: number) {
    super('The stream goes on elsewhere.')
    this.lastEvent = lastEvent
    this.retry = retry
  }
}

/** Rejects with UpstreamError, or Interrupted. */
export function readEvents(body: Body, reading: Hearing & { id: RpcId; most: number }): Promise<RpcResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<RpcResponse>()
  let begun = false
  let over = false
  let rest = 0
  let lastEvent: string | undefined
  let retry = RETRY
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
    const fields = begun ? event : withoutMark(event)
    const { data, hasId } = readEvent(fields)
    begun = true
    if (hasId) lastEvent = eventField(fields, 'id')
    retry = retryOf(fields) ?? retry
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
    if (over) return
    if (lastEvent === undefined || !RESUMABLE.test(lastEvent)) return fail(FAULTS.reset)
    over = true
    reject(new Interrupted(lastEvent, retry))
  })
  // Comes after our own end of it, too: whoever waited has been told by then.
  body.on('error', (error: Error) => reject(asUpstreamError(error)))
  return promise
}

/** HTML standard §9.2.5: digits alone. */
function retryOf(event: Buffer): number | undefined {
  const text = eventField(event, 'retry')
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

type Said =
  | { readonly kind: 'answer'; readonly response: RpcResponse }
  | { readonly kind: 'notification'; readonly notification: RpcNotification }
  | { readonly kind: 'request'; readonly request: RpcRequest }
  | { readonly kind: 'stranger' }

const STRANGER: Said = { kind: 'stranger' }

/** JSON-RPC 2.0 §4 and §5: what this is to the request that waits. */
export function readMessage(text: Buffer, waiting: RpcId): Said {
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

export const isErrorObject = (error: unknown): error is { code: number; message: string; data?: unknown } =>
  isRecord(error) && typeof error['code'] === 'number' && typeof error['message'] === 'string'
