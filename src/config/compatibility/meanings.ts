// What a variable, flag or key that works here does in the system it comes from, and the test of what it does here beyond setting ours.

const A = 'test/acceptance'
const PROXY = `${A}/proxy.test.ts`
const MIGRATION = 'test/flows/proxy-migration.test.ts'
const DOCUMENT = `${A}/protected-resource.test.ts`
const START = `${A}/settlements-start.test.ts`
const PASSED = `${A}/passthrough.test.ts`
const SETTLED = `${A}/settlements.test.ts`
const DELEGATED = `${A}/delegated-sign-in.test.ts`
const CODE = `${A}/gateway-code.test.ts`

interface Meaning {
  readonly there: string
  /** Holds the name. Default: the test of the table. */
  readonly test?: string
  readonly says?: string
}

export const MEANINGS: Readonly<Record<string, Meaning>> = {
  DATABASE_URL: { there: 'where data is kept', test: START },
  MCP_CLIENT_AUTH_ENABLED: { there: 'tokens of its own at the MCP door', test: PROXY },
  TRUST_PROXY_AUTH: { there: 'believes the proxy’s header', test: PROXY },
  TRUST_PROXY_AUTH_DANGEROUSLY: { there: 'second consent to that' },
  PROXY_USER_HEADER: { there: 'name of the header', test: MIGRATION },
  AUTH_REQUIRED: { there: 'a sign-in at the administration', test: SETTLED },
  MCP_REQUIRE_AUTH: { there: 'a sign-in at the MCP door' },
  AUTH_HEADER_NAME: { there: 'field of the bearer token', test: PROXY, says: 'a bearer in another header' },
  BASIC_AUTH_USER: { there: 'administrator’s name', test: PROXY },
  BASIC_AUTH_PASSWORD: { there: 'administrator’s password', test: PROXY },
  SESSION_TTL: { there: 'life of a sign-in', test: START },
  LOG_LEVEL: { there: 'how talkative the log is' },
  PORT: { there: 'where it listens', test: START },
  JWT_PUBLIC_KEY_PATH: { there: 'key of its tokens', test: 'src/config/seed-issuers.test.ts' },
  JWT_ALGORITHM: { there: 'how they are signed', test: 'src/config/seed-issuers.test.ts' },
  JWT_ISSUER: { there: 'issuer of them', test: 'src/config/seed-issuers.test.ts' },
  JWT_AUDIENCE: { there: 'audience of them', test: 'src/config/seed-issuers.test.ts' },
  REQUIRE_JTI: { there: 'tokens have an id' },
  ENABLE_METRICS: { there: 'numbers for Prometheus' },
  ENABLE_HEADER_PASSTHROUGH: { there: 'headers of callers go to servers', test: PASSED },
  DEFAULT_PASSTHROUGH_HEADERS: { there: 'which of them', test: PASSED },
  PASSTHROUGH_HEADERS_SOURCE: { there: 'whose list counts; administrators’ is the file’s here', test: PASSED },
  ENABLE_OVERWRITE_BASE_HEADERS: { there: 'they may take the place of its own' },
  IDENTITY_PROPAGATION_ENABLED: { there: 'servers are told who calls' },
  IDENTITY_PROPAGATION_MODE: { there: 'in headers, in `_meta`, or both' },
  IDENTITY_PROPAGATION_HEADERS_PREFIX: { there: 'how those headers begin' },
  IDENTITY_SENSITIVE_ATTRIBUTES: { there: 'what of it stays here' },
  IDENTITY_SIGN_CLAIMS: { there: 'a signature over it; an assertion of ours here' },
  OAUTH_DOMAIN: { there: 'host of the issuer', test: START },
  DEV_MODE: { there: 'http in its URLs' },
  CLIENT_ID: { there: 'our id at the provider', test: START },
  GOOGLE_CLIENT_ID: { there: 'the same' },
  CLIENT_SECRET: { there: 'our secret there', test: START },
  GOOGLE_CLIENT_SECRET: { there: 'the same' },
  PROVIDER: { there: 'kind of provider' },
  KEYCLOAK_AUTH_HOST: { there: 'host of Keycloak' },
  KEYCLOAK_AUTH_PORT: { there: 'its port' },
  KEYCLOAK_AUTH_PROTOCOL: { there: 'http or https' },
  KEYCLOAK_AUTH_REALM: { there: 'its realm' },
  ALLOWED_EMAILS: { there: 'who may come', test: SETTLED },
  ALLOWED_SCOPES: { there: 'what a client may ask for', test: SETTLED },
  REQUIRED_SCOPES: { there: 'what every token must hold', test: SETTLED },
  PROTECTED_PATH: { there: 'path of the check', test: 'src/config/seed-mcpauth.test.ts' },
  AUTHORIZATION_BEARER_TOKEN: { there: 'one fixed token' },
  ENABLE_EDGE_AUTH: { there: 'sign-in of browsers' },
  MCPAUTH_BOOTSTRAP_CLIENTS: { there: 'clients known from the start', test: 'src/config/seed-mcpauth.test.ts' },
  '-useInternalAuth': { there: 'accounts of its own' },
  '-dataDir': { there: 'folder of its data' },
  OAUTH_RESOURCE_NAME: { there: 'name in the document', test: DOCUMENT },
  OAUTH_RESOURCE: { there: 'identity of `/mcp`', test: START },
  OAUTH_AUTHORIZATION_SERVERS: { there: 'whose tokens count', test: 'src/config/seed-issuers.test.ts' },
  OAUTH_BEARER_METHODS_SUPPORTED: { there: 'where a token may stand' },
  OAUTH_SCOPES_SUPPORTED: { there: 'scopes in the document', test: DOCUMENT },
  TRUSTED_HEADER_PUBLIC_KEY: {
    there: 'whose signed lists of capabilities count',
    test: 'test/acceptance/capabilities.test.ts',
  },
  '-enforce-capability-filtering': { there: 'nothing is open without such a list' },
  '-mcp-broker-public-address': { there: 'where it listens' },
  '-max-request-body-size': { there: 'largest request' },
  MCP_GATEWAY_BASE_URL: { there: 'its address from outside' },
  MCP_PORT: { there: 'where it listens' },
  MCP_EXTERNAL_BASE_URL: { there: 'its address from outside' },
  OAUTH2_DEV_MODE: { there: 'http in its URLs' },
  OAUTH2_HOST: { there: 'where it listens' },
  OAUTH2_PORT: { there: 'where it listens' },
  OAUTH2_ENABLED: { there: 'sign-in on or off', test: START },
  EXTERNAL_AUTH_SERVICE_URL: { there: 'the server that signs people in' },
  EXTERNAL_AUTH_PROVIDER: { there: 'which provider it is to use' },
  'proxy_oauth.enabled': { there: 'signs people in for gateways', test: CODE, says: 'enabled' },
  'proxy_oauth.allowed_redirect_uris': {
    there: 'callbacks of those gateways',
    test: CODE,
    says: 'allowedRedirectUris',
  },
  'proxy_oauth.gateway_code_ttl_seconds': { there: 'life of a gateway code', test: CODE, says: 'is for five minutes' },
  'proxy_oauth.strict_uri_validation': { there: 'callbacks letter by letter', test: CODE, says: 'strict' },
  'session.timeout': { there: 'life of a sign-in' },
  development_mode: { there: 'http is accepted' },
  'adapter_config.enable_auth': { there: 'sign-in on or off', test: START, says: 'enable_auth' },
  'adapter_config.external_auth_service_url': {
    there: 'the server that signs people in',
    test: DELEGATED,
    says: 'url: server.url',
  },
  'adapter_config.external_auth_provider': { there: 'which provider it is to use', test: DELEGATED, says: "'azure'" },
  'adapter_config.user_id_claim': {
    there: 'claim that says who somebody is',
    test: 'src/identity/delegated.test.ts',
    says: 'is the claim that was chosen',
  },
  'adapter_config.host': { there: 'where it listens' },
  'adapter_config.port': { there: 'where it listens' },
  'adapter_config.mcp_server_name': { there: 'its name' },
  'adapter_config.dev_mode': { there: 'http is accepted' },
}
