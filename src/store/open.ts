// Opens the store that the configuration names. The only file outside their own folders that knows which backends there are.
import { OperatorError } from '../protocol/errors.ts'
import type { Store } from './store.ts'

interface Location {
  /** `sqlite:PATH`, `sqlite::memory:` (gone with the process) or `postgres://…`. */
  readonly url: string
  /** Folder of the audit database that SQLite keeps beside its state. */
  readonly directory: string
}

export async function openStore({ url, directory }: Location): Promise<Store> {
  // Loaded on demand: a backend that is not used should cost neither start-up time nor memory.
  if (url.startsWith('sqlite:')) {
    const { openSqlite } = await import('./sqlite/store.ts')
    return openSqlite({ path: url.slice('sqlite:'.length), directory })
  }
  if (/^postgres(ql)?:\/\//.test(url)) {
    const { openPostgres } = await import('./postgres/store.ts')
    return openPostgres(url)
  }
  // The address may hold a password, and is not repeated.
  throw new OperatorError('store.url names no store. Write sqlite:PATH or postgres://USER:PASSWORD@HOST:5432/DATABASE')
}
