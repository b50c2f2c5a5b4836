// What a server says in a session of ours beside its answers: the GET stream, where some ask what they should ask in the answer to a
// call. MCP 2025-11-25, Transports: such a question belongs to no call by name; the oldest one under way answers it.
import { isRecord } from '../../protocol/json.ts'
import { createQuestions } from '../../upstreams/channel/questions.ts'
import type { Ask, RemoteUpstream } from '../../upstreams/upstream.ts'
import { type Message, sessionSource } from '../aggregate/back-channel/sources.ts'
import { tellInSession, type UpstreamSession } from './handshake.ts'

export interface SessionCalls {
  /** Answers how to forget the call. */
  begin(ask: Ask): () => void
  end(): void
}

interface UnderWay {
  readonly ask: Ask
  readonly ended: AbortSignal
}

/** A server that has the stream has it at once; one that does not answer until it has something to say is not waited for. */
const OPENING = 100
/** A question that is longer is none. */
const MOST_BYTES = 1024 * 1024

/** Resolves when the server is listened to, or there is no such stream. Never rejects. `reached`: as it was bound for the latest use. */
export async function hearSession(reached: () => RemoteUpstream, session: UpstreamSession): Promise<SessionCalls> {
  // Oldest first; as many as one person calls at once.
  const calls: UnderWay[] = []
  const over = new AbortController()
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
  }
  const server = reached().id
  const place = { server, session: session.id, revision: session.revision }
  const source = sessionSource({ eraOf: async () => 'legacy', mostBytes: MOST_BYTES }, { server, get: reached }, place)
  const { promise: opened, resolve } = Promise.withResolvers<void>()
  const late = setTimeout(resolve, OPENING).unref()
  void source.run(hear, over.signal, resolve).then(resolve, resolve)
  await opened
  clearTimeout(late)
  return {
    begin(ask) {
      const ended = new AbortController()
      const call = { ask, ended: ended.signal }
      calls.push(call)
      return () => {
        calls.splice(calls.indexOf(call), 1)
        ended.abort()
      }
    },
    end: () => over.abort(),
  }
}
