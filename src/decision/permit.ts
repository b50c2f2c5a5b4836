// May this caller use this resource at all, and what is the server behind told of them? Asked with every request of a page or a session,
// so the answer is kept for as long as nothing it rests on has changed.
import type { Policy } from '../policy/policy.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Call } from '../protocol/decision.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Assertion } from '../tokens/assertion.ts'
import { identityHeaders } from './identity-headers.ts'
import type { Protected } from './protected.ts'
import { passed, type Verdict } from './verdict.ts'

export interface Permit {
  readonly verdict: Verdict
  /** `some`: there are rules or scopes for single tools, so that each call has to be looked at. */
  readonly view: 'all' | 'some'
}

export interface PermitNeeds {
  readonly policy: Pick<Policy, 'view'>
  /** Calls of the server have to be looked at whatever the rules: scopes open some and not others, or it has an oldest revision. */
  tellsCallsApart(principal: Principal, server: string): boolean
  /** Throws BearerError `insufficient_scope`. */
  checkScopes(principal: Principal, call: Call): void
  mintAssertion(principal: Principal, audience: string): Assertion
  /** A list of the caller is longer than a head may be, and is left out. */
  onOmitted(principal: Principal, fields: readonly string[]): void
  readonly clock: Clock
}

interface Held extends Permit {
  readonly principal: Principal
  readonly until: number
}

/** At all places together: hosts below a wildcard are as many as callers like to name. */
const MOST_HELD = 20_000

/** Throws RequestError 403 or BearerError. */
export function permits(needs: PermitNeeds, most = MOST_HELD): (principal: Principal, place: Protected) => Permit {
  const { clock } = needs
  let held = new WeakMap<Protected, Map<string, Held>>()
  let count = 0

  function keep(place: Protected, key: string, made: Held): void {
    // All at once: which of them are in use would cost more to know than to make them again.
    if (count >= most) {
      held = new WeakMap()
      count = 0
    }
    const known = held.get(place) ?? new Map<string, Held>()
    held.set(place, known)
    if (!known.has(key)) count += 1
    known.set(key, made)
  }

  return function permit(principal, place) {
    const key = principal.tokenId ?? principal.subject
    const before = held.get(place)?.get(key)
    if (before !== undefined && clock() < before.until && isUnchanged(before.principal, principal)) return before
    const view = checkPlace(needs, principal, place)
    const { verdict, until } = introduce(needs, principal, place)
    const made = { verdict, view, principal, until }
    keep(place, key, made)
    return made
  }
}

/** Who it is stays the same while the lists are the very same lists: they are read anew every few seconds. */
const RESTS_ON = ['kind', 'subject', 'email', 'name', 'groups', 'roles', 'teams', 'client', 'scopes'] as const
const ALSO_ON = ['method', 'issuer', 'scopeRule', 'reach', 'claims', 'capabilities', 'expiresAt'] as const

function isUnchanged(before: Principal, now: Principal): boolean {
  for (const name of RESTS_ON) if (before[name] !== now[name]) return false
  for (const name of ALSO_ON) if (before[name] !== now[name]) return false
  return true
}

function checkPlace(
  { policy, checkScopes, tellsCallsApart }: PermitNeeds,
  principal: Principal,
  place: Protected,
): 'all' | 'some' {
  const { server } = place
  if (!place.admits(principal.email)) throw new RequestError(403, 'not_admitted', 'This account is not admitted here.')
  const view = policy.view(principal, server)
  if (view === 'none') throw new RequestError(403, 'no_rule_allows', 'This account may not use this.')
  // No scope is about it: then only those count that every token must hold.
  const bound =
    place.scoped || principal.scopeRule !== 'covers' ? principal : { ...principal, scopeRule: 'required' as const }
  checkScopes(bound, { principal: bound, server, kind: 'method', method: 'ping', name: 'ping' })
  checkOwnScopes(principal, place)
  return tellsCallsApart(bound, server) ? 'some' : view
}

/** RFC 6750 §3.1 and MCP 2026-07-28, Authorization: one challenge names all that is needed, so what is held already is named again. */
function checkOwnScopes({ scopeRule, scopes }: Principal, { required, resource }: Protected): void {
  if (scopeRule === 'none' || required.every((name) => scopes.includes(name))) return
  const kept = scopes.filter((name) => resource.scopes.includes(name))
  throw new BearerError('insufficient_scope', 'scope_missing', 'The access token lacks a scope that this needs.', [
    ...new Set([...required, ...kept]),
  ])
}

function introduce({ mintAssertion, onOmitted, clock }: PermitNeeds, principal: Principal, place: Protected) {
  if (principal.kind === 'anonymous')
    return { verdict: passed(identityHeaders(principal, '').fields), until: Number.POSITIVE_INFINITY }
  const assertion = mintAssertion(principal, place.origin)
  const { fields, omitted } = identityHeaders(principal, assertion.jwt)
  if (omitted.length > 0) onOmitted(principal, omitted)
  return { verdict: passed(fields), until: Math.max(assertion.freshUntil, clock()) }
}
