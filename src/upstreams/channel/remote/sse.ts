// HTTP+SSE of MCP 2024-11-05 as a channel: one stream of events, whose first says where messages are posted.
import type { Dispatcher } from 'undici'
import type { RpcMessage } from '../../../protocol/jsonrpc.ts'
import { UpstreamError } from '../../upstream.ts'
import type { Ears, Fields, Transport } from '../transport.ts'
import { openEventReader } from './event-reader.ts'
import { refusalOf, upstreamErrorOf } from './refusal.ts'

export interface SsePlace {
  /** Of the stream. */
  readonly url: URL
  readonly pool: Dispatcher
  readonly streams: Dispatcher
  /** Credential and who calls, as they are now, and for this message. */
  fields(told?: Fields): Fields
  /** Of the stream, as it is asked for now. */
  path(): string
  readonly requestTimeout: number
  /** Longest message, in bytes. */
  readonly longest: number
  onLog(line: string): void
}

/** An answer to a message says nothing but that it was taken. */
const LARGEST_ANSWER = 64 * 1024

export function openSse(place: SsePlace, ears: Ears): Transport {
  const over = new AbortController()
  const ready = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<UpstreamError>()
  let endpoint: string | undefined

  const end = (failure: UpstreamError): void => {
    clearTimeout(patience)
    ready.reject(failure)
    ended.resolve(failure)
    over.abort()
  }
  // Whoever opens the channel waits for `ready`; nobody may have begun to when it fails.
  ready.promise.catch(() => undefined)
  const patience = setTimeout(
    () => end(new UpstreamError('timeout', 'The server named no address for messages in time.')),
    place.requestTimeout,
  )

  const events = openEventReader(place.longest, {
    onMessage: (text) => (endpoint === undefined ? place.onLog(text) : ears.receive(text)),
    onOversize: ears.receiveOversize,
    onEndpoint(said) {
      // MCP 2024-11-05, Transports: sent once, and first. Another one later could lead messages elsewhere.
      if (endpoint !== undefined) return place.onLog(said)
      const at = endpointIn(said, place.url)
      if (at === undefined) return end(new UpstreamError('protocol', 'The server wants messages at another origin.'))
      endpoint = at
      clearTimeout(patience)
      return ready.resolve()
    },
  })

  async function read(): Promise<void> {
    const { body } = await open()
    for await (const chunk of body) events.push(chunk as Buffer)
    end(new UpstreamError('reset', 'The server ended its stream.'))
  }

  async function open(): Promise<Dispatcher.ResponseData> {
    const answer = await place.streams.request({
      path: place.path(),
      method: 'GET',
      headers: { accept: 'text/event-stream', ...place.fields() },
      headersTimeout: place.requestTimeout,
      // A server with nothing to say is silent. What has gone without a word is found by TCP.
      bodyTimeout: 0,
      signal: over.signal,
    })
    const { statusCode, headers } = answer
    const failure = refusalOf(statusCode, headers) ?? notEvents(headers)
    if (failure === undefined) return answer
    answer.body.on('error', () => undefined).destroy()
    throw failure
  }

  async function post(message: RpcMessage, told: Fields | undefined): Promise<void> {
    if (endpoint === undefined) throw new UpstreamError('exited', 'The channel is not open.')
    try {
      const { statusCode, headers, body } = await place.pool.request({
        path: endpoint,
        method: 'POST',
        headers: { 'content-type': 'application/json', ...place.fields(told) },
        body: JSON.stringify(message),
        headersTimeout: place.requestTimeout,
        bodyTimeout: place.requestTimeout,
        signal: over.signal,
      })
      await body.dump({ limit: LARGEST_ANSWER })
      const failure = refusalOf(statusCode, headers)
      if (failure !== undefined) throw failure
    } catch (error) {
      throw upstreamErrorOf(error)
    }
  }

  read().catch((error: unknown) => end(upstreamErrorOf(error)))

  return {
    ready: ready.promise,
    send: post,
    ended: ended.promise,
    async stop() {
      end(new UpstreamError('exited', 'The channel was closed.'))
    },
  }
}

const notEvents = (headers: Readonly<Record<string, string | string[] | undefined>>): UpstreamError | undefined =>
  /^text\/event-stream\b/i.test(String(headers['content-type'] ?? ''))
    ? undefined
    : new UpstreamError('protocol', 'The server answered without a stream of events.')

/** Its path and query. Our credential goes there: another origin than the configured one gets none of it. */
export function endpointIn(said: string, base: URL): string | undefined {
  const url = URL.parse(said, base.href)
  return url?.origin === base.origin && url.username === '' && url.password === ''
    ? url.pathname + url.search
    : undefined
}
