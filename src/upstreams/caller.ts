// For whom a server is asked: what credentials, identity and processes hang on.
import { networkOf } from '../protocol/network.ts'
import type { Principal } from '../protocol/principal.ts'

export interface Caller {
  readonly principal: Principal
  /** Header fields of the request that is served, names and values in turn, as they came; empty where there is none. */
  readonly rawHeaders: readonly string[]
  /** Where that request comes from, past proxies that are trusted; absent where there is none. */
  readonly address?: string | undefined
}

/** By whom the calls are counted that are under way at a server: nobody knows who has not signed in, but from which network they come. */
export const countedAs = ({ principal: { kind, subject }, address = '' }: Caller): string =>
  kind === 'anonymous' ? `${subject}\0${networkOf(address)}` : subject
