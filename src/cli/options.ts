// What commander read, as the loader of the configuration takes it.
import type { Flags } from '../config/load.ts'

/** Options of every command that reads the configuration. */
export interface Common {
  readonly config?: string
  readonly listen?: string
  readonly url?: string
  readonly logLevel?: string
  readonly set?: Readonly<Record<string, string>>
  /** Go-style flags of other systems. */
  readonly seeds: Readonly<Record<string, string>>
}

export function flagsOf({ config, listen, url, logLevel, set, seeds }: Common): Flags {
  const settings = {
    ...(listen !== undefined && { 'server.listen': listen }),
    ...(url !== undefined && { 'server.url': url }),
    ...(logLevel !== undefined && { 'log.level': logLevel }),
    ...set,
  }
  return { config, settings, seeds }
}
