// Keys of other systems' configuration files, refused by name.
import { type KeyRow, KUADRANT, type Owner, PORTKEY, type SeedSystem, SOLACE } from './seed-rows.ts'
import type { Path } from './settings.ts'

const key = (name: string, systems: readonly SeedSystem[], feature: string, owner: Owner = 'never'): KeyRow => ({
  status: 'key',
  name,
  systems,
  owner,
  feature,
})
const UPSTREAMS = 'upstreams and credentials'

export const SEED_KEYS: readonly KeyRow[] = [
  key('gateway_oauth_proxy', SOLACE, 'an earlier name; write proxy_oauth'),
  key('proxy_oauth.strict_redirect_validation', SOLACE, 'an earlier name; write strict_uri_validation'),
  key(
    'security',
    SOLACE,
    'write server.allowedOrigins, and proxy_oauth.allowed_redirect_uris for gateway_redirect_whitelist',
  ),
  key('rate_limit', SOLACE, 'write limits'),
  key('server.ssl_cert', SOLACE, 'write server.tls.cert'),
  key('server.ssl_key', SOLACE, 'write server.tls.key'),
  key('jwt_validation', PORTKEY, 'write auth.issuers'),
  key('oauth_metadata', PORTKEY, 'sign-in at a server behind', UPSTREAMS),
  key('tool_authorization', PORTKEY, 'claims that a tool asks for: write policy.rules with when'),
  key('authorization_webhook', PORTKEY, 'decisions of another service: write policy.decisionPoints'),
  key('rate_limits', PORTKEY, 'write limits'),
  ...['apiVersion', 'kind', 'metadata', 'spec'].map((name) =>
    key(name, KUADRANT, 'objects of Kubernetes are not read; write oauth.resource, auth.issuers and servers'),
  ),
]

export const findSeedKey = (path: Path): string | undefined =>
  SEED_KEYS.find((row) => row.name === path.join('.'))?.feature
