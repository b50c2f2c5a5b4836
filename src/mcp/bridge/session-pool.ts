// Sessions of ours at servers of the handshake era, for clients that have none: one for each person, account, server and what the client
// can be asked, opened at its first use, ended when nobody has used it for a while. Never one for two people.
// MCP 2025-11-25, Lifecycle; Transports: session management.
import type { Clock } from '../../protocol/clock.ts'
import { ANONYMOUS, type Principal } from '../../protocol/principal.ts'
import type { RemoteUpstream } from '../../upstreams/upstream.ts'
import { type Askable, isAskable } from '../held/askable.ts'
import { closeUpstreamSession, type Introduction, openUpstreamSession } from './handshake.ts'
import { OUR_HELLO } from './hello.ts'
import { openingSignal, unlessAborted } from './patience.ts'
import { createSessionStream, type SessionStream } from './session-stream.ts'
import { createSessionSubscriptions, type SessionSubscriptions } from './session-subscriptions.ts'

export interface PooledSession {
  readonly session: Introduction
  /** What the server says beside its answers: open where it may ask, and from the first listener on. */
  readonly stream: SessionStream
  readonly subscribed: SessionSubscriptions
  /** The least severe log level that the server was told; `undefined` before the first. */
  logLevel: string | undefined
}

/** One call's use of a session. */
export interface Lease {
  /** Rejects with UpstreamError. */
  get(signal: AbortSignal): Promise<PooledSession>
  /** The server does not know it any more: the next `get` opens another. */
  lost(session: PooledSession): void
  end(): void
}

export interface SessionPool {
  /** `capabilities`: what the server is told that it may ask. */
  lease(upstream: RemoteUpstream, principal: Principal, capabilities: Askable): Lease
  size(): number
  /** The person has another account there now, or none: what is asked next opens another. */
  forgetPrincipal(server: string, subject: string): void
  /** Ends what has idled. Called on a timer. */
  sweep(): void
  /** Ends all of them, whoever uses them. */
  close(): void
}

const IDLE = 5 * 60_000
const MOST = 10_000

interface Entry {
  /** As it was bound for the latest use. */
  upstream: RemoteUpstream
  readonly subject: string
  readonly capabilities: Askable
  opening: Promise<PooledSession> | undefined
  current: PooledSession | undefined
  leases: number
  usedAt: number
}

export function createSessionPool({ clock }: { readonly clock: Clock }): SessionPool {
  const entries = new Map<string, Entry>()

  async function begin(entry: Entry): Promise<PooledSession> {
    const { upstream, capabilities } = entry
    const session = await openUpstreamSession(upstream, { ...OUR_HELLO, capabilities }, openingSignal(upstream))
    const reached = () => entry.upstream
    const stream = createSessionStream(reached, session)
    if (isAskable(capabilities)) await stream.open()
    return { session, stream, subscribed: createSessionSubscriptions(reached, session), logLevel: undefined }
  }

  function open(entry: Entry): Promise<PooledSession> {
    if (entry.opening !== undefined) return entry.opening
    const opening = begin(entry)
    entry.opening = opening
    opening.then(
      (opened) => {
        entry.current = opened
      },
      () => {
        entry.opening = undefined
      },
    )
    return opening
  }

  function end(key: string, entry: Entry): void {
    if (entries.get(key) === entry) entries.delete(key)
    entry.opening?.then(
      ({ session, stream }) => {
        stream.end()
        closeUpstreamSession(entry.upstream, session)
      },
      () => undefined, // There is nothing to end.
    )
  }

  /** The longest unused goes first; those in use are as many as the calls that run. */
  function makeRoom(): void {
    if (entries.size < MOST) return
    for (const [key, entry] of entries) {
      if (entry.leases > 0) continue
      end(key, entry)
      return
    }
  }

  function take(key: string, upstream: RemoteUpstream, of: Pick<Entry, 'subject' | 'capabilities'>): Entry {
    const known = entries.get(key)
    entries.delete(key)
    if (known === undefined) makeRoom()
    const fresh = { opening: undefined, current: undefined, leases: 0, usedAt: clock() }
    const entry = known ?? { upstream, ...of, ...fresh }
    entries.set(key, entry)
    entry.upstream = upstream
    entry.leases += 1
    return entry
  }

  return {
    lease(upstream, principal, capabilities) {
      const key = keyOf(upstream, principal, capabilities)
      const entry = take(key, upstream, { subject: principal.subject, capabilities })
      return {
        get: (signal) => unlessAborted(open(entry), signal),
        lost(session) {
          // Another call may have opened the next one already.
          if (entry.current !== session) return
          session.stream.end()
          entry.opening = undefined
          entry.current = undefined
        },
        end() {
          entry.leases -= 1
          entry.usedAt = clock()
          // Whoever is nobody is not known again either: the next one may be somebody else.
          if (isNobody(principal)) end(key, entry)
        },
      }
    },
    size: () => entries.size,
    forgetPrincipal(server, subject) {
      for (const [key, entry] of entries) if (entry.subject === subject && entry.upstream.id === server) end(key, entry)
    },
    sweep() {
      for (const [key, entry] of entries) if (entry.leases === 0 && clock() - entry.usedAt >= IDLE) end(key, entry)
    },
    close() {
      for (const [key, entry] of entries) end(key, entry)
    },
  }
}

const isNobody = ({ kind, subject }: Principal): boolean => kind === 'anonymous' || subject === ANONYMOUS.subject

let nobodies = 0

/** Two people never have one key, nor two accounts of one person; nobody has a key of their own for every call. */
function keyOf({ id, owner = '' }: RemoteUpstream, principal: Principal, capabilities: Askable): string {
  if (!isNobody(principal)) return JSON.stringify([id, principal.subject, owner, capabilities])
  nobodies += 1
  return JSON.stringify([id, null, nobodies])
}
