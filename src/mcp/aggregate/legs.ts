// The legs of a client's session, one at each server behind it: sessions of ours, opened at the first use, with what that client can do,
// by one of all who want it; their ids are sealed in the store.
import type { Clock } from '../../protocol/clock.ts'
import type { Principal } from '../../protocol/principal.ts'
import type { ClientSessions, SessionLeg } from '../../store/client-sessions.ts'
import { type SealKey, seal, unseal } from '../../tokens/seal.ts'
import type { RemoteUpstream } from '../../upstreams/upstream.ts'
import {
  askInSession,
  closeUpstreamSession,
  nextId,
  openUpstreamSession,
  type UpstreamSession,
} from '../bridge/handshake.ts'
import type { ClientHello } from '../bridge/hello.ts'
import { openingSignal, unlessAborted } from '../bridge/patience.ts'
import { isUnreached, type Reach } from '../reach.ts'
import { sessionNotFound } from '../session.ts'
import type { AggregateSession } from './sessions.ts'

export interface LegNeeds {
  /** AES-256 keys, newest first: the first seals, all open. */
  sealKeys(): readonly SealKey[]
  readonly rows: ClientSessions
  readonly reach: Reach
  readonly clock: Clock
  /** The store did not take a write that nobody waits for. */
  onError(error: unknown): void
  /** A session at a server has come to be; what is asked in it waits until this has resolved. */
  onJoined?(session: AggregateSession, upstream: RemoteUpstream, joined: UpstreamSession): Promise<void>
}

interface Leg {
  readonly sealedId: string
  readonly session: UpstreamSession
}

/** What is known here of one client's session. */
interface Joined {
  /** Who used it last: its legs are ended as theirs. */
  owner: Principal | undefined
  readonly legs: Map<string, Leg>
  readonly opening: Map<string, Promise<UpstreamSession>>
  /** By server, the sealed id of the leg that the server has forgotten. */
  readonly gone: Map<string, string>
}

/** A leg outlives the row of its session at most; it is ended with it. */
const LONGEST_LEG = 8 * 24 * 3_600_000
const PATIENCE = 5000
const REMEMBERED = 20_000
/** What the client can be asked through us. A task of the client's would be asked for by an id that is nobody's. */
const PASSED = ['roots', 'sampling', 'elicitation']

