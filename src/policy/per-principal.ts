// What rules say of a principal on a server, said once: whoever proves tokens holds on to the principal, and rules do not change.
import type { Principal } from '../protocol/principal.ts'
import { KeptPairs } from './kept-pairs.ts'

/** About ten megabytes. Tokens are held by the thousand, and each may look at every server: what is kept of all pairs has to have an end. */
const MOST_PAIRS = 20_000

/** `server`: of the configured ones; what callers make up would drive out the others. */
export function perPrincipal<Value>(
  find: (server: string, principal: Principal) => Value,
  most = MOST_PAIRS,
): (server: string, principal: Principal) => Value {
  const known = new KeptPairs<Principal, Value>(most)

  return (server, principal) => {
    // Made for one request: to keep it costs twice what finding it does.
    if (principal.capabilities !== undefined || principal.beside !== undefined) return find(server, principal)
    const before = known.find(principal, server)
    if (before !== undefined) return before
    const value = find(server, principal)
    known.keep(principal, server, value)
    return value
  }
}
