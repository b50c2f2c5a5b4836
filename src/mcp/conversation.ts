// One client on one lasting channel (a WebSocket, or the event stream of 2024-11-05): each of its messages becomes an inner
// request to the server's own address, so that the guard, the gate, policy and record see it as they see any other.
// MCP 2024-11-05, Transports: HTTP with SSE; MCP 2025-11-25, Transports: custom transports.
import type { Exchange } from '../http/exchange.ts'
import { type InnerAnswer, type InnerRequest, innerExchange } from '../http/inner.ts'
import type { Clock } from '../protocol/clock.ts'
import { readEvent, splitEvents } from '../protocol/events.ts'
import { isRecord } from '../protocol/json.ts'
import { type RpcId, rpcError } from '../protocol/jsonrpc.ts'
import { HEADER_PROTOCOL_VERSION, HEADER_SESSION, isLegacyRevision, RPC } from '../protocol/mcp.ts'
import { addPart } from '../protocol/parts.ts'
import { readJson } from './answer.ts'

/** The way back to the client. */
export interface Channel {
  /** One JSON-RPC message; `taken` is called when the next may come. */
  send(message: Buffer, taken: () => void): void
  end(reason: ChannelEnd): void
}

/** `unauthorized`: the credential is refused or has ended. `failed`: what came cannot be handed on. */
export type ChannelEnd = 'unauthorized' | 'failed' | 'too_large'

export interface ConversationNeeds {
  /** The server's own endpoint. */
  serve(exchange: Exchange, serverId: string): Promise<void>
  readonly server: string
  /** Its path, for the record. */
  readonly path: string
  readonly channel: Channel
  newId(): string
  readonly clock: Clock
  /** A mistake of ours, which ends the conversation. */
  onError(error: unknown): void
  /** Largest message handed to the client, bytes. */
  readonly maxMessage: number
  /** Most messages of the client under way at once, those that wait for the handshake among them, and their bytes. */
  readonly most: number
  readonly mostBytes: number
}

export interface Conversation {
  /** One message of the client, as bytes; `outer` carries the credential it came with. Resolves when it has been answered. */
  receive(outer: Exchange, message: Buffer): Promise<void>
  /** More is under way than one client may have: read no further until it is less. */
  isFull(): boolean
  /** The client is gone: what runs is given up, and its session ended. */
  end(outer: Exchange): void
}

/** Time between two tries to open the stream of the server's own messages, milliseconds. */
const REOPEN = 1000
const ACCEPT = 'application/json, text/event-stream'

export function openConversation(needs: ConversationNeeds): Conversation {
  const { channel, clock, newId, server, path, maxMessage, onError } = needs
  const running = new Set<() => void>()
  let [messages, bytesHeld] = [0, 0]
  let session: string | undefined
  let revision: string | undefined
  let opened: Promise<void> = Promise.resolve()
  let listening = false
  let ended = false

  /** Resolves when the answer is over, to its status. */
  function ask(
    outer: Exchange,
    request: Pick<InnerRequest, 'method' | 'body'>,
    onAnswer: (answer: Answered) => void,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string> = { accept: ACCEPT }
      if (request.body !== undefined) headers['content-type'] = 'application/json'
      if (session !== undefined) headers[HEADER_SESSION] = session
      if (revision !== undefined) headers[HEADER_PROTOCOL_VERSION] = revision
      const settle = (status: number): void => {
        running.delete(abort)
        resolve(status)
      }
      const sink = collect({ maxMessage, onAnswer, onEnd: settle })
      const { exchange, abort } = innerExchange(outer, { ...request, path, headers, id: newId(), at: clock() }, sink)
      running.add(abort)
      needs.serve(exchange, server).catch((error: unknown) => {
        abort()
        reject(error)
      })
    })
  }

  const deliver = (message: Buffer, taken: () => void = nothing): void => {
    if (ended) taken()
    else channel.send(message, taken)
  }

  function take(answer: Answered, { id: waiting, method }: Partial<Glance>): void {
    if (answer.kind === 'too_large') {
      finish('too_large')
      return
    }
    session = answer.headers.get(HEADER_SESSION) ?? session
    if (answer.kind === 'event') {
      if (method === 'initialize') revision = negotiated(readJson(answer.data)) ?? revision
      deliver(answer.data, answer.taken)
      return
    }
    const { status, body } = answer
    if (status === 401) finish('unauthorized')
    if (status === 401 || body.length === 0) return
    const message = readJson(body)
    if (method === 'initialize') revision = negotiated(message)
    // A refusal of the door itself is no JSON-RPC message: on this channel it becomes one.
    if (isRecord(message) && message['jsonrpc'] === '2.0') deliver(body)
    else if (waiting !== undefined) deliver(Buffer.from(JSON.stringify(refusalInWords(message, waiting))))
  }

  /** Of what we asked by ourselves: what is no stream answers nobody, but that we may not ask. */
  function hear(answer: Answered): void {
    if (answer.kind !== 'whole' || answer.status === 401) take(answer, {})
  }

  function finish(reason: ChannelEnd): void {
    if (!ended) channel.end(reason)
  }

  /** The server's own messages: MCP 2025-11-25, Transports, listening for messages. A server without that stream answers 405. */
  async function listen(outer: Exchange): Promise<void> {
    // The one stream that lasts as long as the channel.
    const carried = { ...outer, carried: true }
    while (!ended) {
      const status = await ask(carried, { method: 'GET', body: undefined }, hear)
      if (status !== 200) return
      await new Promise((resolve) => setTimeout(resolve, REOPEN).unref())
    }
  }

  return {
    async receive(outer, bytes) {
      const glimpsed = glance(bytes)
      messages += 1
      bytesHeld += bytes.length
      // Nothing is handed on before the handshake has its answer: the session is known only then.
      const before = opened
      const opening = glimpsed.method === 'initialize' ? Promise.withResolvers<void>() : undefined
      if (opening !== undefined) opened = opening.promise
      try {
        await before
        if (opening !== undefined) session = revision = undefined
        if (!ended) await ask(outer, { method: 'POST', body: bytes }, (answer) => take(answer, glimpsed))
      } finally {
        messages -= 1
        bytesHeld -= bytes.length
        opening?.resolve()
      }
      if (ended || listening || glimpsed.method !== 'notifications/initialized') return
      listening = true
      listen(outer).catch((error: unknown) => {
        onError(error)
        finish('failed')
      })
    },
    isFull: () => messages >= needs.most || bytesHeld >= needs.mostBytes,
    end(outer) {
      if (ended) return
      ended = true
      for (const abort of [...running]) abort()
      // MCP 2025-11-25: a client that needs a session no longer ends it. Nobody waits for how that went.
      if (session !== undefined) ask(outer, { method: 'DELETE', body: undefined }, () => undefined).catch(nothing)
    },
  }
}

