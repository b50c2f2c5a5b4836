// What is subscribed to in a session that several listeners of one person share: given up when none of them wants it any more.
// MCP 2025-11-25, Resources: subscriptions.
import type { RemoteUpstream } from '../../upstreams/upstream.ts'
import { askInSession, nextId, type UpstreamSession } from './handshake.ts'

export interface SessionSubscriptions {
  /** One listener's, until what it answers is called. */
  want(uris: readonly string[]): () => void
  /** One that the server refuses is one it never tells of. Rejects as `askInSession` does. */
  subscribe(uris: readonly string[], signal: AbortSignal): Promise<void>
}

/** `reached`: as it was bound for the latest use. */
export function createSessionSubscriptions(
  reached: () => RemoteUpstream,
  session: UpstreamSession,
): SessionSubscriptions {
  const wanted = new Map<string, number>()
  // One after the other: what one listener gives up must not overtake what the next one asks for.
  let last: Promise<void> = Promise.resolve()
  const inTurn = (act: () => Promise<void>): Promise<void> => {
    const turn = last.then(act)
    last = turn.catch(() => undefined) // Told to whoever asked.
    return turn
  }
  const ask = async (method: string, uri: string, signal: AbortSignal): Promise<void> => {
    const message = { jsonrpc: '2.0' as const, id: nextId(), method, params: { uri } }
    await askInSession(reached(), session, { message, signal })
  }
  const giveUp = async (uri: string): Promise<void> => {
    if (wanted.has(uri)) return
    await ask('resources/unsubscribe', uri, AbortSignal.timeout(reached().requestTimeout))
  }

  return {
    want(uris) {
      for (const uri of uris) wanted.set(uri, (wanted.get(uri) ?? 0) + 1)
      return () => {
        for (const uri of uris) {
          const left = (wanted.get(uri) ?? 0) - 1
          if (left > 0) wanted.set(uri, left)
          else wanted.delete(uri)
          // Nobody waits for it: a server that is gone, or has forgotten the session, tells of nothing anyway.
          if (left <= 0) inTurn(() => giveUp(uri)).catch(() => undefined)
        }
      }
    },
    subscribe: (uris, signal) =>
      inTurn(async () => {
        for (const uri of uris) await ask('resources/subscribe', uri, signal)
      }),
  }
}
