// Keys of other systems' configuration files, refused by name.
import { type KeyRow, type SeedSystem, SOLACE } from './seed-rows.ts'
import type { Path } from './settings.ts'

const key = (name: string, systems: readonly SeedSystem[], feature: string): KeyRow => ({
  status: 'key',
  name,
  systems,
  feature,
})
export const SEED_KEYS: readonly KeyRow[] = [
  key('proxy_oauth', SOLACE, 'the redirect proxy for other gateways'),
  key('gateway_oauth_proxy', SOLACE, 'the redirect proxy for other gateways'),
  key('adapter_config', SOLACE, 'delegated sign-in'),
  key('providers', SOLACE, 'write identity.providers'),
  key('session', SOLACE, 'write identity.sessionTtl'),
  key('security', SOLACE, 'write server.allowedOrigins'),
  key('rate_limit', SOLACE, 'rate limits'),
  key('enabled', SOLACE, 'sign-in is always on'),
  key('development_mode', SOLACE, 'write server.development'),
  key('auth.type', ['Portkey'], 'write auth.tokens; it is on by default'),
  key('auth.enabled', ['Portkey'], 'sign-in is always on'),
  key('jwt_validation', ['Portkey'], 'tokens of other issuers'),
  key('user_identity_forwarding', ['Portkey'], 'identity forwarding'),
  key('forward_headers', ['Portkey'], 'header passthrough'),
]

export const findSeedKey = (path: Path): string | undefined =>
  SEED_KEYS.find((row) => row.name === path.join('.'))?.feature
