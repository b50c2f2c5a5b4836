// The variables and flags of other systems that this version knows by name and does not have.
import { FORGE, KUADRANT, type LaterRow, MCPAUTH, type Owner, PORTKEY, type SeedSystem } from './seed-rows.ts'

const is =
  (...words: readonly string[]) =>
  (text: string): boolean =>
    words.includes(text.trim().toLowerCase())
const no = is('false', '0', 'no', 'off')
const yes = is('true', '1', 'yes', 'on')

interface About extends Pick<LaterRow, 'feature' | 'asIs' | 'ambient'> {
  readonly owner?: Owner
  /** Why no value but those of `asIs` can be ignored. */
  readonly because?: string
}

function later(
  systems: readonly SeedSystem[],
  { because, owner = 'never', ...about }: About,
  names: Readonly<Record<string, string>>,
): LaterRow[] {
  const refuses = because === undefined ? {} : { refuses: { when: (text: string) => !about.asIs?.(text), because } }
  return Object.entries(names).map(([name, example]) => ({
    status: 'later',
    name,
    systems,
    owner,
    example,
    ...about,
    ...refuses,
  }))
}

const UPSTREAMS = 'upstreams and credentials'
const OWN_KEYS: About = { feature: 'keys from the environment; ours are made and kept in the store' }
const REDIS: About = { feature: 'Redis', owner: 'replicas' }

