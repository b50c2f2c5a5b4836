// Two stores over one database, and races between them.
import { randomUUID } from 'node:crypto'
import type { FamilyRecord, RefreshRecord } from '../durable.ts'
import type { Store } from '../store.ts'

export interface Pair {
  readonly one: Store
  readonly two: Store
  /** Runs `act` this many times at once, on either store in turn. */
  race<T>(racers: number, act: (store: Store, racer: number) => Promise<T>): Promise<T[]>
}

export const pairOf = (one: Store, two: Store): Pair => ({
  one,
  two,
  race: (racers, act) =>
    Promise.all(Array.from({ length: racers }, (_, racer) => act(racer % 2 === 0 ? one : two, racer))),
})

/** A name nobody else in the suite has. */
export const fresh = (what: string): string => `${what}-${randomUUID()}`

export const NOW = 1_800_000_000_000

export async function savedFamily(store: Store, given: Partial<FamilyRecord> = {}): Promise<FamilyRecord> {
  const payload = { resources: { 'https://mcp.example.com/mcp': 'mcp:tools' } }
  const family = { id: fresh('family'), subject: 'ann', client: 'inspector', payload, expiresAt: NOW + 1000, ...given }
  await store.durable.families.save(family)
  return family
}

export const refreshRecord = (family: string, given: Partial<RefreshRecord> = {}): RefreshRecord => ({
  idHash: fresh('refresh'),
  family,
  payload: { grantId: family, scope: 'mcp:tools', text: 'ünïcode \u0000 "quoted"' },
  familySecret: 'secret-of-the-family',
  expiresAt: NOW + 1000,
  ...given,
})

export async function addedRefresh(
  store: Store,
  family: string,
  given: Partial<RefreshRecord> = {},
): Promise<RefreshRecord> {
  const record = refreshRecord(family, given)
  await store.durable.refreshTokens.add(record)
  return record
}
