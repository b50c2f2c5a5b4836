// One event stream of a server, read to its end, message by message and no faster than they are taken.
import type { Dispatcher } from 'undici'
import { readEvent, splitEvents, withoutMark } from '../../../protocol/events.ts'
import { isRecord } from '../../../protocol/json.ts'
import type { RemoteUpstream } from '../../../upstreams/upstream.ts'
import { readJson } from '../../answer.ts'
import { faultOfHead } from '../../fault.ts'
import { mediaType } from '../../headers.ts'

export type EventsEnd =
  /** It was open; `heard`: at least one message came. */
  | { readonly kind: 'ended'; readonly heard: boolean }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'failed' }

interface Request {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

export interface EventsReading {
  hear(message: Readonly<Record<string, unknown>>): Promise<void> | undefined
  /** The answer's head has come. */
  readonly onOpen?: (() => void) | undefined
  readonly signal: AbortSignal
  readonly mostBytes: number
}

export async function readEvents(
  upstream: RemoteUpstream,
  request: Request,
  reading: EventsReading,
): Promise<EventsEnd> {
  const answer = await upstream.streams
    .request({
      path: upstream.path,
      method: request.method,
      // Credentials last, over everything else, as for every caller.
      headers: { ...request.headers, ...upstream.addedHeaders },
      body: request.body,
      headersTimeout: upstream.requestTimeout,
      bodyTimeout: upstream.idleTimeout,
      signal: reading.signal,
    })
    .catch(() => undefined)
  if (answer === undefined) return { kind: 'failed' }
  const { statusCode: status, headers } = answer
  if (status !== 200 || mediaType(headers) !== 'text/event-stream' || faultOfHead(status, headers) !== undefined) {
    // Read or not, it is not waited for.
    answer.body.on('error', () => undefined).destroy()
    return status >= 400 ? { kind: 'refused', status } : { kind: 'failed' }
  }
  reading.onOpen?.()
  return readBody(answer.body, reading)
}

async function readBody(body: Dispatcher.ResponseData['body'], { hear, mostBytes }: EventsReading): Promise<EventsEnd> {
  let heard = false
  let begun = false
  let broken = false
  const messages: Record<string, unknown>[] = []
  const splitter = splitEvents(mostBytes, (event, whole) => {
    // A part of a message is none, and what follows it is no event.
    broken ||= !whole
    const { data } = readEvent(begun ? event : withoutMark(event))
    begun = true
    const message = data === undefined || broken ? undefined : readJson(data)
    if (isRecord(message)) messages.push(message)
  })
  try {
    for await (const chunk of body) {
      splitter.push(chunk as Buffer)
      for (const message of messages.splice(0)) {
        heard = true
        await hear(message)
      }
      // Leaving the loop ends the connection.
      if (broken) return { kind: 'failed' }
    }
  } catch (error) {
    if (!(error instanceof Error) || !isOfConnection(error)) throw error
  }
  return { kind: 'ended', heard }
}

/** What a connection ends with, and not a mistake of ours in taking a message. */
function isOfConnection(error: Error & { code?: unknown }): boolean {
  return error.name === 'AbortError' || typeof error.code === 'string'
}
