// What a token's scopes open (`scopes:`, `oauth.requiredScopes`), beside and below what policy allows its principal.
import type { ScopesConfig } from '../config/scopes.ts'
import type { Call } from '../protocol/decision.ts'
import { BearerError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import { canonicalScope } from '../protocol/scope.ts'
import { compileTargets, coversCall, coversServer, touchesCall, touchesServer } from './covers.ts'
import { isWithinReach, OUTSIDE_TOKEN } from './reach.ts'
import type { Target } from './target.ts'

interface Scope {
  readonly name: string
  readonly covers: readonly Target[]
  /** What needs it beside the scope that covers it. */
  readonly requiredFor: readonly Target[]
  /** Letters of its widest pattern: the more, the less the scope opens. */
  readonly narrowness: number
}

export interface ScopeGate {
  /** Throws BearerError `insufficient_scope` with every scope the call needs. */
  checkScopes(principal: Principal, call: Call): void
  /** What clients may be granted at this server; at the aggregate, without an id, all of them. */
  scopesFor(server?: string): string[]
  /** Those that are asked for whatever else opens a call: of callers whose tokens do not speak of the others, too. */
  requiredScopesFor(server?: string): string[]
  /** A token needs one that opens it: some scope covers something of the server. */
  isCovered(server: string): boolean
  /** Those of them that only some calls need: a client asks for them when it is told to (MCP 2026-07-28, Authorization: step-up). */
  stepUpScopesFor(server?: string): string[]
  /** The scopes that this principal holds open some calls of the server and not others, so that each has to be looked at. */
  tellsCallsApart(principal: Principal, server: string): boolean
}

export function createScopeGate(needs: { scopes: ScopesConfig; requiredScopes: readonly string[] }): ScopeGate {
  const requiredScopes = needs.requiredScopes.map(canonicalScope)
  const scopes = Object.entries(needs.scopes).map(([name, config]) => compileScope(name, config))
  const byName = new Map(scopes.map((scope) => [scope.name, scope]))
  const demanding = scopes.filter(({ requiredFor }) => requiredFor.length > 0)
  const opens = (name: string, call: Call) => coversCall(byName.get(name)?.covers ?? [], call)
  const isStepUp = ({ requiredFor }: Scope, server: string | undefined) =>
    server === undefined || (touchesServer(requiredFor, server) && !coversServer(requiredFor, server))

  return {
    checkScopes(principal, call) {
      if (principal.reach !== undefined && !isWithinReach(principal.reach, call)) throw outsideToken()
      // Scopes bound what a token may do. Who came without one is judged by the rules alone.
      if (principal.scopeRule === 'none') return
      const held = principal.scopes
      // Tokens of other issuers speak of what our scopes cover only where the configuration says so.
      const opening = principal.scopeRule === 'required' ? '' : held.find((name) => opens(name, call))
      const required = demandedBy(demanding, call, requiredScopes)
      if (opening !== undefined && required.every((name) => held.includes(name))) return
      const wanted = opening ?? narrowest(scopes, call)
      throw scopeMissing([...new Set([...required, ...(wanted ? [wanted] : [])])])
    },
    scopesFor(server) {
      const touching = scopes.filter(
        ({ covers, requiredFor }) => server === undefined || touchesServer([...covers, ...requiredFor], server),
      )
      return [...new Set([...requiredScopes, ...touching.map(({ name }) => name)])]
    },
    requiredScopesFor(server) {
      const touching = demanding.filter(({ requiredFor }) => server === undefined || touchesServer(requiredFor, server))
      return [...new Set([...requiredScopes, ...touching.map(({ name }) => name)])]
    },
    isCovered: (server) =>
      scopes.some(({ name, covers }) => !requiredScopes.includes(name) && touchesServer(covers, server)),
    stepUpScopesFor(server) {
      const later = demanding.filter((scope) => isStepUp(scope, server)).map(({ name }) => name)
      return later.filter((name) => !requiredScopes.includes(name))
    },
    tellsCallsApart({ scopeRule, scopes: held }, server) {
      if (scopeRule === 'none') return false
      const open = scopeRule === 'required' || held.some((name) => coversServer(byName.get(name)?.covers ?? [], server))
      return (
        !open || demanding.some(({ name, requiredFor }) => !held.includes(name) && touchesServer(requiredFor, server))
      )
    },
  }
}

function compileScope(name: string, { covers, requiredFor }: ScopesConfig[string]): Scope {
  const targets = compileTargets(covers, `scopes.${name}.covers`)
  const letters = targets.map(({ text }) => text.replaceAll('*', '').length)
  return {
    name,
    covers: targets,
    requiredFor: compileTargets(requiredFor, `scopes.${name}.requiredFor`),
    narrowness: Math.min(...letters),
  }
}

function demandedBy(demanding: readonly Scope[], call: Call, everywhere: readonly string[]): readonly string[] {
  if (demanding.length === 0) return everywhere
  return [
    ...everywhere,
    ...demanding.filter(({ requiredFor }) => touchesCall(requiredFor, call)).map(({ name }) => name),
  ]
}

/** Of the scopes that would open the call, the one that opens least: a challenge should not ask for the world. */
function narrowest(scopes: readonly Scope[], call: Call): string | undefined {
  const opening = scopes.filter((scope) => coversCall(scope.covers, call))
  return opening.sort((one, other) => other.narrowness - one.narrowness)[0]?.name
}

/** No scope would open it: the token itself was made for less. */
const outsideToken = () => new BearerError('insufficient_scope', OUTSIDE_TOKEN, 'The access token does not reach this.')

// RFC 6750 §3.1 and MCP 2026-07-28, Authorization: one challenge names all that the operation needs.
function scopeMissing(scopes: readonly string[]): BearerError {
  return new BearerError(
    'insufficient_scope',
    'scope_missing',
    'The access token lacks a scope that this needs.',
    scopes,
  )
}
