// For whom a server is asked: what credentials, identity and processes hang on.
import type { Principal } from '../protocol/principal.ts'

export interface Caller {
  readonly principal: Principal
  /** Header fields of the request that is served, names and values in turn, as they came; empty where there is none. */
  readonly rawHeaders: readonly string[]
  /** Where that request comes from, past proxies that are trusted; absent where there is none. */
  readonly address?: string | undefined
}
