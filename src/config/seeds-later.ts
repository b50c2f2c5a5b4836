// The variables and flags of other systems that this version knows by name and does not have.
import { FORGE, KUADRANT, type LaterRow, MCPAUTH, SOLACE } from './seed-rows.ts'

const is =
  (...words: readonly string[]) =>
  (text: string): boolean =>
    words.includes(text.trim().toLowerCase())
const yes = is('true', '1', 'yes', 'on')
const no = is('false', '0', 'no', 'off')
const always = (): boolean => true

const later = (row: Omit<LaterRow, 'status'>): LaterRow => ({ status: 'later', ...row })

const proxySignIn = 'identity from a trusted proxy'
export const LATER: readonly LaterRow[] = [
  later({
    name: 'MCP_CLIENT_AUTH_ENABLED',
    systems: FORGE,
    feature: proxySignIn,
    asIs: yes,
    refuses: { when: (text) => !yes(text), because: 'callers without a credential would have to be let in' },
    example: 'false',
  }),
  later({
    name: 'TRUST_PROXY_AUTH',
    systems: FORGE,
    feature: proxySignIn,
    asIs: no,
    refuses: { when: (text) => !no(text), because: 'the setup relies on identities that would not be seen' },
    example: 'true',
  }),
  later({
    name: 'TRUST_PROXY_AUTH_DANGEROUSLY',
    systems: FORGE,
    feature: proxySignIn,
    asIs: no,
    refuses: { when: (text) => !no(text), because: 'the setup relies on identities that would not be seen' },
    example: 'true',
  }),
  later({
    name: 'MCP_REQUIRE_AUTH',
    systems: FORGE,
    feature: 'open servers',
    asIs: yes,
    refuses: { when: (text) => !yes(text), because: 'callers without a credential would have to be let in' },
    example: 'false',
  }),
  later({
    name: 'INSECURE_ALLOW_QUERYPARAM_AUTH',
    systems: FORGE,
    feature: 'tokens in the query string',
    asIs: no,
    refuses: { when: (text) => !no(text), because: 'a token in a URL ends up in logs; it is never accepted' },
    example: 'true',
  }),
  later({ name: 'PROXY_USER_HEADER', systems: FORGE, feature: proxySignIn, example: 'X-Auth-Request-Email' }),
  later({
    name: 'AUTH_REQUIRED',
    systems: FORGE,
    feature: 'the admin console; the MCP doors always ask for a sign-in',
    asIs: yes,
    example: 'false',
  }),
  later({ name: 'BASIC_AUTH_USER', systems: FORGE, feature: 'the admin console', example: 'admin' }),
  later({ name: 'BASIC_AUTH_PASSWORD', systems: FORGE, feature: 'the admin console', example: 'secure-password' }),
  later({
    name: 'ENABLE_HEADER_PASSTHROUGH',
    systems: FORGE,
    feature: 'header passthrough',
    asIs: no,
    example: 'true',
  }),
  later({
    name: 'DEFAULT_PASSTHROUGH_HEADERS',
    systems: FORGE,
    feature: 'header passthrough',
    example: '["X-Tenant-Id"]',
  }),
  later({
    name: 'CACHE_TYPE',
    systems: FORGE,
    feature: 'Redis',
    asIs: is('memory', 'none'),
    example: 'redis',
  }),
  later({ name: 'REDIS_URL', systems: FORGE, feature: 'Redis', example: 'redis://localhost:6379/0' }),
  later({ name: 'JWT_SECRET_KEY', systems: FORGE, feature: 'tokens of other issuers', example: 'a-shared-key' }),
  later({ name: 'JWT_ALGORITHM', systems: FORGE, feature: 'tokens of other issuers', example: 'HS256' }),
  later({ name: 'JWT_AUDIENCE', systems: FORGE, feature: 'tokens of other issuers', example: 'mcpgateway-api' }),
  later({ name: 'JWT_ISSUER', systems: FORGE, feature: 'tokens of other issuers', example: 'mcpgateway' }),
  later({ name: 'PROTECTED_PATH', systems: MCPAUTH, flag: 'protectedPath', feature: 'forward-auth', example: '/sse' }),
  later({
    name: 'AUTHORIZATION_BEARER_TOKEN',
    systems: MCPAUTH,
    feature: 'API tokens',
    example: 'a-static-token',
  }),
  later({ name: 'ENABLE_EDGE_AUTH', systems: MCPAUTH, feature: 'forward-auth', asIs: no, example: 'true' }),
  later({ name: 'COOKIE_DOMAIN', systems: MCPAUTH, feature: 'forward-auth', example: 'example.com' }),
  later({
    name: 'MCPAUTH_BOOTSTRAP_CLIENTS',
    systems: MCPAUTH,
    feature: 'clients from the environment; write them as oauth.clients',
    example: '[]',
  }),
  later({
    name: 'OAUTH_AUTHORIZATION_SERVERS',
    systems: KUADRANT,
    feature: 'other authorization servers; ours is named to clients',
    example: 'https://id.example.com/realms/mcp',
  }),
  later({
    name: 'OAUTH_BEARER_METHODS_SUPPORTED',
    systems: KUADRANT,
    feature: 'tokens in body or query; only the header is accepted',
    asIs: is('header', '["header"]'),
    example: 'header, query',
  }),
  later({
    name: 'TRUSTED_HEADER_PUBLIC_KEY',
    systems: KUADRANT,
    feature: 'signed capability headers',
    example: 'a-public-key',
  }),
  later({
    name: 'GATEWAY_SIGNING_KEY',
    systems: KUADRANT,
    feature: 'keys from the environment; ours are made and kept in the store',
    example: 'a-signing-key',
  }),
  later({
    name: 'JWT_SESSION_SIGNING_KEY',
    systems: KUADRANT,
    feature: 'keys from the environment; ours are made and kept in the store',
    example: 'a-signing-key',
  }),
  later({
    name: 'CACHE_CONNECTION_STRING',
    systems: KUADRANT,
    feature: 'Redis',
    example: 'redis://localhost:6379',
  }),
  later({
    name: 'OAUTH2_ENABLED',
    systems: SOLACE,
    feature: 'delegated sign-in; sign-in is always on',
    asIs: yes,
    example: 'false',
  }),
  later({
    name: 'EXTERNAL_AUTH_SERVICE_URL',
    systems: SOLACE,
    feature: 'delegated sign-in',
    example: 'http://localhost:8080',
  }),
  later({ name: 'EXTERNAL_AUTH_PROVIDER', systems: SOLACE, feature: 'delegated sign-in', example: 'azure' }),
]

/** Flags that have no variable. */
export const LATER_FLAGS: readonly LaterRow[] = [
  ...['adminUsername', 'adminEmail', 'adminPassword'].map((flag) =>
    later({
      name: `-${flag}`,
      systems: MCPAUTH,
      flag,
      feature: 'an administrator from the command line',
      refuses: { when: always, because: 'use `portcullis users add --admin`' },
      example: 'admin',
    }),
  ),
]
