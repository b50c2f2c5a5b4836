// The options every command shares, and the configuration they lead to. Loads no store: looking at a configuration needs none.
import { type Flags, type LoadedConfig, loadConfig } from '../config/load.ts'
import type { Environment } from '../config/substitute.ts'

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

export const loadFor = (options: Common, env: Environment = process.env): Promise<LoadedConfig> =>
  loadConfig({ flags: flagsOf(options), env, cwd: process.cwd() })

function flagsOf({ config, listen, url, logLevel, set, seeds }: Common): Flags {
  const settings = {
    ...(listen !== undefined && { 'server.listen': listen }),
    ...(url !== undefined && { 'server.url': url }),
    ...(logLevel !== undefined && { 'log.level': logLevel }),
    ...set,
  }
  return { config, settings, seeds }
}
