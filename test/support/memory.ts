// The few tables that people and pages need, as maps: what the store promises, without a store.
import type { UserRecord, Users } from '../../src/store/durable.ts'
import type { Counters, Tickets } from '../../src/store/ephemeral.ts'

type SignInUsers = Pick<Users, 'find' | 'findByIdentity' | 'upsertByIdentity' | 'createFirstAdministrator'>

export function memoryUsers(): SignInUsers & { readonly rows: Map<string, UserRecord> } {
  const rows = new Map<string, UserRecord>()
  const find = (issuer: string, identity: string) =>
    [...rows.values()].find((user) => user.issuer === issuer && user.identity === identity)
  return {
    rows,
    find: async (id) => rows.get(id),
    findByIdentity: async (issuer, identity) => find(issuer, identity),
    async upsertByIdentity(user) {
      const kept = { ...user, id: find(user.issuer, user.identity)?.id ?? user.id }
      rows.set(kept.id, kept)
      return kept
    },
    async createFirstAdministrator(user) {
      if ([...rows.values()].some((one) => one.administrator)) return false
      rows.set(user.id, user)
      return true
    },
  }
}

export function memoryCounters(): Counters {
  const counts = new Map<string, number>()
  const row = (key: string, windowMs: number, now: number) => `${key}|${Math.floor(now / windowMs)}`
  return {
    async hit(key, windowMs, now) {
      const count = (counts.get(row(key, windowMs, now)) ?? 0) + 1
      counts.set(row(key, windowMs, now), count)
      return count
    },
    async reset(key) {
      for (const name of counts.keys()) if (name.startsWith(`${key}|`)) counts.delete(name)
    },
  }
}

export function memoryTickets(): Tickets & { readonly size: () => number } {
  const tickets = new Map<string, { payload: Record<string, unknown>; expiresAt: number }>()
  const find = (key: string, now: number) => {
    const ticket = tickets.get(key)
    return ticket !== undefined && ticket.expiresAt > now ? ticket.payload : undefined
  }
  return {
    size: () => tickets.size,
    async put({ kind, idHash, payload, expiresAt }) {
      tickets.set(`${kind} ${idHash}`, { payload, expiresAt })
    },
    find: async (kind, idHash, now) => find(`${kind} ${idHash}`, now),
    async take(kind, idHash, now) {
      const payload = find(`${kind} ${idHash}`, now)
      tickets.delete(`${kind} ${idHash}`)
      return payload
    },
  }
}
