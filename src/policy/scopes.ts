// What a token's scopes open (`scopes:`, `oauth.requiredScopes`), beside and below what policy allows its principal.
import type { ScopesConfig } from '../config/scopes.ts'
import type { Call } from '../protocol/decision.ts'
import { BearerError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import { canonicalScope } from '../protocol/scope.ts'
import { compileTargets, coversCall } from './covers.ts'
import { isWithinReach, OUTSIDE_TOKEN } from './reach.ts'
import type { Target } from './target.ts'

interface Scope {
  readonly name: string
  readonly covers: readonly Target[]
  /** Letters of its widest pattern: the more, the less the scope opens. */
  readonly narrowness: number
}

export interface ScopeGate {
  /** Throws BearerError `insufficient_scope` with every scope the call needs. */
  checkScopes(principal: Principal, call: Call): void
  /** What clients are told to ask for at this server; at the aggregate, without an id, all of them. */
  scopesFor(server?: string): string[]
}

export function createScopeGate(needs: { scopes: ScopesConfig; requiredScopes: readonly string[] }): ScopeGate {
  const requiredScopes = needs.requiredScopes.map(canonicalScope)
  const scopes = Object.entries(needs.scopes).map(([name, { covers }]) => compileScope(name, covers))
  const byName = new Map(scopes.map((scope) => [scope.name, scope]))
  const opens = (name: string, call: Call) => coversCall(byName.get(name)?.covers ?? [], call)

  return {
    checkScopes(principal, call) {
      if (principal.reach !== undefined && !isWithinReach(principal.reach, call)) throw outsideToken()
      // Scopes bound what a token may do. Who came without one is judged by the rules alone.
      if (principal.scopeRule === 'none') return
      const held = principal.scopes
      // Tokens of other issuers speak of our scopes only where the configuration says so.
      const opening = principal.scopeRule === 'required' ? '' : held.find((name) => opens(name, call))
      if (opening !== undefined && requiredScopes.every((name) => held.includes(name))) return
      const wanted = opening ?? narrowest(scopes, call)
      throw scopeMissing([...new Set([...requiredScopes, ...(wanted ? [wanted] : [])])])
    },
    scopesFor(server) {
      const touching = scopes.filter(({ covers: targets }) => server === undefined || touches(targets, server))
      return [...new Set([...requiredScopes, ...touching.map(({ name }) => name)])]
    },
  }
}

function compileScope(name: string, texts: readonly string[]): Scope {
  const targets = compileTargets(texts, `scopes.${name}.covers`)
  const letters = targets.map(({ text }) => text.replaceAll('*', '').length)
  return { name, covers: targets, narrowness: Math.min(...letters) }
}

function touches(targets: readonly Target[], server: string): boolean {
  return targets.some((target) => target.server.matches(server))
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
