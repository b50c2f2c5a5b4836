// A request of one of our own doors to another address of ours, without a socket: what came as a message on a WebSocket or an
// old event stream passes the very phases that an HTTP request passes. Its head, and so its credential, is that of the connection.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable, Writable } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Exchange } from './exchange.ts'

export interface InnerRequest {
  readonly method: 'POST' | 'GET' | 'DELETE'
  readonly path: string
  readonly id: string
  /** Clock at arrival, milliseconds since the epoch. */
  readonly at: number
  /** Lower-case names; over those of the connection. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
}

/** Where the answer goes. */
export interface InnerAnswer {
  onHead(status: number, headers: ReadonlyMap<string, string>): void
  /** Calls `taken` when more may come. */
  onData(chunk: Buffer, taken: () => void): void
  /** The answer is over; `complete` is false where it was cut off. */
  onEnd(complete: boolean): void
}

/** The exchange with its connection as it is now: who the peer was is asked again after the connection is gone. */
export function outlasting(exchange: Exchange): Exchange {
  const { socket } = exchange.req
  const { remoteAddress } = socket
  const held: PropertyDescriptorMap = { remoteAddress: { value: remoteAddress } }
  if (socket instanceof TLSSocket) {
    const certificate = socket.getPeerCertificate()
    held['getPeerCertificate'] = { value: () => certificate }
  }
  return { ...exchange, req: Object.create(exchange.req, { socket: { value: Object.create(socket, held) } }) }
}

/** Describe one message or one connection, and are said anew for each inner request. */
const OWN_FIELDS = new Set([
  'accept',
  'connection',
  'content-length',
  'content-type',
  'expect',
  'last-event-id',
  'mcp-protocol-version',
  'mcp-session-id',
  'transfer-encoding',
  'upgrade',
])
const isOwnField = (name: string): boolean =>
  OWN_FIELDS.has(name) || name.startsWith('sec-websocket-') || name.startsWith('mcp-')

/** The inner exchange, and how to give it up. */
export function innerExchange(
  outer: Exchange,
  request: InnerRequest,
  answer: InnerAnswer,
): { exchange: Exchange; abort: () => void } {
  const res = new InnerResponse(answer)
  const exchange: Exchange = {
    ...outer,
    req: innerMessage(outer.req, request),
    res: res as unknown as ServerResponse,
    path: request.path,
    query: '',
    id: request.id,
    at: request.at,
  }
  return { exchange, abort: () => void res.destroy() }
}

function innerMessage(outer: IncomingMessage, { method, path, headers, body }: InnerRequest): IncomingMessage {
  const raw: string[] = []
  for (let at = 0; at < outer.rawHeaders.length; at += 2) {
    const name = outer.rawHeaders[at] ?? ''
    const field = name.toLowerCase()
    // What it names is the connection's own (RFC 9110 §7.6.1), and goes on from here no more than from an outer request.
    if (!isOwnField(field) || field === 'connection') raw.push(name, outer.rawHeaders[at + 1] ?? '')
  }
  const kept = Object.entries(outer.headers).filter(([name]) => !isOwnField(name))
  const length = body === undefined ? {} : { 'content-length': String(body.length) }
  const own = { ...headers, ...length }
  for (const [name, value] of Object.entries(own)) raw.push(name, value)
  const stream = new Readable({ read() {} })
  if (body !== undefined && body.length > 0) stream.push(body)
  stream.push(null)
  return Object.assign(stream, {
    method,
    url: path,
    httpVersion: '1.1',
    headers: { ...Object.fromEntries(kept), ...own },
    rawHeaders: raw,
    socket: outer.socket,
    complete: true,
  }) as unknown as IncomingMessage
}

type Fields = readonly (string | number)[] | Readonly<Record<string, string | number | readonly string[]>>

/** As much of a response as our doors use. */
class InnerResponse extends Writable {
  statusCode = 200
  headersSent = false
  private readonly fields = new Map<string, string>()
  private readonly answer: InnerAnswer

  constructor(answer: InnerAnswer) {
    super({ highWaterMark: 64 * 1024 })
    this.answer = answer
    this.once('close', () => answer.onEnd(this.writableFinished))
    // A caller that is gone is no failure of ours.
    this.on('error', () => undefined)
  }

  setHeader(name: string, value: string | number): this {
    this.fields.set(name.toLowerCase(), String(value))
    return this
  }

  getHeader(name: string): string | undefined {
    return this.fields.get(name.toLowerCase())
  }

  writeHead(status: number, fields: Fields = []): this {
    this.statusCode = status
    const pairs = Array.isArray(fields) ? fields : Object.entries(fields).flat()
    for (let at = 0; at < pairs.length; at += 2) this.setHeader(String(pairs[at]), String(pairs[at + 1]))
    this.flushHeaders()
    return this
  }

  flushHeaders(): void {
    if (this.headersSent) return
    this.headersSent = true
    this.answer.onHead(this.statusCode, this.fields)
  }

  override _write(chunk: Buffer, _: BufferEncoding, taken: () => void): void {
    this.flushHeaders()
    this.answer.onData(chunk, taken)
  }

  override _final(done: () => void): void {
    this.flushHeaders()
    done()
  }
}
