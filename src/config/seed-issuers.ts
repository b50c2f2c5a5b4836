// The authorization servers that other systems' variables name, made into entries of auth.issuers: Kuadrant's OAUTH_AUTHORIZATION_SERVERS,
// and ContextForge's JWT_* where its tokens are signed with a key pair.
import type { Input } from './input.ts'

type Slots = ReadonlyMap<string, { readonly value: unknown; readonly name: string }>

/** What is named there is all there is: our own authorization server is closed, unless the configuration says otherwise. */
export function placeIssuers(slots: Slots, kind: 'seed' | 'flag', input: Input): void {
  const named = slots.get('oauth.authorizationServers')
  const issuers = ['auth', 'issuers']
  const door = ['doors', 'oauth']
  if (named !== undefined && Array.isArray(named.value)) {
    const entries = named.value.map((issuer) => ({ issuer, ...kindOf(String(issuer)) }))
    if (input.get(issuers) === undefined) input.set(issuers, entries, { kind, name: named.name })
    if (input.get(door) === undefined) input.set(door, false, { kind, name: named.name })
  }
  const jwt = jwtIssuer(slots)
  if (jwt === undefined) return
  const before = input.get(issuers)
  const names = [...slots].flatMap(([slot, { name }]) => (slot.startsWith('jwt.') ? [name] : []))
  input.set(issuers, [...(Array.isArray(before) ? before : []), jwt], { kind, name: names.join(', ') })
}

/** By its address alone; what is none of these is as the standards have it. */
function kindOf(issuer: string): { readonly type?: string } {
  const url = URL.parse(issuer)
  if (url === null) return {}
  const { hostname, pathname } = url
  if (/\.okta(?:preview|-emea)?\.com$/.test(hostname)) return { type: 'okta' }
  if (/\.auth0\.com$/.test(hostname)) return { type: 'auth0' }
  if (/^(?:login\.microsoftonline\.com|sts\.windows\.net)$/.test(hostname)) return { type: 'entra' }
  if (hostname === 'accounts.google.com') return { type: 'google' }
  return /\/realms\/[^/]+\/?$/.test(pathname) ? { type: 'keycloak' } : {}
}

/** ContextForge's own defaults where nothing is said. */
function jwtIssuer(slots: Slots): Record<string, unknown> | undefined {
  const [issuer, audience, algorithm, file, requiredClaims] = [
    'issuer',
    'audience',
    'algorithm',
    'publicKey',
    'requiredClaims',
  ].map((part) => slots.get(`jwt.${part}`)?.value)
  if (file === undefined) return undefined
  return {
    issuer: issuer ?? 'mcpgateway',
    audience: audience ?? 'mcpgateway-api',
    jwksFile: file,
    ...(algorithm !== undefined && { algorithms: [algorithm] }),
    ...(requiredClaims !== undefined && { requiredClaims }),
  }
}

/** Named, and nobody here could check one of those tokens. */
export function idleIssuer(slots: Slots): string[] {
  if (slots.has('jwt.publicKey')) return []
  const idle = [...slots].flatMap(([slot, { name }]) => (slot.startsWith('jwt.') ? [name] : []))
  if (idle.length === 0) return []
  return [
    `${idle.join(', ')} ${idle.length === 1 ? 'has' : 'have'} no effect: JWT_PUBLIC_KEY_PATH does not say whose signature counts.`,
  ]
}
