// What rules say of a principal on a server, said once: whoever proves tokens holds on to the principal, and rules do not change.
import type { Principal } from '../protocol/principal.ts'

/** `server`: of the configured ones, or what is kept has no end. */
export function perPrincipal<Value>(
  find: (server: string, principal: Principal) => Value,
): (server: string, principal: Principal) => Value {
  const kept = new WeakMap<Principal, Map<string, Value>>()
  return (server, principal) => {
    let values = kept.get(principal)
    if (values === undefined) {
      values = new Map()
      kept.set(principal, values)
    }
    let value = values.get(server)
    if (value === undefined) {
      value = find(server, principal)
      values.set(server, value)
    }
    return value
  }
}
