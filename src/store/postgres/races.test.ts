// Races that need an open transaction in the middle: held by hand, so that the other side arrives exactly then.
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/support/postgres.ts'
import { addedRefresh, fresh, NOW, refreshRecord, savedFamily } from '../conformance/pair.ts'
import type { KeyRecord } from '../durable.ts'
import type { Act } from '../sql.ts'
import type { Store } from '../store.ts'
import { refreshActs } from './refresh-tokens.ts'
import { openPostgres } from './store.ts'

let database: FreshDatabase
let store: Store
let holder: pg.Client
beforeAll(async () => {
  database = await freshDatabase()
  store = await openPostgres(database.url)
  holder = new pg.Client({ connectionString: database.url })
  await holder.connect()
})
afterAll(async () => {
  await holder.end()
  await store.close()
  await database.drop()
})

/** Does `acts` in a transaction, starts `other` while it is open, and commits once `other` waits for it. */
async function heldAgainst<T>(acts: readonly Act[], other: () => Promise<T>): Promise<T> {
  await holder.query('BEGIN')
  for (const { text, values } of acts) await holder.query(text, [...values])
  const outcome = other()
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
  while ((await holder.query(waiting)).rowCount === 0) await new Promise(setImmediate)
  await holder.query('COMMIT')
  return outcome
}

it('a revocation that arrives during a rotation takes the successor with it', async () => {
  const family = await savedFamily(store)
  const old = await addedRefresh(store, family.id)
  const next = refreshRecord(family.id)
  const rotation = refreshActs.rotate({ oldHash: old.idHash, next, now: NOW })
  await heldAgainst(rotation, () => store.durable.families.revoke(family.id, NOW, NOW + 500))
  expect(await store.durable.refreshTokens.find(old.idHash, NOW)).toBeUndefined()
  expect(await store.durable.refreshTokens.find(next.idHash, NOW)).toBeUndefined()
})

it('a rotation that arrives during a revocation finds nothing to rotate', async () => {
  const family = await savedFamily(store)
  const old = await addedRefresh(store, family.id)
  const next = refreshRecord(family.id)
  const revocation = [{ text: 'DELETE FROM families WHERE id = $1', values: [family.id] }]
  const rotation = { oldHash: old.idHash, next, now: NOW, windowStart: 0 }
  const rotated = await heldAgainst(revocation, () => store.durable.refreshTokens.rotate(rotation))
  expect(rotated).toEqual({ status: 'unknown' })
  expect(await store.durable.refreshTokens.find(next.idHash, NOW)).toBeUndefined()
})

it('a revocation that arrives during an issuance takes the new token with it', async () => {
  const family = await savedFamily(store)
  const token = refreshRecord(family.id)
  await heldAgainst(refreshActs.add(token), () => store.durable.families.revoke(family.id, NOW, NOW + 500))
  expect(await store.durable.refreshTokens.find(token.idHash, NOW)).toBeUndefined()
})

it('a replica that arrives while another makes the first key gets that key', async () => {
  const key = (): KeyRecord => ({
    id: fresh('key'),
    use: 'signing',
    material: '{}',
    createdAt: NOW,
    activeAt: NOW,
    retireAt: undefined,
  })
  const [first, second] = [key(), key()]
  const making = [
    { text: "UPDATE epochs SET n = n + 1 WHERE name = 'keys'", values: [] },
    {
      text: "INSERT INTO keyring (id, key_use, material, created_at, active_at) VALUES ($1, 'signing', '{}', $2, $2)",
      values: [first.id, NOW],
    },
  ]
  expect(await heldAgainst(making, () => store.durable.keys.ensure(second))).toEqual([first])
})

it('a reader never sees a number while a lower one is still to come', async () => {
  const { epoch } = await store.durable.revocations.since(0)
  const slow = [
    { text: "UPDATE epochs SET n = n + 1 WHERE name = 'revocations'", values: [] },
    {
      text: `INSERT INTO revocations (kind, value, n, revoked_at, expires_at)
        SELECT 'jti', 'slow', n, $1, $1 FROM epochs WHERE name = 'revocations'`,
      values: [NOW],
    },
  ]
  const fast = { kind: 'jti' as const, value: 'fast', at: NOW, expiresAt: NOW }
  const number = await heldAgainst(slow, async () => {
    expect(await store.durable.revocations.since(epoch)).toEqual({ epoch, entries: [] })
    return store.durable.revocations.add(fast)
  })
  expect(number).toBe(epoch + 2)
  const { entries } = await store.durable.revocations.since(epoch)
  expect(entries.map(({ value }) => value)).toEqual(['slow', 'fast'])
})
