// Every variable, flag and file key of the five systems whose setups work here: ONE table. Documentation and tests walk it.

import {
  parseDatabaseUrl,
  parseDomain,
  parseList,
  parseLogLevel,
  parseOrigin,
  parsePort,
  parseProvider,
  parseWord,
  parseYesNo,
} from './seed-values.ts'
import type { Path } from './settings.ts'

/** The systems, in the order of the documentation. */
export const SEEDS = ['ContextForge', 'mcpauth', 'Kuadrant', 'Portkey', 'Solace'] as const
export type SeedSystem = (typeof SEEDS)[number]

interface Common {
  readonly name: string
  readonly systems: readonly SeedSystem[]
  /** Go-style flag of the same meaning, without its dash. */
  readonly flag?: string
  /** The flag needs no value. */
  readonly bool?: true
  /** A value to show; tests set it. */
  readonly example: string
}

/** In force: `slot` is the setting, or a part of one that `seed-settings.ts` puts together. */
export interface WorkingRow extends Common {
  readonly status: 'works'
  readonly slot: string
  readonly setting: string
  readonly parse: (text: string) => unknown
  readonly gives: unknown
  readonly secret?: true
  /** Said at start for values that are read, yet have no effect here. */
  readonly warn?: (text: string) => string | undefined
}

/** Not in force yet: said by name at start. `asIs` values ask for what we do anyway; `refuses` values would weaken the gate. */
export interface LaterRow extends Common {
  readonly status: 'later'
  readonly feature: string
  readonly asIs?: (text: string) => boolean
  readonly refuses?: { when: (text: string) => boolean; because: string }
}

/** A key of a configuration file; refused by name. */
export interface KeyRow {
  readonly status: 'key'
  readonly name: string
  readonly systems: readonly SeedSystem[]
  readonly feature: string
}

export type VariableRow = WorkingRow | LaterRow

const is =
  (...words: readonly string[]) =>
  (text: string): boolean =>
    words.includes(text.trim().toLowerCase())
const yes = is('true', '1', 'yes', 'on')
const no = is('false', '0', 'no', 'off')
const listOf = (...items: readonly string[]) => items
const never = { when: () => true }

const working = (row: Omit<WorkingRow, 'status' | 'setting'> & { setting?: string }): WorkingRow => ({
  status: 'works',
  setting: row.slot,
  ...row,
})
const later = (row: Omit<LaterRow, 'status'>): LaterRow => ({ status: 'later', ...row })

const FORGE = ['ContextForge'] as const
const MCPAUTH = ['mcpauth'] as const
const KUADRANT = ['Kuadrant'] as const
const SOLACE = ['Solace'] as const

