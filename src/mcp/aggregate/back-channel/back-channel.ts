// What flows from the servers behind an aggregate to its clients, and the clients' answers to it: one of each part, put together.
import type { RpcResponse } from '../../../protocol/jsonrpc.ts'
import type { Marks } from '../../../store/ephemeral.ts'
import type { SealKey } from '../../../tokens/seal.ts'
import type { Caller } from '../../../upstreams/caller.ts'
import type { Fault } from '../../fault.ts'
import type { ClientCapabilities } from '../../held/refused-question.ts'
import type { Incoming } from '../../message.ts'
import { callerOf, isUnreached } from '../../reach.ts'
import type { Ending } from '../../relay.ts'
import type { Subscriptions } from '../../subscriptions.ts'
import { createChannelSubscriptions } from './channel-subscriptions.ts'
import { createListening, type Listener, type Listening, type ListeningNeeds, type SessionListener } from './listen.ts'
import { createListenRequest, type ListenRequest } from './listen-request.ts'
import type { Hearer } from './notifications.ts'
import { type Asked, createQuestions, restoreId } from './questions.ts'
import { createRunning, type Running } from './running.ts'
import { type Asking, createAside, type JudgeNeeds, type UpstreamPlace } from './server-message.ts'
import { createServerSources, type ServerSourcesNeeds } from './server-sources.ts'
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
    readonly caller: Caller
  }): (message: unknown) => object | undefined
  /** A response that a client posts, on its way back to the session that asked. */
  answer(asked: Asked, incoming: Incoming & { kind: 'response' }, caller: Caller): Promise<Answered>
  readonly running: Running
  /** The session is over: its stream, its calls, its subscriptions. */
  end(session: string, caller: Caller): void
}

interface Needs extends Omit<ListeningNeeds, 'sources' | 'subscriptions'>, ServerSourcesNeeds {
  readonly subscriptions: Subscriptions
  sealKeys(): readonly SealKey[]
  readonly marks: Marks
  now(): number
}

export function createBackChannel(needs: Needs): BackChannel {
  const { reach, subscriptions } = needs
  const running = createRunning()
  const questions = createQuestions(needs)
  const atChannels = createChannelSubscriptions(needs)
  const parts = { ...needs, atChannels, sources: createServerSources(needs) }
  const listening = createListening(parts)
  const listenTo = createListenRequest(parts)

  const refuse = async (place: UpstreamPlace, response: RpcResponse, caller: Caller): Promise<void> => {
    try {
      const upstream = await reach(place.server, caller)
      if (upstream?.kind === 'remote') await tell(upstream, place, Buffer.from(JSON.stringify(response)))
    } catch (error) {
      if (!isUnreached(error)) needs.onError(error, place.server)
    }
  }
  const askingOf = ({ subject, session, capabilities }: SessionClient, caller: Caller): Asking => ({
    questions,
    asked: { subject, session },
    capabilities,
    refuse: (place, response) => void refuse(place, response, caller),
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
      const asking = askingOf({ subject: listener.principal.subject, session, capabilities }, callerOf(listener))
      return listening.listen({ ...listener, asking, hearer: hearerOf(audience, session) })
    },
    listenTo: ({ audience, ...request }) => listenTo({ ...request, hearer: hearerOf(audience, undefined) }),
    joined: listening.joined,
    ...createSubscribe({ eraOf: needs.eraOf, subscriptions, listening }),
    aside({ audience, client, caller, ...call }) {
      const asking = client && askingOf(client, caller)
      const onListChanged: JudgeNeeds['onListChanged'] = (id) => needs.onListChanged(id, caller)
      return createAside({ hearer: hearerOf(audience, client?.session), asking, onListChanged }, call)
    },
    async answer(asked, { message, body }, caller) {
      const sealedId = message.id ?? ''
      const question = await questions.consume(asked, sealedId)
      const upstream = question && (await reach(question.server, caller))
      if (question === undefined || upstream?.kind !== 'remote') return 'stray'
      return (await tell(upstream, question, restoreId(body, String(sealedId), question.id))) ?? 'taken'
    },
    running,
    end(session, caller) {
      running.end(session)
      listening.end(session)
      atChannels.leave(session, caller)
    },
  }
}
