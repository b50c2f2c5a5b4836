// What connections to servers behind the gate need of this machine and of the house.

import { kindOfAddress } from '../http/address-kind.ts'
import { isWithinRanges } from '../http/address-ranges.ts'
import { readClientTlsFiles } from '../http/client-tls-files.ts'
import { watchFolders } from '../http/watched-folders.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Surroundings } from '../upstreams/network/connect.ts'
import { type Resolve, systemNames } from '../upstreams/network/names.ts'

interface Needs {
  readonly clock: Clock
  readonly log: Surroundings['log']
  /** What names mean, where it is not the system that knows. */
  readonly resolve?: Resolve | undefined
}

export const surroundings = ({ clock, log, resolve = systemNames() }: Needs): Surroundings => ({
  clock,
  log,
  resolve,
  kindOf: kindOfAddress,
  isWithin: isWithinRanges,
  readTls: readClientTlsFiles,
  watch: watchFolders,
})
