// What rules say of a principal on a server, said once: whoever proves tokens holds on to the principal, and rules do not change.
import type { Principal } from '../protocol/principal.ts'

/** About ten megabytes. Tokens are held by the thousand, and each may look at every server: what is kept of all pairs has to have an end. */
const MOST_PAIRS = 20_000

/** `server`: of the configured ones; what callers make up would drive out the others. */
export function perPrincipal<Value>(
  find: (server: string, principal: Principal) => Value,
  most = MOST_PAIRS,
): (server: string, principal: Principal) => Value {
  let kept = new WeakMap<Principal, Map<string, Value>>()
  let pairs = 0

  function keep(server: string, principal: Principal, value: Value): void {
    // All at once: which of them are in use would cost more to know than to find them again.
    if (pairs >= most) {
      kept = new WeakMap()
      pairs = 0
    }
    pairs += 1
    const values = kept.get(principal)
    if (values === undefined) kept.set(principal, new Map([[server, value]]))
    else values.set(server, value)
  }

  return (server, principal) => {
    // Made for one request: to keep it costs twice what finding it does.
    if (principal.capabilities !== undefined || principal.beside !== undefined) return find(server, principal)
    const known = kept.get(principal)?.get(server)
    if (known !== undefined) return known
    const value = find(server, principal)
    keep(server, principal, value)
    return value
  }
}
