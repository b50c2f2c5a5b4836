// Session ids of the handshake era, sealed: any replica opens them, nobody else can make, read or move one.
// MCP 2025-11-25, Transports: visible ASCII; unknown or ended is 404, and the client starts again.
import { createHash } from 'node:crypto'
import { RpcError } from '../protocol/errors.ts'
import { isRecord } from '../protocol/json.ts'
import { LEGACY_RPC } from '../protocol/mcp.ts'
import type { Marks } from '../store/ephemeral.ts'
import { type SealKey, seal, unseal } from '../tokens/seal.ts'
import { type Askable, askable } from './held/askable.ts'

export interface Session {
  /** Session id as the upstream knows it; for a server at a channel one of our own. */
  readonly upstream: string
  /** Protocol revision that the client asked for, or was answered where we answer ourselves. */
  readonly revision: string
  /** Replica and boot where a live process is needed; `undefined` when any replica may serve it. */
  readonly owner: string | undefined
  /** What the client can be asked, where it is we who ask it. */
  readonly askable?: Askable | undefined
  readonly expiresAt: number
}

interface Needs {
  /** AES-256 keys, newest first: the first seals, all open. */
  sealKeys(): readonly SealKey[]
  readonly marks: Marks
  readonly now: () => number
}

/** To whom and where a session belongs. */
export interface SessionPlace {
  readonly subject: string
  readonly server: string
}

export interface Sessions {
  seal(place: SessionPlace, session: Omit<Session, 'expiresAt'>): string
  /** Throws RpcError 404 for an id that is not this principal's on this server: forged, moved, expired or deleted, all alike. */
  open(place: SessionPlace, id: string): Promise<Session>
  /** Whether the id was sealed for this place; it may have ended since. */
  isOne(place: SessionPlace, id: string): boolean
  /** Ends it on every replica. */
  end(id: string, session: Session): Promise<void>
}

const LIFE = 7 * 24 * 3600 * 1000
const REMEMBERED = 10_000
/** How long an opened id is believed before its tombstone is looked up again: the promise of every revocation (5 s). */
const FRESH = 4000

interface Opened {
  readonly session: Session
  readonly place: string
  checkedAt: number
}

export function createSessions({ sealKeys, marks, now }: Needs): Sessions {
  // Opening costs as much as half the request around it: the ids in use are remembered, the least used one goes first.
  const opened = new Map<string, Opened>()
  const remember = (id: string, entry: Opened): void => {
    opened.delete(id)
    if (opened.size >= REMEMBERED) {
      const [oldest] = opened.keys()
      if (oldest !== undefined) opened.delete(oldest)
    }
    opened.set(id, entry)
  }
  return {
    seal(place, session) {
      const payload = {
        u: session.upstream,
        r: session.revision,
        o: session.owner,
        a: session.askable,
        e: now() + LIFE,
      }
      return seal(sealKeys(), bindingOf(place), payload)
    },
    isOne(place, id) {
      const binding = bindingOf(place)
      return opened.get(id)?.place === binding || parseSession(unseal(sealKeys(), binding, id)) !== undefined
    },
    async open(place, id) {
      const binding = bindingOf(place)
      const known = opened.get(id)
      const session = known?.place === binding ? known.session : parseSession(unseal(sealKeys(), binding, id))
      if (session === undefined || session.expiresAt <= now()) throw sessionNotFound()
      const age = now() - (known?.checkedAt ?? 0)
      // Negative after a clock that was set back: then its age cannot be told.
      if (known?.place === binding && age >= 0 && age < FRESH) return session
      if (await marks.isSeen(tombstone(id), now())) {
        opened.delete(id)
        throw sessionNotFound()
      }
      remember(id, { session, place: binding, checkedAt: now() })
      return session
    },
    async end(id, session) {
      opened.delete(id)
      await marks.markSeen(tombstone(id), session.expiresAt, now())
    },
  }
}

/** One answer for every cause: which check failed is no caller's business. */
export const sessionNotFound = () =>
  new RpcError(LEGACY_RPC.sessionNotFound, 'session_not_found', 'Session not found', { status: 404 })

/** The process that a session needs, told by its id alone; `undefined` where any will do, or it is not this principal's. */
export const ownerOfSession = (keys: readonly SealKey[], place: SessionPlace, id: string): string | undefined =>
  parseSession(unseal(keys, bindingOf(place), id))?.owner

const bindingOf = ({ subject, server }: SessionPlace): string => `mcp-session\0${subject}\0${server}`
const tombstone = (id: string): string => `session:${createHash('sha256').update(id).digest('base64url')}`

function parseSession(payload: Record<string, unknown> | undefined): Session | undefined {
  const { u, r, o, a, e } = payload ?? {}
  if (typeof u !== 'string' || typeof r !== 'string' || typeof e !== 'number') return undefined
  const owner = typeof o === 'string' ? o : undefined
  return { upstream: u, revision: r, owner, askable: isRecord(a) ? askable(a) : undefined, expiresAt: e }
}
