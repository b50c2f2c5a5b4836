// The configuration a command works with, and its store: what its options, the environment and the current folder say.
import { type LoadedConfig, loadConfig } from '../config/load.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import type { Common } from './options.ts'
import { flagsOf } from './options.ts'

export const loadFor = (options: Common): Promise<LoadedConfig> =>
  loadConfig({ flags: flagsOf(options), env: process.env, cwd: process.cwd() })

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
