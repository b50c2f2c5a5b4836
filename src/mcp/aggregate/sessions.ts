// Sessions of handshake clients at an address with several servers behind it: a sealed id in the client's hands, a row in the store.
// Any replica opens them; MCP 2025-11-25, Transports: unknown or ended is 404, and the client starts again.
import { randomBytes } from 'node:crypto'
import { isRecord } from '../../protocol/json.ts'
import type { RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import { ANONYMOUS, type Principal } from '../../protocol/principal.ts'
import type { ClientSession } from '../../store/client-sessions.ts'
import { sealedNotes } from '../../tokens/sealed-note.ts'
import type { RemoteUpstream } from '../../upstreams/upstream.ts'
import type { Hearing } from '../bridge/answer-events.ts'
import { askInSession, nextId, type UpstreamSession } from '../bridge/handshake.ts'
import type { ClientHello } from '../bridge/hello.ts'
import { withSession } from '../bridge/with-session.ts'
import { type SessionPlace, sessionNotFound } from '../session.ts'
import { createLegs, type LegNeeds } from './legs.ts'

export interface AggregateSession {
  readonly id: string
  /** What the client has of it. */
  readonly sealedId: string
  readonly subject: string
  /** Whose it is, and at which address: `server` is the virtual server's id, or the aggregate's own name. */
  readonly place: SessionPlace
  readonly hello: ClientHello
  /** What the client has set (`logging/setLevel`); `undefined` before. */
  readonly logLevel: string | undefined
  readonly expiresAt: number
}

export interface AggregateSessions {
  /** The id for the client. Beyond what one person may have, the longest unused sessions of theirs end. */
  begin(place: SessionPlace, hello: ClientHello): Promise<string>
  /** Throws RpcError 404 for an id that is not this principal's at this address: forged, moved, expired or ended, all alike. */
  open(place: SessionPlace, sealedId: string, principal: Principal): Promise<AggregateSession>
  /** Ends it on every replica, and its sessions at the servers. */
  end(session: AggregateSession): Promise<void>
  /** Its session at a server, opened at the first use. Rejects with UpstreamError, or RpcError 404 where it has ended meanwhile. */
  upstreamSession(session: AggregateSession, upstream: RemoteUpstream, signal: AbortSignal): Promise<UpstreamSession>
  /** The server has forgotten it (404): the next use opens another. */
  lost(session: AggregateSession, upstream: RemoteUpstream, gone: UpstreamSession): void
  /** Those that are open, by server. */
  opened(session: AggregateSession): ReadonlyMap<string, UpstreamSession>
  /** One request of ours in it, at a server; a lost session is opened anew, and what may be repeated is. The answer has the message's id. */
  ask(session: AggregateSession, upstream: RemoteUpstream, asking: SessionRequest): Promise<RpcResponse>
  /** MCP 2025-11-25, Logging: told to the servers that are open, and to others when they are. */
  setLogLevel(session: AggregateSession, level: string): Promise<void>
  /** Its client listens: until the answered function is called it is in use, though nothing is asked in it. */
  hold(session: AggregateSession): () => void
  /** The person has another account at the server now, or none: their sessions there end, and the next use opens others. */
  forgetPrincipal(server: string, subject: string): Promise<void>
  /** Ends what has expired. Called on a timer. */
  sweep(): Promise<void>
}

export interface SessionRequest {
  readonly message: RpcRequest
  readonly signal: AbortSignal
  readonly onNotification?: Hearing['onNotification']
}

const HOUR = 3_600_000
const LIFE = 7 * 24 * HOUR
/** Unused for so long, it ends: servers are not asked to keep what nobody comes back to. */
const IDLE = 8 * HOUR
/** How exactly its last use is known. */
const TOUCH = 5 * 60_000
/** How long a row is believed before it is looked up again: the promise of every revocation (5 s). */
const FRESH = 4000
const REMEMBERED = 10_000
/** Of one person; whoever is nobody shares a name with all others. */
const MOST = 100
const MOST_OF_NOBODY = 5000
const BITE = 500

interface Opened {
  readonly session: AggregateSession
  readonly binding: string
  readonly checkedAt: number
  readonly row: ClientSession
}

export function createAggregateSessions(needs: LegNeeds): AggregateSessions {
  const { sealKeys, rows, clock, onError } = needs
  const ids = sealedNotes({ sealKeys, clock, life: LIFE })
  const legs = createLegs(needs)
  // Opening costs more than all the rest: the ids in use are remembered, the least used one goes first.
  const opened = new Map<string, Opened>()
  const held = new Map<symbol, string>()

  function remember(entry: Opened): AggregateSession {
    const { sealedId } = entry.session
    opened.delete(sealedId)
    if (opened.size >= REMEMBERED) {
      const [oldest] = opened.values()
      if (oldest !== undefined) forget(oldest.session)
    }
    opened.set(sealedId, entry)
    return entry.session
  }

  function forget(session: AggregateSession): void {
    opened.delete(session.sealedId)
    legs.forget(session)
  }

  /** Written now and then, and waited for by nobody. */
  function touched(row: ClientSession): ClientSession {
    const now = clock()
    if (now - row.usedAt < TOUCH) return row
    const use = { usedAt: now, expiresAt: expiryOf(row.createdAt, now) }
    rows.touch(row.id, use).catch(onError)
    return { ...row, ...use }
  }

  /** A row of its own: what is remembered of it may have been forgotten while its client listened. */
  async function use(id: string): Promise<void> {
    const found = await rows.find(id, clock())
    if (found !== undefined) touched(found.session)
  }

  async function find(place: SessionPlace, sealedId: string): Promise<AggregateSession> {
    const binding = bindingOf(place)
    const now = clock()
    const seen = opened.get(sealedId)
    const known = seen?.binding === binding ? seen : undefined
    const age = now - (known?.checkedAt ?? 0)
    // Negative after a clock that was set back: then its age cannot be told.
    if (known !== undefined && age >= 0 && age < FRESH && known.row.expiresAt > now) return known.session
    const id = known?.row.id ?? ids.open(binding, sealedId)?.said['i']
    const found = typeof id === 'string' ? await rows.find(id, now) : undefined
    if (found === undefined) {
      if (known !== undefined) forget(known.session)
      throw sessionNotFound()
    }
    const row = touched(found.session)
    const session = sessionOf(row, place, sealedId)
    legs.learn(session, found.legs)
    return remember({ session, binding, row, checkedAt: now })
  }

  const upstreamSession: AggregateSessions['upstreamSession'] = legs.get
  const lost: AggregateSessions['lost'] = legs.lost

  return {
    async begin(place, hello) {
      const now = clock()
      const id = randomBytes(16).toString('base64url')
      const { subject } = place
      const kept = { ...hello }
      const row = { id, subject, hello: kept, logLevel: undefined, createdAt: now, usedAt: now }
      const most = subject === ANONYMOUS.subject ? MOST_OF_NOBODY : MOST
      legs.close(await rows.begin({ ...row, expiresAt: expiryOf(now, now) }, most))
      return ids.seal(bindingOf(place), { i: id })
    },
    async open(place, sealedId, principal) {
      const session = await find(place, sealedId)
      legs.owned(session, principal)
      return session
    },
    async end(session) {
      opened.delete(session.sealedId)
      legs.close(await rows.end(session.id))
      legs.forget(session)
    },
    forgetPrincipal: async (server, subject) => legs.drop(await rows.endLegs(subject, server)),
    upstreamSession,
    lost,
    opened: legs.known,
    async ask(session, upstream, { message, signal, onNotification }) {
      const source = {
        get: () => upstreamSession(session, upstream, signal),
        lost: (gone: UpstreamSession) => lost(session, upstream, gone),
      }
      const own = { ...message, id: nextId() }
      const response = await withSession(source, { method: message.method, signal }, (leg) =>
        askInSession(upstream, leg, { message: own, signal, onNotification }),
      )
      return { ...response, id: message.id }
    },
    async setLogLevel(session, level) {
      await rows.setLogLevel(session.id, level)
      const known = opened.get(session.sealedId)
      if (known !== undefined) {
        const row = { ...known.row, logLevel: level }
        remember({ ...known, row, session: sessionOf(row, session.place, session.sealedId) })
      }
      await legs.tellLogLevel(session, level)
    },
    hold({ id }) {
      const listening = Symbol(id)
      held.set(listening, id)
      return () => void held.delete(listening)
    },
    async sweep() {
      for (const id of new Set(held.values())) await use(id)
      legs.close(await rows.endExpired(clock(), BITE))
    },
  }
}

const expiryOf = (createdAt: number, usedAt: number): number => Math.min(createdAt + LIFE, usedAt + IDLE)

const bindingOf = ({ subject, server }: SessionPlace): string => `aggregate-session\0${subject}\0${server}`

function sessionOf(row: ClientSession, place: SessionPlace, sealedId: string): AggregateSession {
  const { id, subject, logLevel, expiresAt } = row
  return { id, sealedId, subject, place, hello: parseHello(row), logLevel, expiresAt }
}

function parseHello({ hello: { revision, capabilities, clientInfo } }: ClientSession): ClientHello {
  if (typeof revision !== 'string' || !isRecord(capabilities) || !isRecord(clientInfo))
    throw new TypeError('The stored session does not hold a handshake.')
  return { revision, capabilities, clientInfo }
}
