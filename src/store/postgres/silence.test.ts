// Whoever is about to end waits for a PostgreSQL that answers, and not for one that is there and says nothing.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../test/support/postgres.ts'
import { StoreUnavailable } from '../../protocol/errors.ts'
import { openStore } from '../open.ts'
import type { Store } from '../store.ts'

let directory: string
let postgres: PostgresServer
let store: Store
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-silence-'))
  postgres = await startPostgres()
  store = await openStore({ url: postgres.url, directory })
})
afterEach(async () => {
  await store?.close()
  await postgres?.stop()
  rmSync(directory, { recursive: true })
})

const ask = () => store.records.newest(1)
async function restart(): Promise<void> {
  await postgres.crash()
  await postgres.up()
}

it('one that answers goes on being asked', async () => {
  store.heedSilence()
  expect(await ask()).toEqual([])
  await postgres.down()
  await expect(ask()).rejects.toThrow(StoreUnavailable)
  await postgres.up()
  expect(await ask()).toEqual([])
})

it('one that says nothing is given up for good: what waits is told so, and what comes later', async () => {
  expect(await ask()).toEqual([])
  postgres.freeze()
  store.heedSilence()
  await expect(ask()).rejects.toThrow(StoreUnavailable)
  await expect(store.check()).rejects.toThrow(StoreUnavailable)
  await restart()
  await expect(ask()).rejects.toThrow(StoreUnavailable)
})

it('and is asked again when it is back, where nobody is about to end', async () => {
  expect(await ask()).toEqual([])
  postgres.freeze()
  await expect(ask()).rejects.toThrow(StoreUnavailable)
  await restart()
  expect(await ask()).toEqual([])
})
