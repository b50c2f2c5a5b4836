// Which tokens are dead before their time. Held in memory, numbered by the store, polled: no token is checked with a query.
import { CLOCK_GRACE, type Clock } from '../protocol/clock.ts'
import type { Revocation, RevocationKind, Revocations } from '../store/durable.ts'
import type { AccessToken } from './access-token.ts'

const POLL = 2000

export interface RevocationList {
  /** Grows with every revocation; what was checked at this number need not be checked again. */
  epoch(): number
  isRevoked(token: Pick<AccessToken, 'jti' | 'family' | 'client' | 'subject' | 'issuedAt'>): boolean
  /** The store has not answered for longer than `staleAfter`: nothing can be said any more. */
  isStale(): boolean
  /** Reads what is new now; after a revocation of our own. */
  poll(): Promise<void>
  /** After each poll that brought something. */
  onChange(listener: () => void): void
  close(): void
}

interface Needs {
  readonly revocations: Revocations
  readonly clock: Clock
  /** Milliseconds without an answer of the store after which the gate refuses. */
  readonly staleAfter: number
  onError(error: unknown): void
}

export async function openRevocationList({ revocations, clock, staleAfter, onError }: Needs): Promise<RevocationList> {
  const held: Record<RevocationKind, Map<string, Revocation>> = {
    jti: new Map(),
    family: new Map(),
    client: new Map(),
    subject: new Map(),
  }
  const listeners: (() => void)[] = []
  let epoch = 0
  // Monotonic: a clock that jumps must not make the list look fresh, or stale.
  let answeredAt = performance.now()
  let running: Promise<void> | undefined

  async function read(): Promise<void> {
    const news = await revocations.since(epoch)
    answeredAt = performance.now()
    for (const entry of news.entries) held[entry.kind].set(entry.value, entry)
    if (news.epoch === epoch) return
    epoch = news.epoch
    for (const listener of listeners) listener()
  }

  /** A poll that began before the caller's own write may have missed it: wait for that one, then read again. */
  async function poll(): Promise<void> {
    const before = running
    const mine = (async () => {
      await before?.catch(() => undefined)
      await read()
    })()
    running = mine
    return mine
  }

  function forgetExpired(): void {
    const now = clock()
    for (const map of Object.values(held))
      for (const [value, entry] of map) if (entry.expiresAt + CLOCK_GRACE <= now) map.delete(value)
  }

  const hits = (kind: RevocationKind, value: string | undefined, issuedAt: number): boolean => {
    if (value === undefined) return false
    const entry = held[kind].get(value)
    return entry !== undefined && (kind === 'jti' || kind === 'family' || issuedAt <= entry.at)
  }

  await poll()
  const timer = setInterval(() => void poll().catch(onError), POLL)
  const sweep = setInterval(forgetExpired, 60_000)
  timer.unref()
  sweep.unref()
  return {
    epoch: () => epoch,
    isRevoked: (token) =>
      hits('jti', token.jti, token.issuedAt) ||
      hits('family', token.family, token.issuedAt) ||
      hits('client', token.client, token.issuedAt) ||
      hits('subject', token.subject, token.issuedAt),
    isStale: () => performance.now() - answeredAt > staleAfter,
    poll,
    onChange: (listener) => void listeners.push(listener),
    close: () => {
      clearInterval(timer)
      clearInterval(sweep)
    },
  }
}
