// `resources/subscribe` and `resources/unsubscribe` of a client of the handshake era at an aggregate, by what the server is: asked in its
// own session, asked once at a channel for everybody, or listened to. MCP 2025-11-25, Resources: subscriptions.
import { RpcError } from '../../../protocol/errors.ts'
import type { RpcResponse } from '../../../protocol/jsonrpc.ts'
import { RPC } from '../../../protocol/mcp.ts'
import type { Upstream } from '../../../upstreams/upstream.ts'
import type { Subscriptions } from '../../subscriptions.ts'
import type { Listening } from './listen.ts'
import type { SourceNeeds } from './sources.ts'

export interface Subscribing {
  /** Id of the aggregate session. */
  readonly session: string
  readonly upstream: Upstream
  readonly uri: string
  readonly signal: AbortSignal
  /** Puts the request to the server, where the server has it. */
  ask(): Promise<RpcResponse>
}

interface Needs {
  readonly eraOf: SourceNeeds['eraOf']
  readonly subscriptions: Subscriptions
  readonly listening: Pick<Listening, 'resubscribed'>
}

/** `undefined`: it is done, and the answer is empty. */
export type Subscribe = (subscribing: Subscribing) => Promise<RpcResponse | undefined>

export function createSubscribe(needs: Needs): { subscribe: Subscribe; unsubscribe: Subscribe } {
  const { eraOf, subscriptions, listening } = needs
  const isListenedTo = async ({ upstream, signal }: Subscribing): Promise<boolean> =>
    upstream.kind === 'remote' && (await eraOf(upstream, signal)) === 'modern'

  return {
    async subscribe(subscribing) {
      const { session, upstream, uri } = subscribing
      // Before the server is asked: what it says at once is heard as well.
      const before = subscriptions.has(session, upstream.id, uri)
      if (!subscriptions.add(session, upstream.id, uri))
        throw new RpcError(RPC.invalidRequest, 'too_many_subscriptions', 'Too many subscriptions.', { status: 200 })
      try {
        if (await isListenedTo(subscribing)) {
          if (!before) listening.resubscribed(session, upstream)
          return undefined
        }
        const response = await subscribing.ask()
        if (response.error !== undefined && !before) subscriptions.remove(session, upstream.id, uri)
        return response
      } catch (error) {
        if (!before) subscriptions.remove(session, upstream.id, uri)
        throw error
      }
    },
    async unsubscribe(subscribing) {
      const { session, upstream, uri } = subscribing
      subscriptions.remove(session, upstream.id, uri)
      if (await isListenedTo(subscribing)) {
        listening.resubscribed(session, upstream)
        return undefined
      }
      // A server at a channel knows one subscriber; the others still want to hear.
      if (upstream.kind === 'channel' && subscriptions.isWanted(upstream.id, uri)) return undefined
      return subscribing.ask()
    },
  }
}
