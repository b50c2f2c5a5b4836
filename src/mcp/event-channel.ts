// HTTP+SSE of MCP 2024-11-05: an event stream that names the address for the client's messages, and carries all answers.
// The stream lives here, so its messages must come here: another replica hands them on, or says 404 where it stands alone.

import { randomBytes } from 'node:crypto'
import { answerDoorPreflight } from '../http/cors.ts'
import type { Exchange } from '../http/exchange.ts'
import { outlasting } from '../http/inner.ts'
import { RequestError } from '../protocol/errors.ts'
import { EVENT_STREAM } from '../protocol/events.ts'
import type { Principal } from '../protocol/principal.ts'
import { serverPath } from '../protocol/resource.ts'
import { untilClosed } from './closed.ts'
import { type Channel, type Conversation, openConversation } from './conversation.ts'
import { keepAlive } from './keep-alive.ts'
import { type LastingNeeds, MOST_BODIES, MOST_MESSAGE, MOST_RUNNING } from './lasting.ts'
import { readText } from './reading.ts'

/** Whose it is, and what nobody guesses. */
const SESSION = /^sessionId=(([A-Za-z0-9_-]{12})\.[A-Za-z0-9_-]{32})$/

interface Open {
  readonly subject: string
  readonly server: string
  readonly conversation: Conversation
}

export interface EventChannel {
  /** GET: the stream. `messages` is the path that clients are told to post to. */
  listen(exchange: Exchange, serverId: string, messages: string): Promise<void>
  /** POST: one message of the client; its answer comes on the stream. */
  post(exchange: Exchange, serverId: string): Promise<void>
}

export function eventChannel(needs: LastingNeeds): EventChannel {
  const open = new Map<string, Open>()
  const { limits } = needs

  async function enter(exchange: Exchange, serverId: string, method: 'GET' | 'POST'): Promise<Principal> {
    if (exchange.req.method !== method) {
      exchange.res.setHeader('Allow', `${method}, OPTIONS`)
      throw new RequestError(405, 'method_not_allowed', `Use ${method}.`)
    }
    const principal = await needs.authenticate(exchange, serverId)
    needs.checkVisible(principal, serverId)
    return principal
  }

  /** The preflight and every refusal are alike on both addresses. */
  async function guarded(exchange: Exchange, serverId: string, serve: () => Promise<void>): Promise<void> {
    try {
      needs.cors(exchange)
      if (exchange.req.method === 'OPTIONS') answerDoorPreflight(exchange)
      else await serve()
    } catch (error) {
      needs.refuse(exchange, error, serverId)
    }
  }

  return {
    listen: (exchange, serverId, messages) =>
      guarded(exchange, serverId, async () => {
        const principal = await enter(exchange, serverId, 'GET')
        const place = needs.streams.reserve(principal, exchange.address)
        const { res } = exchange
        const outer = outlasting(exchange)
        const id = `${needs.self}.${randomBytes(24).toString('base64url')}`
        const conversation = converse(needs, serverId, eventsTo(exchange, limits))
        open.set(id, { subject: principal.subject, server: serverId, conversation })
        res.writeHead(200, [...EVENT_STREAM])
        res.write(`event: endpoint\ndata: ${messages}?sessionId=${id}\n\n`)
        keepAlive(res, limits.streamKeepAlive)
        const unwatch = place.watch(() => void res.end())
        await untilClosed(res)
        open.delete(id)
        unwatch()
        place.release()
        conversation.end(outer)
      }),

    post: (exchange, serverId) =>
      guarded(exchange, serverId, async () => {
        const principal = await enter(exchange, serverId, 'POST')
        const { subject } = principal
        const [, id = '', owner = needs.self] = SESSION.exec(exchange.query) ?? []
        if (owner !== needs.self && needs.handOn !== undefined && exchange.handed === undefined) {
          const body = await readText(exchange, limits)
          if (await needs.handOn(owner, { exchange, principal, body, id: undefined })) return
        }
        const session = open.get(id)
        // Another's stream and one that is not there are the same to whoever asks.
        if (session === undefined || session.subject !== subject || session.server !== serverId)
          throw new RequestError(404, 'unknown_session', 'There is no such session. Open the event stream again.')
        const body = await readText(exchange, limits)
        // Asked when the message is here: many may have been on their way at once.
        if (session.conversation.isFull())
          throw new RequestError(429, 'too_many_requests', 'Too many requests under way.', { retryAfter: 1 })
        const received = session.conversation.receive(outlasting(exchange), body)
        exchange.res.writeHead(202, ['content-length', '0']).end()
        await received
      }),
  }
}

const converse = (
  { serve, newId, clock, onError, limits }: LastingNeeds,
  server: string,
  channel: Channel,
): Conversation =>
  openConversation({
    serve,
    server,
    path: serverPath(server),
    channel,
    newId: () => newId(clock()),
    clock,
    onError,
    maxMessage: MOST_MESSAGE,
    most: MOST_RUNNING,
    mostBytes: MOST_BODIES * limits.body,
  })

/** A reader that stands still on a full buffer is cut off. */
function eventsTo({ res }: Exchange, { streamStall }: LastingNeeds['limits']): Channel {
  return {
    send(message, taken) {
      // Line breaks can stand between the tokens of JSON, and would end the data line.
      const data = message.toString('utf8').replace(/[\r\n]+/g, ' ')
      if (res.write(`event: message\ndata: ${data}\n\n`)) return taken()
      const stalled = setTimeout(() => res.destroy(), streamStall)
      const go = (): void => {
        clearTimeout(stalled)
        res.removeListener('drain', go)
        res.removeListener('close', go)
        taken()
      }
      res.once('drain', go)
      res.once('close', go)
    },
    end: () => void res.end(),
  }
}
