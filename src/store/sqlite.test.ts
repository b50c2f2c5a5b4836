// The suite over SQLite, in memory and on files.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { storeConformance } from './conformance.ts'
import { openStore } from './open.ts'
import type { Store } from './store.ts'

let memory: Promise<Store> | undefined
storeConformance('sqlite in memory', () => {
  memory ??= openStore({ url: 'sqlite::memory:', directory: '/nowhere' })
  return memory
})

const directory = mkdtempSync(join(tmpdir(), 'portcullis-store-'))
afterAll(() => rmSync(directory, { recursive: true }))
storeConformance('sqlite on files', () => openStore({ url: `sqlite:${join(directory, 'portcullis.db')}`, directory }))
