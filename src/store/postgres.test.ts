// The suite over PostgreSQL, two replicas.
import { afterAll } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../test/support/postgres.ts'
import { storeConformance } from './conformance.ts'
import { openStore } from './open.ts'

let database: Promise<FreshDatabase> | undefined
storeConformance('postgres', async () => {
  database ??= freshDatabase()
  return openStore({ url: (await database).url, directory: '/nowhere' })
})
afterAll(async () => (await database)?.drop())
