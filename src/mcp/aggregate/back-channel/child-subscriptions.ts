// Subscriptions at a child process, which knows only one subscriber: us. It is asked for each resource, and told when the last who
// wanted it has left. MCP 2025-11-25, Resources: subscriptions.
import { type ChannelUpstream, type Upstream, UpstreamError } from '../../../upstreams/upstream.ts'
import { nextId } from '../../bridge/handshake.ts'
import type { Subscriptions } from '../../subscriptions.ts'

interface Needs {
  get(server: string): Upstream | undefined
  readonly subscriptions: Pick<Subscriptions, 'of' | 'isWanted' | 'end'>
  onError(error: unknown, server: string): void
}

export interface ChildSubscriptions {
  /** Asks the child for all that the holder wants of it. Never rejects for a child that is down: that is told elsewhere. */
  ask(child: ChannelUpstream, holder: string, signal: AbortSignal): Promise<unknown>
  /** Forgets the holder. */
  leave(holder: string): void
}

export function createChildSubscriptions({ get, subscriptions, onError }: Needs): ChildSubscriptions {
  const tell = (child: ChannelUpstream, method: string, uri: string, signal: AbortSignal): Promise<unknown> => {
    const message = { jsonrpc: '2.0' as const, id: nextId(), method, params: { uri } }
    return child.request(message, { signal, onNotification: () => undefined }).catch((error: unknown) => {
      if (!(error instanceof UpstreamError)) onError(error, child.id)
    })
  }
  return {
    ask: (child, holder, signal) =>
      Promise.all(
        [...subscriptions.of(holder, child.id)].map((uri) => tell(child, 'resources/subscribe', uri, signal)),
      ),
    leave(holder) {
      for (const [server, uri] of subscriptions.end(holder)) {
        const upstream = get(server)
        if (upstream?.kind === 'channel' && !subscriptions.isWanted(server, uri))
          void tell(upstream, 'resources/unsubscribe', uri, AbortSignal.timeout(upstream.requestTimeout))
      }
    },
  }
}
