// Which of the asked scopes an authorization may hold: RFC 6749 §3.3. What is unknown or not allowed is dropped, nothing is added to what was asked.
import { ADMIN_SCOPE, DECIDE_SCOPE, OWN_TOKENS_SCOPE, type Resource } from '../protocol/resource.ts'
import { canonicalScope, parseScope } from '../protocol/scope.ts'

/** OpenID Connect Core §5.4 and §11: they say nothing about a resource. */
export const IDENTITY_SCOPES = ['openid', 'email', 'profile', 'offline_access'] as const
const TITLES: Readonly<Record<string, string>> = {
  openid: 'Know who you are',
  email: 'See your e-mail address',
  profile: 'See your name',
  offline_access: 'Stay connected while you are away',
  groups: 'See which groups, roles and teams you are in',
  [OWN_TOKENS_SCOPE]: 'Make, rotate and revoke API tokens in your name',
  [ADMIN_SCOPE]: 'Administer this gate, if you are one of its administrators',
  [DECIDE_SCOPE]: 'Ask who may do what, if you are an administrator',
}

const isIdentity = (scope: string): boolean => IDENTITY_SCOPES.some((name) => name === scope)

/** Empty when something was asked and none of it can be had. A request that names no scope of the resource gets the resource's own (its default minimal set). */
export function grantableScopes(
  asked: string | undefined,
  { scopes: resource, stepUpScopes = [] }: Pick<Resource, 'scopes' | 'stepUpScopes'>,
  allowed: readonly string[],
): string[] {
  const open = allowed.map(canonicalScope)
  // A list that names none of the resource's own scopes speaks of identity alone (mcpauth's `openid,email,profile`): kept to
  // the letter it would hand out tokens that open nothing.
  const aboutIdentity = !resource.some((scope) => open.includes(scope))
  const isAllowed = (scope: string) =>
    open.length === 0 || open.includes(scope) || (aboutIdentity && resource.includes(scope))
  const wanted = [...new Set(parseScope(asked ?? '').map(canonicalScope))]
  const known = wanted.filter((scope) => (isIdentity(scope) || resource.includes(scope)) && isAllowed(scope))
  if (!wanted.every(isIdentity)) return known
  const minimal = resource.filter((scope) => isAllowed(scope) && !stepUpScopes.includes(scope))
  return [...new Set([...known, ...minimal])]
}

export function scopeTitle(scope: string, configured: Readonly<Record<string, { title: string }>>): string {
  return configured[scope]?.title ?? TITLES[scope] ?? scope
}