const CONTEXTFORGE: readonly LaterRow[] = [
  ...later(
    FORGE,
    {
      feature: 'tokens in the query string',
      asIs: no,
      because: 'a token in a URL ends up in logs; it is never accepted',
    },
    { INSECURE_ALLOW_QUERYPARAM_AUTH: 'true' },
  ),
  ...later(
    FORGE,
    { feature: 'credentials of callers in header passthrough; they go to no server', asIs: no },
    { ENABLE_SENSITIVE_HEADER_PASSTHROUGH: 'true' },
  ),
  ...later(
    FORGE,
    { feature: 'claims signed with a shared key; the assertion is checked with the keys at /.well-known/jwks.json' },
    { IDENTITY_CLAIMS_SECRET: 'a-claims-secret' },
  ),
  ...later(
    FORGE,
    { feature: 'encryption of stored credentials', owner: UPSTREAMS },
    { AUTH_ENCRYPTION_SECRET: 'a-long-secret' },
  ),
  ...later(FORGE, { ...REDIS, asIs: is('memory', 'none') }, { CACHE_TYPE: 'redis' }),
  ...later([...FORGE, ...PORTKEY], REDIS, { REDIS_URL: 'redis://localhost:6379/0' }),
  ...later(
    FORGE,
    { feature: 'times of caches; a configuration is read once, a proved token looked at again after five minutes' },
    { GLOBAL_CONFIG_CACHE_TTL: '60', EXTERNAL_IDENTITY_CACHE_TTL: '60' },
  ),
  ...later(
    FORGE,
    {
      feature: 'tokens signed with a shared key',
      because:
        'whoever can check such a token can make one. Sign with RS256 or ES256 and set JWT_PUBLIC_KEY_PATH, or use the access and API tokens of this gate',
    },
    { JWT_SECRET_KEY: 'a-shared-key' },
  ),
  ...later(
    FORGE,
    { feature: 'tokens without a check of issuer, audience or end; each is always checked', asIs: yes },
    { JWT_AUDIENCE_VERIFICATION: 'false', JWT_ISSUER_VERIFICATION: 'false', REQUIRE_TOKEN_EXPIRATION: 'false' },
  ),
  ...later(
    FORGE,
    {
      feature: 'the environment claim of tokens',
      asIs: no,
      because: 'tokens of other environments would count; write auth.issuers[].claimValues',
    },
    { VALIDATE_TOKEN_ENVIRONMENT: 'true' },
  ),
  ...later(
    FORGE,
    {
      feature: 'callers that must have an account',
      owner: 'administration',
      asIs: no,
      because:
        'callers without an account would be let in; name who may come in policy.rules or identity.allowedEmails',
    },
    { REQUIRE_USER_IN_DB: 'true' },
  ),
  ...later(
    FORGE,
    { feature: 'tokens of every sign-in provider; auth.issuers lists whose tokens count', asIs: no },
    { SSO_API_TOKEN_AUTH_ENABLED: 'true' },
  ),
  ...later(
    FORGE,
    { feature: 'an administration without a sign-in; AUTH_REQUIRED=false opens it to this machine', asIs: no },
    { ALLOW_UNAUTHENTICATED_ADMIN: 'true' },
  ),
  ...later(
    FORGE,
    { feature: 'an administrator by address; set BASIC_AUTH_PASSWORD, or use `portcullis users add --admin`' },
    { PLATFORM_ADMIN_EMAIL: 'admin@example.com', PLATFORM_ADMIN_PASSWORD: 'a-password' },
  ),
  ...later(
    FORGE,
    { feature: 'a switch for the WebSocket alone; it has the guard of the MCP door, doors.mcp closes both', asIs: yes },
    { MCPGATEWAY_WS_RELAY_ENABLED: 'false' },
  ),
  ...later(FORGE, { feature: 'plugins', asIs: no }, { PLUGINS_CAN_OVERRIDE_AUTH_HEADERS: 'true' }),
  ...later(FORGE, { feature: 'pages without security headers', asIs: yes }, { SECURITY_HEADERS_ENABLED: 'false' }),
  ...later(
    FORGE,
    { feature: 'closed /.well-known addresses; clients find their sign-in there', asIs: yes },
    { WELL_KNOWN_ENABLED: 'false' },
  ),
  ...later(
    FORGE,
    { feature: 'other texts under /.well-known; they are for whatever serves the host' },
    {
      WELL_KNOWN_ROBOTS_TXT: 'User-agent: *',
      WELL_KNOWN_SECURITY_TXT: 'Contact: mailto:security@example.com',
      WELL_KNOWN_CACHE_MAX_AGE: '3600',
    },
  ),
  ...later(
    FORGE,
    { feature: 'fetching unchecked addresses; those that callers name are always checked', asIs: yes },
    { SSRF_PROTECTION_ENABLED: 'false', SSRF_DNS_FAIL_CLOSED: 'false' },
  ),
  ...later(
    FORGE,
    { feature: 'private addresses that callers name; the configuration may name any', asIs: no },
    { SSRF_ALLOW_LOCALHOST: 'true', SSRF_ALLOW_PRIVATE_NETWORKS: 'true' },
  ),
  ...later(
    FORGE,
    { feature: 'private addresses that callers name; the configuration may name any' },
    { SSRF_ALLOWED_NETWORKS: '["10.20.0.0/16"]' },
  ),
  ...later(
    FORGE,
    {
      feature: 'blocked networks and hosts',
      owner: UPSTREAMS,
      because: 'they would not be blocked; private and link-local ones always are, others belong into the firewall',
    },
    { SSRF_BLOCKED_NETWORKS: '["198.51.100.0/24"]', SSRF_BLOCKED_HOSTS: '["metadata.internal"]' },
  ),
]

