// What a server says in a session of ours beside its answers, on its one GET stream: what some ask there that they should ask in the
// answer to a call, and what whoever listens is told. MCP 2025-11-25, Transports: such a question belongs to no call by name; the oldest
// one under way answers it.
import { isRecord } from '../../protocol/json.ts'
import { createQuestions } from '../../upstreams/channel/questions.ts'
import type { Ask, RemoteUpstream } from '../../upstreams/upstream.ts'
import { type Hear, type Message, type Reached, sessionSource } from '../aggregate/back-channel/sources.ts'
import { tellInSession, type UpstreamSession } from './handshake.ts'

export interface StreamListener {
  readonly hear: Hear
  /** As the person is bound at this moment: no call may come for long. */
  readonly reached: Reached<RemoteUpstream>
}

export interface SessionStream {
  /**
   * Resolves when the server is listened to, or there is no such stream. A session has one, however often it is asked for: servers
   * refuse a second. Never rejects.
   */
  open(): Promise<void>
  /** Answers how to forget the call. */
  begin(ask: Ask): () => void
  /** Notifications, until what it answers is called. */
  add(listener: StreamListener): () => void
  /** There is nothing to hear, now or any more. Rejects for a mistake of ours. */
  readonly over: Promise<void>
  isOver(): boolean
  end(): void
}

interface UnderWay {
  readonly ask: Ask
  readonly ended: AbortSignal
}

/** A server that has the stream has it at once; one that does not answer until it has something to say is not waited for. */
const OPENING = 100
/** A message that is longer is none. */
const MOST_BYTES = 1024 * 1024

/** `reached`: as it was bound for the latest use. */
export function createSessionStream(reached: () => RemoteUpstream, session: UpstreamSession): SessionStream {
  // Oldest first; as many as one person calls at once.
  const calls: UnderWay[] = []
  const listeners = new Set<StreamListener>()
  const stop = new AbortController()
  const over = Promise.withResolvers<void>()
  let isOver = false
  // Whoever listens hears of it; a session that nobody listens to goes without its stream.
  over.promise.catch(() => undefined)
  const questions = createQuestions({
    pending: () => [...calls],
    tell: (message) => tellInSession(reached(), session, message),
  })
  const hear = (message: Message): undefined => {
    const { id, method } = message
    const params = isRecord(message['params']) ? message['params'] : {}
    if (typeof method !== 'string' || 'result' in message || 'error' in message) return
    if (typeof id === 'string' || typeof id === 'number') questions.accept({ jsonrpc: '2.0', id, method, params })
    else if (method === 'notifications/cancelled') questions.withdraw(params['requestId'])
    // Nobody's slowness is another's, nor a question's.
    else for (const listener of [...listeners]) void listener.hear(message)
  }
  const server = reached().id
  const get = (): ReturnType<Reached<RemoteUpstream>['get']> => {
    const [listener] = listeners
    return listener === undefined ? reached() : listener.reached.get()
  }
  let opening: Promise<void> | undefined

  async function open(): Promise<void> {
    const place = { server, session: session.id, revision: session.revision }
    const source = sessionSource({ eraOf: async () => 'legacy', mostBytes: MOST_BYTES }, { server, get }, place)
    const { promise: opened, resolve } = Promise.withResolvers<void>()
    const late = setTimeout(resolve, OPENING).unref()
    source
      .run(hear, stop.signal, resolve)
      .finally(() => {
        isOver = true
        resolve()
      })
      .then(over.resolve, over.reject)
    await opened
    clearTimeout(late)
  }

  return {
    open() {
      opening ??= open()
      return opening
    },
    begin(ask) {
      const ended = new AbortController()
      const call = { ask, ended: ended.signal }
      calls.push(call)
      return () => {
        calls.splice(calls.indexOf(call), 1)
        ended.abort()
      }
    },
    add(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    over: over.promise,
    isOver: () => isOver,
    end() {
      stop.abort()
      over.resolve()
    },
  }
}
