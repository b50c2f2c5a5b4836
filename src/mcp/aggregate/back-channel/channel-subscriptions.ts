// Subscriptions at a server at a channel, which knows only one subscriber: us. It is asked for each resource, and told when the last who
// wanted it has left. MCP 2025-11-25, Resources: subscriptions.
import type { Caller } from '../../../upstreams/caller.ts'
import { nextId } from '../../bridge/handshake.ts'
import { isUnreached, type Reach } from '../../reach.ts'
import type { Subscriptions } from '../../subscriptions.ts'

interface Needs {
  readonly reach: Reach
  readonly subscriptions: Pick<Subscriptions, 'of' | 'isWanted' | 'end'>
  onError(error: unknown, server: string): void
}

export interface ChannelSubscriptions {
  /** Asks the server for all that the holder wants of it. Never rejects for one that is down: that is told elsewhere. */
  ask(server: string, asking: { holder: string; caller: Caller; signal: AbortSignal }): Promise<unknown>
  /** Forgets the holder. */
  leave(holder: string, caller: Caller): void
}

interface Telling {
  readonly method: 'resources/subscribe' | 'resources/unsubscribe'
  readonly uris: readonly string[]
  readonly caller: Caller
  readonly signal?: AbortSignal
}

export function createChannelSubscriptions({ reach, subscriptions, onError }: Needs): ChannelSubscriptions {
  async function tell(server: string, { method, uris, caller, signal }: Telling): Promise<void> {
    const once = async (uri: string): Promise<void> => {
      const upstream = await reach(server, caller)
      if (upstream?.kind !== 'channel') return
      const message = { jsonrpc: '2.0' as const, id: nextId(), method, params: { uri } }
      const until = signal ?? AbortSignal.timeout(upstream.requestTimeout)
      await upstream.request(message, { signal: until, onNotification: () => undefined })
    }
    await Promise.all(
      uris.map((uri) =>
        once(uri).catch((error: unknown) => {
          if (!isUnreached(error)) onError(error, server)
        }),
      ),
    )
  }
  return {
    ask: (server, { holder, caller, signal }) =>
      tell(server, { method: 'resources/subscribe', uris: [...subscriptions.of(holder, server)], caller, signal }),
    leave(holder, caller) {
      for (const [server, uri] of subscriptions.end(holder))
        if (!subscriptions.isWanted(server, uri))
          void tell(server, { method: 'resources/unsubscribe', uris: [uri], caller })
    },
  }
}