export const LATER: readonly LaterRow[] = [
  ...CONTEXTFORGE,
  ...later(
    MCPAUTH,
    { feature: 'one cookie for a whole domain; each protected host has its own, from one sign-in' },
    { COOKIE_DOMAIN: 'example.com' },
  ),
  ...[
    ['GATEWAY_SIGNING_KEY', 'gateway-signing-key'],
    ['JWT_SESSION_SIGNING_KEY', 'session-signing-key'],
  ].flatMap(([name = '', flag = '']) =>
    later(KUADRANT, OWN_KEYS, { [name]: 'a-signing-key' }).map((row) => ({ ...row, flag })),
  ),
  ...later(KUADRANT, REDIS, { CACHE_CONNECTION_STRING: 'redis://localhost:6379' }).map((row) => ({
    ...row,
    flag: 'cache-connection-string',
  })),
  ...later(
    KUADRANT,
    { feature: 'traces and logs over OTLP', owner: 'observability', ambient: true },
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.example:4318',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector.example:4318',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://collector.example:4318',
      OTEL_EXPORTER_OTLP_INSECURE: 'true',
      OTEL_SERVICE_NAME: 'mcp-gateway',
      OTEL_SERVICE_VERSION: '1.0.0',
    },
  ),
  ...later(PORTKEY, OWN_KEYS, { JWT_PRIVATE_KEY: 'a-private-key' }),
  ...later(
    PORTKEY,
    { feature: 'a file of servers beside the configuration; write servers' },
    { SERVERS_CONFIG_PATH: './data/servers.json' },
  ),
  ...later(PORTKEY, { feature: 'a control plane elsewhere' }, { ALBUS_BASEPATH: 'https://albus.example.com' }),
]

const flags = (
  systems: readonly SeedSystem[],
  about: About & { readonly bool?: true },
  names: Readonly<Record<string, string>>,
): LaterRow[] => later(systems, about, names).map((row) => ({ ...row, name: `-${row.name}`, flag: row.name }))

/** Flags that have no variable. */
export const LATER_FLAGS: readonly LaterRow[] = [
  ...flags(
    MCPAUTH,
    { feature: 'an administrator from the command line', because: 'use `portcullis users add --admin`' },
    { adminUsername: 'admin', adminEmail: 'admin', adminPassword: 'admin' },
  ),
  ...flags(
    KUADRANT,
    { feature: 'its own file of servers', because: 'none of them would be there; write portcullis.yaml and --config' },
    { 'mcp-gateway-config': '/config/config.yaml' },
  ),
  ...flags(
    KUADRANT,
    { feature: 'an external processor; forwardAuth.grpc is ext_authz' },
    { 'mcp-router-address': '0.0.0.0:50051' },
  ),
  ...flags(
    KUADRANT,
    { feature: 'hosts of its own; write server.url' },
    { 'mcp-gateway-public-host': 'mcp.example.com', 'mcp-gateway-private-host': 'mcp.internal:8080' },
  ),
  ...flags(
    KUADRANT,
    { feature: 'a second listener for the metrics; write metrics.allow', owner: 'administration' },
    { 'metrics-addr': '0.0.0.0:9090' },
  ),
  ...flags(KUADRANT, { feature: 'sessions that end by the minute' }, { 'session-length': '1440' }),
  ...flags(KUADRANT, { feature: 'rounds to the servers', owner: UPSTREAMS }, { 'mcp-check-interval': '60' }),
  ...flags(
    KUADRANT,
    { feature: 'a time limit of answers; write server.limits.streamStall', asIs: is('0') },
    { 'mcp-broker-write-timeout': '30' },
  ),
  ...flags(
    KUADRANT,
    {
      feature: 'servers that are refused for one bad tool; at /mcp that tool alone is left out',
      asIs: is('filterout'),
    },
    { 'invalid-tool-policy': 'RejectServer' },
  ),
  ...flags(
    KUADRANT,
    { feature: 'a switch for it; write credentials: { type: secret } at the server', bool: true, asIs: no },
    { 'enable-url-elicitation': 'true' },
  ),
  ...flags(
    KUADRANT,
    { feature: 'agents that call agents, and profiles of the process', bool: true, asIs: no },
    { 'enable-a2a': 'true', 'enable-pprof': 'true' },
  ),
  ...flags(KUADRANT, { feature: 'tools that find tools', bool: true, asIs: no }, { 'discovery-tools-enabled': 'true' }),
  ...flags(KUADRANT, { feature: 'tools that find tools', asIs: is('0') }, { 'discovery-tool-threshold': '50' }),
  ...flags(KUADRANT, { feature: 'another form of the log; it is JSON where nobody watches' }, { 'log-format': 'json' }),
]
