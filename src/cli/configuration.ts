// A command that works with the configured store.
import type { LoadedConfig } from '../config/load.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { type Common, loadFor } from './options.ts'

/** Runs with the configured store open, and closes it however that ends. */
export async function withStore<Result>(
  options: Common,
  use: (store: Store, loaded: LoadedConfig) => Promise<Result>,
): Promise<Result> {
  const loaded = await loadFor(options)
  const store = await openStore(loaded.config.store)
  try {
    return await use(store, loaded)
  } finally {
    await store.close()
  }
}
