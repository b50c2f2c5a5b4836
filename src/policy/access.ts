// What a claim of the caller allows by itself (`policy.resourceAccess`), as realms of Keycloak write it:
// `resource_access: { "server": { "roles": ["tool:add", "prompt:greet"] } }`. A role without a prefix is a tool.
import { claimAt } from '../protocol/claims.ts'
import type { Call } from '../protocol/decision.ts'
import { isRecord } from '../protocol/json.ts'
import type { Principal } from '../protocol/principal.ts'

/** The rule that such a decision names. */
export const RESOURCE_ACCESS = 'resource_access'

export interface Claimed {
  readonly kind: 'tool' | 'prompt'
  readonly name: string
}

export interface ClaimedAccess {
  /** What the caller's roles at the server allow; none for a claim of another shape. */
  list(principal: Principal, server: string): readonly Claimed[]
  allows(call: Call): boolean
}

/** `nameOf`: what claims call a server. */
export function claimedAccess(path: string | undefined, nameOf: (server: string) => string): ClaimedAccess {
  if (path === undefined) return { list: () => [], allows: () => false }
  const list = ({ claims }: Principal, server: string) =>
    claims === undefined ? [] : rolesIn(claimAt(claims, path), nameOf(server)).map(claimedBy)
  return {
    list,
    allows: ({ principal, server, kind, name }) =>
      (kind === 'tool' || kind === 'prompt') &&
      list(principal, server).some((claimed) => claimed.kind === kind && claimed.name === name),
  }
}

function rolesIn(access: unknown, server: string): readonly string[] {
  const entry = isRecord(access) && Object.hasOwn(access, server) ? access[server] : undefined
  const roles: unknown = isRecord(entry) && Object.hasOwn(entry, 'roles') ? entry['roles'] : undefined
  return Array.isArray(roles) ? roles.filter((role): role is string => typeof role === 'string') : []
}

function claimedBy(role: string): Claimed {
  if (role.startsWith('prompt:')) return { kind: 'prompt', name: role.slice('prompt:'.length) }
  return { kind: 'tool', name: role.startsWith('tool:') ? role.slice('tool:'.length) : role }
}
