// What flows from the servers behind an aggregate to its clients, and the clients' answers to it: one of each part, put together.
import type { RpcResponse } from '../../../protocol/jsonrpc.ts'
import type { Marks } from '../../../store/ephemeral.ts'
import type { SealKey } from '../../../tokens/seal.ts'
import type { Fault } from '../../fault.ts'
import type { Incoming } from '../../message.ts'
import type { Ending } from '../../relay.ts'
import type { Subscriptions } from '../../subscriptions.ts'
import { createChildSubscriptions } from './child-subscriptions.ts'
import { createListening, type Listener, type Listening, type ListeningNeeds, type SessionListener } from './listen.ts'
import { createListenRequest, type ListenRequest } from './listen-request.ts'
import type { Hearer } from './notifications.ts'
import { type Asked, createQuestions, restoreId } from './questions.ts'
import type { ClientCapabilities } from './refused-question.ts'
import { createRunning, type Running } from './running.ts'
import { type Asking, createAside, type UpstreamPlace } from './server-message.ts'
import { createServerSources } from './server-sources.ts'
import { createSubscribe, type Subscribe } from './subscribe.ts'
import { tell } from './tell.ts'

/** What the address shows to the caller, as rules are now; the rest of what a hearer knows is known here. */
export type Audience = Pick<Hearer, 'sees' | 'mayRead'>

type Heard<T extends Listener> = Omit<T, 'hearer' | 'asking'> & { readonly audience: Audience }

/** A client of the handshake era: whose it is, and what it declared in its handshake. */
export interface SessionClient extends Asked {
  readonly capabilities: ClientCapabilities
}

/** What became of a response. `stray`: it answers nothing that is open here, and reached nobody; the client is told 202 all the same. */
export type Answered = 'taken' | 'stray' | Fault

export interface BackChannel extends Pick<Listening, 'joined'> {
  /** GET of a client of the handshake era. */
  listen(listener: Heard<SessionListener> & { readonly capabilities: ClientCapabilities }): Promise<Ending>
  /** `subscriptions/listen` of a modern one. */
  listenTo(request: Heard<ListenRequest>): Promise<Ending>
  readonly subscribe: Subscribe
  readonly unsubscribe: Subscribe
  /** What a server may say on the stream that answers one call: `Screen.aside`. `client` is absent in the modern era. */
  aside(call: {
    readonly server: string
    readonly place: UpstreamPlace | undefined
    readonly token: unknown
    readonly audience: Audience
    readonly client: SessionClient | undefined
  }): (message: unknown) => object | undefined
  /** A response that a client posts, on its way back to the session that asked. */
  answer(asked: Asked, incoming: Incoming & { kind: 'response' }): Promise<Answered>
  readonly running: Running
  /** The session is over: its stream, its calls, its subscriptions. */
  end(session: string): void
}

interface Needs extends Omit<ListeningNeeds, 'sources' | 'subscriptions'> {
  readonly subscriptions: Subscriptions
  sealKeys(): readonly SealKey[]
  readonly marks: Marks
  now(): number
}

export function createBackChannel(needs: Needs): BackChannel {
  const { get, subscriptions } = needs
  const running = createRunning()
  const questions = createQuestions(needs)
  const children = createChildSubscriptions(needs)
  const parts = { ...needs, children, sources: createServerSources(needs) }
  const listening = createListening(parts)
  const listenTo = createListenRequest(parts)

  const refuse = (place: UpstreamPlace, response: RpcResponse): void => {
    const upstream = get(place.server)
    if (upstream?.kind !== 'remote') return
    tell(upstream, place, Buffer.from(JSON.stringify(response))).catch((error: unknown) =>
      needs.onError(error, place.server),
    )
  }
  const askingOf = ({ subject, session, capabilities }: SessionClient): Asking => ({
    questions,
    asked: { subject, session },
    capabilities,
    refuse,
  })
  /** A client without a session has no subscriptions and no calls beside the one that is answered. */
  const hearerOf = ({ sees, mayRead }: Audience, session: string | undefined): Hearer => ({
    sees,
    mayRead,
    isSubscribed: (server, uri) => session !== undefined && subscriptions.has(session, server, uri),
    isProgressOf: (server, token) => session !== undefined && running.isProgressOf(session, server, token),
  })

  return {
    listen({ audience, capabilities, ...listener }) {
      const { session } = listener
      const asking = askingOf({ subject: listener.principal.subject, session, capabilities })
      return listening.listen({ ...listener, asking, hearer: hearerOf(audience, session) })
    },
    listenTo: ({ audience, ...request }) => listenTo({ ...request, hearer: hearerOf(audience, undefined) }),
    joined: listening.joined,
    ...createSubscribe({ eraOf: needs.eraOf, subscriptions, listening }),
    aside({ audience, client, ...call }) {
      const asking = client && askingOf(client)
      return createAside(
        { hearer: hearerOf(audience, client?.session), asking, onListChanged: needs.onListChanged },
        call,
      )
    },
    async answer(asked, { message, body }) {
      const sealedId = message.id ?? ''
      const question = await questions.consume(asked, sealedId)
      const upstream = question && get(question.server)
      if (question === undefined || upstream?.kind !== 'remote') return 'stray'
      return (await tell(upstream, question, restoreId(body, String(sealedId), question.id))) ?? 'taken'
    },
    running,
    end(session) {
      running.end(session)
      listening.end(session)
      children.leave(session)
    },
  }
}