export function createLegs({ sealKeys, rows, reach, clock, onError, onJoined }: LegNeeds) {
  const joined = new Map<string, Joined>()

  function of({ id }: AggregateSession): Joined {
    const known = joined.get(id)
    if (known !== undefined) return known
    const made: Joined = { owner: undefined, legs: new Map(), opening: new Map(), gone: new Map() }
    if (joined.size >= REMEMBERED) {
      // Its legs are read from the store again when it comes back.
      const [oldest] = joined.keys()
      if (oldest !== undefined) joined.delete(oldest)
    }
    joined.set(id, made)
    return made
  }

  const bindingOf = (session: string, server: string): string => `session-leg\0${session}\0${server}`

  function toLeg({ session, server, sealedId, revision, capabilities }: SessionLeg): Leg | undefined {
    const opened = unseal(sealKeys(), bindingOf(session, server), sealedId)
    // Sealed with a key that is gone: as good as lost.
    if (opened === undefined) return undefined
    const { u } = opened
    return { sealedId, session: { id: typeof u === 'string' ? u : undefined, revision, capabilities } }
  }

  async function open(session: AggregateSession, upstream: RemoteUpstream): Promise<UpstreamSession> {
    const { legs, gone } = of(session)
    const fresh = await openUpstreamSession(upstream, helloFor(session.hello), openingSignal(upstream))
    let kept: Leg | undefined
    try {
      await setLevel(upstream, fresh, { level: session.logLevel, signal: openingSignal(upstream) })
      kept = await keep(session, { upstream, fresh, replaces: gone.get(upstream.id) })
    } finally {
      // Not kept, or another replica was faster: nobody will use it.
      if (kept?.session.id !== fresh.id) closeUpstreamSession(upstream, fresh)
    }
    legs.set(upstream.id, kept)
    gone.delete(upstream.id)
    await onJoined?.(session, upstream, kept.session)
    return kept.session
  }

  /** The leg that holds: ours, or that of a replica that was faster. */
  async function keep(
    { id: session }: AggregateSession,
    opened: { upstream: RemoteUpstream; fresh: UpstreamSession; replaces: string | undefined },
  ): Promise<Leg> {
    const { id: server } = opened.upstream
    const { id, revision, capabilities } = opened.fresh
    const sealedId = seal(sealKeys(), bindingOf(session, server), { u: id ?? null })
    const own = { session, server, sealedId, revision, capabilities }
    let replaces = opened.replaces
    // Twice where the one that holds was sealed with a key that is gone.
    for (let attempt = 0; attempt < 2; attempt++) {
      const kept = await rows.keepLeg(own, replaces, clock() + LONGEST_LEG)
      const leg = kept && toLeg(kept)
      if (leg !== undefined) return leg
      if (kept === undefined) break
      replaces = kept.sealedId
    }
    throw sessionNotFound()
  }

  async function setLevel(
    upstream: RemoteUpstream,
    leg: UpstreamSession,
    { level, signal }: { readonly level: string | undefined; readonly signal: AbortSignal },
  ): Promise<void> {
    if (level === undefined || leg.capabilities['logging'] === undefined) return
    const message = { jsonrpc: '2.0' as const, id: nextId(), method: 'logging/setLevel', params: { level } }
    await askInSession(upstream, leg, { message, signal })
  }

  /** The server as the session's owner reaches it; `undefined` where they do not, and the server goes without what it would be told. */
  async function reachFor(session: string, server: string): Promise<RemoteUpstream | undefined> {
    const owner = joined.get(session)?.owner
    try {
      const upstream = await reach(server, owner && { principal: owner, rawHeaders: [] })
      return upstream?.kind === 'remote' ? upstream : undefined
    } catch (error) {
      if (!isUnreached(error)) onError(error)
      return undefined
    }
  }

  async function closeLeg(row: SessionLeg): Promise<void> {
    const leg = toLeg(row)
    const upstream = leg && (await reachFor(row.session, row.server))
    if (leg !== undefined && upstream !== undefined) closeUpstreamSession(upstream, leg.session)
  }

  return {
    /** Told with each use. */
    owned(session: AggregateSession, owner: Principal): void {
      of(session).owner = owner
    },
    async get(session: AggregateSession, upstream: RemoteUpstream, signal: AbortSignal): Promise<UpstreamSession> {
      const { legs, opening } = of(session)
      const known = legs.get(upstream.id)
      if (known !== undefined) return known.session
      const running = opening.get(upstream.id) ?? open(session, upstream).finally(() => opening.delete(upstream.id))
      opening.set(upstream.id, running)
      return unlessAborted(running, signal)
    },
    lost(session: AggregateSession, { id: server }: RemoteUpstream, lost: UpstreamSession): void {
      const { legs, gone } = of(session)
      const known = legs.get(server)
      // Another call may have opened the next one already.
      if (known === undefined || known.session.id !== lost.id) return
      legs.delete(server)
      gone.set(server, known.sealedId)
    },
    known(session: AggregateSession): ReadonlyMap<string, UpstreamSession> {
      return new Map([...of(session).legs].map(([server, leg]) => [server, leg.session]))
    },
    /** What the store says; another replica may have opened some, or replaced them. */
    learn(session: AggregateSession, stored: readonly SessionLeg[]): void {
      const { legs, gone } = of(session)
      for (const server of legs.keys()) if (!stored.some((row) => row.server === server)) legs.delete(server)
      for (const row of stored) {
        if (legs.get(row.server)?.sealedId === row.sealedId || gone.get(row.server) === row.sealedId) continue
        const leg = toLeg(row)
        if (leg !== undefined) legs.set(row.server, leg)
      }
    },
    forget({ id }: AggregateSession): void {
      joined.delete(id)
    },
    /** Ends sessions at servers, of client sessions that have ended. A server that is configured no more is not asked. */
    close(ended: readonly SessionLeg[]): void {
      for (const row of ended) void closeLeg(row)
      for (const { session } of ended) joined.delete(session)
    },
    /** Ends them at one server alone, where their owner has another account now; the next use opens others. */
    async drop(ended: readonly SessionLeg[]): Promise<void> {
      for (const row of ended) {
        await closeLeg(row)
        joined.get(row.session)?.legs.delete(row.server)
      }
    },
    /** A server that does not take it now is told when its session is opened anew. */
    async tellLogLevel(session: AggregateSession, level: string): Promise<void> {
      const signal = AbortSignal.timeout(PATIENCE)
      const told = [...of(session).legs].map(async ([server, leg]) => {
        const upstream = await reachFor(session.id, server)
        if (upstream !== undefined) await setLevel(upstream, leg.session, { level, signal })
      })
      await Promise.allSettled(told)
    },
  }
}

function helloFor({ revision, capabilities, clientInfo }: ClientHello): ClientHello {
  const passed = Object.entries(capabilities).filter(([name]) => PASSED.includes(name))
  return { revision, capabilities: Object.fromEntries(passed), clientInfo }
}