const WORKING: readonly WorkingRow[] = [
  working({
    name: 'DATABASE_URL',
    systems: FORGE,
    slot: 'store.url',
    parse: parseDatabaseUrl,
    secret: true,
    example: 'postgresql://gate:word@db.example/mcp',
    gives: 'postgresql://gate:word@db.example/mcp',
  }),
  working({
    name: 'SESSION_TTL',
    systems: FORGE,
    slot: 'identity.sessionTtl',
    parse: parseWord,
    example: '3600',
    gives: 3_600_000,
  }),
  working({
    name: 'LOG_LEVEL',
    systems: ['ContextForge', 'mcpauth'],
    flag: 'logLevel',
    slot: 'log.level',
    parse: parseLogLevel,
    example: '0',
    gives: 'debug',
  }),
  working({
    name: 'PORT',
    systems: ['ContextForge', 'mcpauth'],
    flag: 'port',
    slot: 'listen.port',
    setting: 'server.listen',
    parse: parsePort,
    example: '11000',
    gives: '127.0.0.1:11000',
  }),
  working({
    name: 'OAUTH_DOMAIN',
    systems: MCPAUTH,
    flag: 'oauthDomain',
    slot: 'url.domain',
    setting: 'server.url',
    parse: parseDomain,
    example: 'oauth.example.com',
    gives: 'https://oauth.example.com',
  }),
  working({
    name: 'DEV_MODE',
    systems: MCPAUTH,
    flag: 'devMode',
    bool: true,
    slot: 'server.development',
    parse: parseYesNo,
    example: 'true',
    gives: true,
  }),
  working({
    name: 'CLIENT_ID',
    systems: MCPAUTH,
    flag: 'clientID',
    slot: 'provider.clientId',
    setting: 'identity.providers',
    parse: parseWord,
    example: 'gate',
    gives: { id: 'google', type: 'google', clientId: 'gate' },
  }),
  working({
    name: 'GOOGLE_CLIENT_ID',
    systems: MCPAUTH,
    slot: 'provider.clientId',
    setting: 'identity.providers',
    parse: parseWord,
    example: 'gate',
    gives: { id: 'google', type: 'google', clientId: 'gate' },
  }),
  working({
    name: 'CLIENT_SECRET',
    systems: MCPAUTH,
    flag: 'clientSecret',
    slot: 'provider.clientSecret',
    setting: 'identity.providers',
    parse: parseWord,
    secret: true,
    example: 'a-client-secret',
    gives: { type: 'google', clientSecret: 'a-client-secret' },
  }),
  working({
    name: 'GOOGLE_CLIENT_SECRET',
    systems: MCPAUTH,
    slot: 'provider.clientSecret',
    setting: 'identity.providers',
    parse: parseWord,
    secret: true,
    example: 'a-client-secret',
    gives: { type: 'google', clientSecret: 'a-client-secret' },
  }),
  working({
    name: 'PROVIDER',
    systems: MCPAUTH,
    flag: 'provider',
    slot: 'provider.type',
    setting: 'identity.providers',
    parse: parseProvider,
    example: 'keycloak',
    gives: { type: 'keycloak', issuer: 'https://localhost:8080/realms/master' },
  }),
  working({
    name: 'KEYCLOAK_AUTH_HOST',
    systems: MCPAUTH,
    slot: 'keycloak.host',
    setting: 'identity.providers',
    parse: parseWord,
    example: 'id.example.com',
    gives: { issuer: 'https://id.example.com:8080/realms/master' },
  }),
  working({
    name: 'KEYCLOAK_AUTH_PORT',
    systems: MCPAUTH,
    slot: 'keycloak.port',
    setting: 'identity.providers',
    parse: parsePort,
    example: '443',
    gives: { issuer: 'https://localhost/realms/master' },
  }),
  working({
    name: 'KEYCLOAK_AUTH_PROTOCOL',
    systems: MCPAUTH,
    slot: 'keycloak.protocol',
    setting: 'identity.providers',
    parse: parseWord,
    example: 'http',
    gives: { issuer: 'http://localhost:8080/realms/master' },
  }),
  working({
    name: 'KEYCLOAK_AUTH_REALM',
    systems: MCPAUTH,
    slot: 'keycloak.realm',
    setting: 'identity.providers',
    parse: parseWord,
    example: 'mcp',
    gives: { issuer: 'https://localhost:8080/realms/mcp' },
  }),
  working({
    name: 'ALLOWED_EMAILS',
    systems: MCPAUTH,
    flag: 'allowedEmails',
    slot: 'identity.allowedEmails',
    parse: parseList,
    example: 'ann@example.com, bob@example.com',
    gives: listOf('ann@example.com', 'bob@example.com'),
  }),
  working({
    name: 'ALLOWED_SCOPES',
    systems: MCPAUTH,
    flag: 'allowedScopes',
    slot: 'oauth.allowedScopes',
    parse: parseList,
    example: 'openid,email,profile',
    gives: listOf('openid', 'email', 'profile'),
  }),
  working({
    name: 'REQUIRED_SCOPES',
    systems: MCPAUTH,
    flag: 'requiredScopes',
    slot: 'oauth.requiredScopes',
    parse: parseList,
    example: 'openid,email',
    gives: listOf('openid', 'email'),
  }),
  working({
    name: 'OAUTH_RESOURCE_NAME',
    systems: KUADRANT,
    slot: 'oauth.resourceName',
    parse: parseWord,
    example: 'MCP Server',
    gives: 'MCP Server',
  }),
  working({
    name: 'OAUTH_RESOURCE',
    systems: KUADRANT,
    slot: 'url.resource',
    setting: 'server.url',
    parse: parseOrigin,
    warn: () =>
      'OAUTH_RESOURCE gives server.url its origin; its identity of the address /mcp is not available in this version and is ignored.',
    example: 'https://mcp.example.com/mcp',
    gives: 'https://mcp.example.com',
  }),
  working({
    name: 'OAUTH_SCOPES_SUPPORTED',
    systems: KUADRANT,
    slot: 'oauth.scopesSupported',
    parse: parseList,
    example: 'basic, groups,roles',
    gives: listOf('basic', 'groups', 'roles'),
  }),
  working({
    name: 'MCP_EXTERNAL_BASE_URL',
    systems: SOLACE,
    slot: 'url.base',
    setting: 'server.url',
    parse: parseWord,
    example: 'https://gate.example.com',
    gives: 'https://gate.example.com',
  }),
  working({
    name: 'OAUTH2_DEV_MODE',
    systems: SOLACE,
    slot: 'server.development',
    parse: parseYesNo,
    example: 'true',
    gives: true,
  }),
  working({
    name: 'OAUTH2_HOST',
    systems: SOLACE,
    slot: 'listen.host',
    setting: 'server.listen',
    parse: parseWord,
    example: '0.0.0.0',
    gives: '0.0.0.0:4444',
  }),
  working({
    name: 'OAUTH2_PORT',
    systems: SOLACE,
    slot: 'listen.port',
    setting: 'server.listen',
    parse: parsePort,
    example: '8080',
    gives: '127.0.0.1:8080',
  }),
]

const proxySignIn = 'identity from a trusted proxy'
const LATER: readonly LaterRow[] = [
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
const FLAGS: readonly VariableRow[] = [
  working({
    name: '-useInternalAuth',
    systems: MCPAUTH,
    flag: 'useInternalAuth',
    bool: true,
    slot: 'provider.type',
    setting: 'identity.providers',
    parse: (text) => (parseYesNo(text) ? 'internal' : undefined),
    example: 'true',
    gives: { id: 'local', type: 'local' },
  }),
  working({
    name: '-dataDir',
    systems: MCPAUTH,
    flag: 'dataDir',
    slot: 'store.folder',
    setting: 'store.directory',
    parse: parseWord,
    example: '/var/lib/gate',
    gives: '/var/lib/gate',
  }),
  ...['adminUsername', 'adminEmail', 'adminPassword'].map((flag) =>
    later({
      name: `-${flag}`,
      systems: MCPAUTH,
      flag,
      feature: 'an administrator from the command line',
      refuses: { ...never, because: 'use `portcullis users add --admin`' },
      example: 'admin',
    }),
  ),
]

export const VARIABLES: readonly VariableRow[] = [...WORKING, ...LATER]
/** Rows by Go-style flag, without the dash. */
export const SEED_FLAGS: ReadonlyMap<string, VariableRow> = new Map(
  [...VARIABLES, ...FLAGS].flatMap((row) => (row.flag === undefined ? [] : [[row.flag, row] as const])),
)
export const SEED_ROWS: readonly VariableRow[] = [...VARIABLES, ...FLAGS]

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