const nothing = (): void => undefined

type Answered =
  | { kind: 'whole'; status: number; headers: ReadonlyMap<string, string>; body: Buffer }
  | { kind: 'event'; headers: ReadonlyMap<string, string>; data: Buffer; taken: () => void }
  | { kind: 'too_large' }

/** Reads an inner answer: a document whole, an event stream event by event. */
function collect(needs: {
  maxMessage: number
  onAnswer: (answer: Answered) => void
  onEnd: (status: number) => void
}): InnerAnswer {
  const { maxMessage, onAnswer, onEnd } = needs
  const chunks: Buffer[] = []
  let size = 0
  let status = 0
  let headers: ReadonlyMap<string, string> = new Map()
  let isStream = false
  let waiting = 0
  let release: () => void = nothing
  const splitter = splitEvents(maxMessage, (event, whole) => {
    if (!whole) return onAnswer({ kind: 'too_large' })
    const { data } = readEvent(event)
    if (data === undefined) return
    waiting += 1
    onAnswer({
      kind: 'event',
      headers,
      data,
      taken() {
        waiting -= 1
        if (waiting === 0) release()
      },
    })
  })
  return {
    onHead(code, fields) {
      status = code
      headers = fields
      isStream = (fields.get('content-type') ?? '').startsWith('text/event-stream')
    },
    onData(chunk, taken) {
      if (isStream) {
        release = nothing
        splitter.push(chunk)
        if (waiting === 0) return taken()
        release = taken
        return
      }
      size += chunk.length
      if (size <= maxMessage) addPart(chunks, chunk)
      taken()
    },
    onEnd(complete) {
      if (size > maxMessage) onAnswer({ kind: 'too_large' })
      else if (complete && !isStream) onAnswer({ kind: 'whole', status, headers, body: Buffer.concat(chunks) })
      onEnd(status)
    },
  }
}

interface Glance {
  readonly id: RpcId | undefined
  readonly method: string | undefined
}

/** A first look for this channel's own bookkeeping; what a message says and whether it may pass is judged behind the door. */
function glance(bytes: Buffer): Glance {
  const message = readJson(bytes)
  if (!isRecord(message)) return { id: undefined, method: undefined }
  const { id, method } = message
  return {
    id: typeof method === 'string' && (typeof id === 'string' || typeof id === 'number') ? id : undefined,
    method: typeof method === 'string' ? method : undefined,
  }
}

/** MCP 2025-06-18: the negotiated revision goes with every later request. That of 2024-11-05 knew no such field. */
function negotiated(answer: unknown): string | undefined {
  const result = isRecord(answer) ? answer['result'] : undefined
  const version = isRecord(result) ? result['protocolVersion'] : undefined
  return isLegacyRevision(version) ? version : undefined
}

function refusalInWords(body: unknown, id: RpcId): object {
  const said = isRecord(body) ? body['message'] : undefined
  return rpcError(id, {
    code: RPC.legacyServerError,
    message: typeof said === 'string' ? said : 'The request was refused.',
  })
}
