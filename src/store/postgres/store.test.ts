// What an operator meets at the start of a store on PostgreSQL, and what a caller meets while the server is away.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../test/support/postgres.ts'
import { OperatorError, StoreUnavailable } from '../../protocol/errors.ts'
import { openPostgres } from './store.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())

const changed = (change: (url: URL) => void): string => {
  const url = new URL(server.url)
  change(url)
  return url.href
}

async function failureOfOpening(url: string): Promise<OperatorError> {
  const failure = await openPostgres(url).catch((error: unknown) => error)
  if (failure instanceof OperatorError) return failure
  throw new Error(`Opened, or failed in another way: ${failure}`)
}

async function query(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  await client.query(statement)
  await client.end()
}

describe('opening PostgreSQL', () => {
  it('says that the server cannot be reached', async () => {
    const { message } = await failureOfOpening('postgres://ann:hidden@127.0.0.1:1/db')
    expect(message).toContain('PostgreSQL at 127.0.0.1:1 cannot be reached (ECONNREFUSED)')
    expect(message).not.toContain('hidden')
  })

  it('says that the sign-in is refused, without the password', async () => {
    const wrong = changed((url) => {
      url.password = 'hidden-and-wrong'
    })
    const failure = await failureOfOpening(wrong)
    expect(failure.message).toContain('refuses the sign-in of postgres')
    expect(`${failure.message} ${failure.stack} ${failure.cause}`).not.toContain('hidden-and-wrong')
  })

  it('says which database is missing', async () => {
    const missing = changed((url) => {
      url.pathname = '/nowhere'
    })
    expect((await failureOfOpening(missing)).message).toContain('has no database nowhere. Create it: createdb')
  })

  it('does not repeat an address that it cannot read', async () => {
    const failure = await failureOfOpening('postgres://ann:hid%zzden@host:notaport/db')
    expect(failure.message).toContain('is not a PostgreSQL address')
    expect(failure.cause).toBeUndefined()
  })

  it('says that tables may not be created', async () => {
    await query("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    const guest = changed((url) => {
      url.username = 'guest'
      url.password = 'guest'
    })
    expect((await failureOfOpening(guest)).message).toContain('guest may not create tables in the database postgres')
  })

  it('lets ten replicas start on an empty database at once', async () => {
    await query('CREATE DATABASE racing')
    const racing = changed((url) => {
      url.pathname = '/racing'
    })
    const stores = await Promise.all(Array.from({ length: 10 }, () => openPostgres(racing)))
    await stores[0]?.durable.clients.save({ id: 'a', metadata: {}, createdAt: 1 })
    expect(await stores[9]?.durable.clients.count()).toBe(1)
    await Promise.all(stores.map((store) => store.close()))
  })

  it('refuses a database of a later release', async () => {
    await (await openPostgres(server.url)).close()
    await query("INSERT INTO state_migrations (name, timestamp) VALUES ('0099-future', '2030')")
    const { message } = await failureOfOpening(server.url)
    expect(message).toContain('was written by a later release of Portcullis (its schema has 0099-future')
    await query("DELETE FROM state_migrations WHERE name = '0099-future'")
  })
})

describe('a server that goes away', () => {
  it('makes the store unavailable, and the store works again when it is back', async () => {
    const store = await openPostgres(server.url)
    await store.durable.clients.save({ id: 'kept', metadata: {}, createdAt: 1 })
    await server.down()
    const revocation = { kind: 'jti' as const, value: 'x', at: 1, expiresAt: 2 }
    await expect(store.durable.clients.find('kept')).rejects.toThrow(StoreUnavailable)
    await expect(store.durable.revocations.add(revocation)).rejects.toThrow(StoreUnavailable)
    await expect(store.records.append([{ id: 'a', line: 'a' }])).rejects.toThrow(StoreUnavailable)
    await expect(store.check()).rejects.toThrow(StoreUnavailable)
    await server.up()
    await store.check()
    expect((await store.durable.clients.find('kept'))?.id).toBe('kept')
    expect(await store.durable.revocations.add(revocation)).toBe(1)
    await store.close()
  })

  it('survives connections that are ended under it, idle and at work', async () => {
    const store = await openPostgres(server.url)
    await Promise.all(Array.from({ length: 5 }, () => store.check()))
    const revoke = () => store.durable.families.revoke('none', 1, 2)
    const work = Promise.allSettled(Array.from({ length: 200 }, revoke))
    await query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'portcullis'")
    for (const outcome of await work)
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(StoreUnavailable)
    const last = await Promise.allSettled([store.check()])
    // The pool may hand out one more connection whose end it has not heard of yet.
    if (last[0].status === 'rejected') expect(last[0].reason).toBeInstanceOf(StoreUnavailable)
    await store.check()
    await store.close()
    await store.close()
    await expect(store.check()).rejects.toThrow(StoreUnavailable)
  })

  it('stays a bug where the statement is at fault', async () => {
    const store = await openPostgres(server.url)
    const key = { id: 'k', use: 'seal' as const, material: '', createdAt: 1, activeAt: 1, retireAt: undefined }
    await store.durable.keys.add(key)
    const failure = await store.durable.keys.add(key).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Error)
    expect(failure).not.toBeInstanceOf(StoreUnavailable)
    await store.close()
  })
})
