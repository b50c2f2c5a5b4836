// A modern client listens at a server of the handshake era: in the session of its person's calls, since some servers tell of what was done
// in a session to that session alone. MCP 2025-11-25, Transports; Resources: subscriptions.
import type { Principal } from '../../protocol/principal.ts'
import { type ListenAs, OVER } from '../aggregate/back-channel/sources.ts'
import { askable } from '../held/askable.ts'
import { askInSession, nextId } from './handshake.ts'
import { unlessAborted } from './patience.ts'
import type { PooledSession, SessionPool } from './session-pool.ts'
import { withSession } from './with-session.ts'

type Parameter<At extends number> = Parameters<ListenAs>[At]

/** A session that was lost is opened anew by the next attempt, and subscribed in. */
export function createListenAs({ lease }: Pick<SessionPool, 'lease'>) {
  return (principal: Principal, declared: Readonly<Record<string, unknown>>): ListenAs =>
    async (upstream, asked, events) => {
      // For each attempt: the person may have another account by then.
      const held = lease(upstream, principal, askable(declared))
      try {
        const opening = { method: 'resources/subscribe', signal: events.signal }
        return await withSession(held, opening, (pooled) => listenIn(pooled, upstream, asked, events))
      } finally {
        held.end()
      }
    }
}

async function listenIn(
  { session, stream, subscribed }: PooledSession,
  upstream: Parameter<0>,
  { uris, reached }: Parameter<1>,
  { hear, signal, onOpen }: Parameter<2>,
): ReturnType<ListenAs> {
  let heard = false
  const leave = stream.add({
    reached,
    hear(message) {
      heard = true
      return hear(message)
    },
  })
  const release = subscribed.want(uris)
  try {
    await stream.open()
    // The server’s word that it knows the session: if there is no stream by then, it has none.
    if (uris.length > 0) await subscribed.subscribe(uris, signal)
    else await askInSession(upstream, session, { message: { jsonrpc: '2.0', id: nextId(), method: 'ping' }, signal })
    if (stream.isOver()) return OVER
    onOpen?.()
    await unlessAborted(stream.over, signal)
    return { kind: 'ended', heard }
  } finally {
    leave()
    release()
  }
}
