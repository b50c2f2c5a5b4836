// What host names mean to whatever the gate asks.
import { type Resolve, systemNames } from '../upstreams/network/names.ts'

export interface Names {
  /** Those that the administrator wrote; they may be known to this machine alone. */
  readonly resolve: Resolve
  /** Those that strangers made up. */
  readonly resolvePublic: Resolve
}

/** `resolve`: where it is not the system that knows. */
export const namesOf = (resolve?: Resolve): Names => ({
  resolve: resolve ?? systemNames(),
  // Not of the C library: a name that nobody answers for holds up all others there.
  resolvePublic: resolve ?? systemNames({ askSystem: async () => [] }),
})
