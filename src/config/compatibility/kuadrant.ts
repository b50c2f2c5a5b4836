// Kuadrant's MCP gateway: its addresses, header fields, statuses and keys.
import { endpoint, flag, header, key, type Row, status } from './row.ts'

const A = 'test/acceptance'
const GUIDE = 'test/flows/keycloak.test.ts'
const DOCUMENT = `${A}/protected-resource.test.ts`
const ROLES = 'test/flows/kuadrant-authorization.test.ts'
const LISTS = `${A}/capabilities.test.ts`
const FILE = 'src/config/foreign-kuadrant.test.ts'
const UPSTREAMS = 'upstreams and credentials'
const HOUSE = 'test/house/compatibility.test.ts'

const INTERNAL = 'fields between its own processes; ours has one'

export const KUADRANT_ROWS: readonly Row[] = [
  flag.works(
    '--log-level',
    'how talkative the log is',
    'in words; a number is refused by name',
    `${A}/compatibility-start.test.ts`,
    '--log-level is ours, in words',
  ),

  endpoint.works('GET /.well-known/oauth-protected-resource', 'protected-resource document', GUIDE),
  endpoint.works('OPTIONS /.well-known/oauth-protected-resource', 'its preflight', DOCUMENT, {
    says: 'answers a preflight',
  }),
  endpoint.works('GET /.well-known/oauth-protected-resource/mcp', 'the same, by path', GUIDE, { says: "['', '/mcp']" }),
  endpoint.works('POST /mcp', 'MCP', GUIDE, { says: 'step 5: the whole flow' }),
  endpoint.works('OPTIONS /mcp', 'its preflight', 'test/attacks/browser-origin.test.ts', {
    says: 'a preflight of a known origin',
  }),
  endpoint.never('POST /mcp/stateful', 'the handshake revisions alone', 'both eras answer at one address'),
  endpoint.never('POST /mcp/stateless', '2026-07-28 alone', 'both eras answer at one address'),
  endpoint.works('GET /healthz', 'liveness', `${A}/health.test.ts`),
  endpoint.works('GET /readyz', 'readiness', `${A}/health.test.ts`),
  endpoint.works('GET /', 'a greeting', `${A}/compatibility-headers.test.ts`, { says: 'GET /' }),
  endpoint.works('GET /metrics', 'numbers, at a port of its own', `${A}/health.test.ts`),
  endpoint.works('GET /status', 'servers and whether they answer', `${A}/health.test.ts`, {
    at: 'GET /ready',
    says: 'names a server that is down',
  }),
  endpoint.later('GET /status/{name}', 'one server', 'administration'),
  endpoint.works('GET /tokens', 'a form for a person’s own token', 'test/flows/connect.test.ts', {
    says: '/tokens?elicitation_id=',
  }),
  endpoint.works('POST /tokens', 'keeps it', 'test/flows/connect.test.ts', { says: '/tokens?elicitation_id=' }),
  endpoint.never('GET /mcp/elicitation', 'the way there', 'the link in the answer leads to the form itself'),

  header.works(
    'Authorization',
    'bearer token',
    'the same; it goes to no server',
    `${A}/compatibility-headers.test.ts`,
    'nor does the token',
  ),
  header.works('WWW-Authenticate', 'the way to the document', 'the same, quoted', GUIDE),
  header.works('Access-Control-Allow-Origin', 'who may read the document', '`*`', GUIDE),
  header.works('Access-Control-Max-Age', 'for how long', '86400', `${A}/compatibility-headers.test.ts`),
  header.never('Access-Control-Allow-Credentials', 'with cookies', 'the document needs none'),
  header.works(
    'Mcp-Session-Id',
    'session of a client',
    'the same, sealed',
    'src/mcp/session.test.ts',
    'a sealed session id',
  ),
  ...[
    'x-mcp-method',
    'x-mcp-toolname',
    'x-mcp-promptname',
    'x-mcp-servername',
    'x-mcp-resourceuri',
    'x-mcp-annotation-hints',
    'x-mcp-verified-sub',
  ].map((name) =>
    header.never(name, 'what the router read from the message', `${INTERNAL}, and reads the message itself`),
  ),
  header.works(
    'x-mcp-authorized',
    'signed list of what the caller may see',
    'the same with `auth.capabilities`; calls are held to it, too',
    LISTS,
    "FIELD = 'x-mcp-authorized'",
  ),
  header.works('x-authorized-tools', 'its older name', 'the same', LISTS, 'X-Authorized-Tools'),
  header.never('x-allowed-tools', 'the same in a paper', 'no release had it'),
  header.works(
    'X-Mcp-Virtualserver',
    'a view of the tools',
    'the same at `/mcp`, for calls as well; an unknown one shows nothing',
    ROLES,
  ),
  header.never('router-key', 'trust between its processes', `${INTERNAL}. It let callers past the check once`),
  header.never('mcp-init-host', 'trust between its processes', `${INTERNAL}. It let callers past the check once`),
  header.works('Cookie', 'goes to no server', 'the same', `${A}/compatibility-headers.test.ts`),
  header.works('Proxy-Authorization', 'goes to no server', 'the same', `${A}/compatibility-headers.test.ts`),
  header.works(
    'X-Vault-Token',
    'the gateway at the vault',
    'the same, under `credentials: { type: vault }`',
    `${A}/hashicorp-vault.test.ts`,
    'each person’s own is used',
  ),

  status.works(
    '401 {"error":"Unauthorized","message":"Authentication required."}',
    'no token',
    'the same',
    GUIDE,
    "{ error: 'Unauthorized', message: 'Authentication required.' }",
  ),
  status.works('401 bad token', 'malformed or of another issuer', 'the same', GUIDE, 'const forged = '),
  status.works('200 document', 'any suffix', 'configured resources; 404 for others', DOCUMENT, 'its suffixes'),
  status.works('200 preflight', 'empty body', '204', DOCUMENT, 'answers a preflight'),
  status.never('200 document by POST, PUT, DELETE', 'any method', '405', DOCUMENT, 'no method that writes'),
  status.works(
    '200 tools/list',
    'only what the roles allow',
    'only what policy.rules allow',
    GUIDE,
    'sees what their groups and roles may see',
  ),
  status.works(
    '403 {"error":"Forbidden","message":"MCP Tool Access denied. …"}',
    'a tool that is not allowed',
    'the same with `policy.denials: explicit`, else as an unknown tool',
    ROLES,
    'is 403 with the words of the guide, and reaches nobody',
  ),
  status.works(
    '403 {"error":"Forbidden","message":"MCP Access denied: Insufficient permissions."}',
    'a prompt that is not allowed',
    'the same with `policy.denials: explicit`',
    ROLES,
    'MCP Access denied: Insufficient permissions.',
  ),
  status.works(
    '401, 403 of other methods at the gateway',
    'only lists and initialize',
    'as policy.rules say, for whatever can be called',
    ROLES,
    'a prompt wants a role of its own',
  ),
  status.works(
    '200 empty list',
    'a bad capability header',
    'the same; calls are refused as well',
    LISTS,
    'nothing is listed and nothing can be called',
  ),
  status.later('-32042', 'a person’s own token is needed', UPSTREAMS, 'none is kept yet', HOUSE, 'answers 404 at'),
  status.works(
    '403 after an exchange',
    'the token of the exchange is not for this server',
    'the same, under `credentials: { type: token-exchange }`',
    `${A}/token-exchange.test.ts`,
    'the new token is for another',
  ),
  status.works('200, 503 of /readyz', 'ready or not', 'the same', `${A}/health.test.ts`, "'/readyz'"),

  key.own('resource_name', 'of the document', 'OAUTH_RESOURCE_NAME', GUIDE),
  key.own('resource', 'of the document', 'OAUTH_RESOURCE', GUIDE),
  key.own('authorization_servers', 'of the document', 'OAUTH_AUTHORIZATION_SERVERS', GUIDE),
  key.own('bearer_methods_supported', 'of the document', 'always `header`', GUIDE),
  key.own('scopes_supported', 'of the document', 'OAUTH_SCOPES_SUPPORTED', GUIDE),
  key.write(
    'spec.oauthProtectedResource.resourceName',
    'MCPGatewayExtension',
    'oauth.resourceName',
    DOCUMENT,
    'OAUTH_RESOURCE_NAME',
  ),
  key.write(
    'spec.oauthProtectedResource.resource',
    'MCPGatewayExtension',
    'oauth.resource',
    `${A}/resource-identity.test.ts`,
    'the address /mcp',
  ),
  key.write(
    'spec.oauthProtectedResource.authorizationServers',
    'MCPGatewayExtension',
    'oauth.authorizationServers',
    'src/config/seed-issuers.test.ts',
    'authorizationServers',
  ),
  key.never('spec.oauthProtectedResource.bearerMethodsSupported', 'MCPGatewayExtension', 'the header alone'),
  key.write(
    'spec.oauthProtectedResource.scopesSupported',
    'MCPGatewayExtension',
    'oauth.scopesSupported',
    DOCUMENT,
    'OAUTH_SCOPES_SUPPORTED',
  ),
  key.write(
    'spec.rules.authentication.jwt.issuerUrl',
    'AuthPolicy',
    'auth.issuers[].issuer',
    `${A}/external-tokens.test.ts`,
    'opens the door, and the record knows whose it is',
  ),
  key.never('spec.when', 'AuthPolicy: paths without a check', 'documents are public, nothing else is'),
  key.never('spec.response.unauthenticated', 'AuthPolicy: the 401', 'it is written here'),
  key.write(
    'spec.prefix',
    'MCPServerRegistration: before the tools’ names',
    'servers[].prefix',
    FILE,
    "prefix: 'test1_'",
  ),
  key.never('spec.targetRef', 'MCPServerRegistration', 'write servers[].url'),
  key.write('spec.path', 'MCPServerRegistration', 'servers[].url', 'test/flows/upstreams.test.ts', 'over HTTP'),
  key.later('spec.credentialRef', 'MCPServerRegistration: credential of a server', UPSTREAMS),
  key.later('spec.caCertSecretRef', 'MCPServerRegistration: authority of its certificate', UPSTREAMS),
  key.later('spec.tokenURLElicitation', 'MCPServerRegistration: where people leave tokens', UPSTREAMS),
  key.later('spec.userSpecificList', 'MCPServerRegistration: lists of each person', UPSTREAMS),
  key.never('spec.category', 'MCPServerRegistration: category, hint, tags', 'write servers[].title'),
  key.later('spec.state', 'MCPServerRegistration: switched on or off', 'administration'),
  key.own(
    'servers[].name',
    'its name, `namespace/name`',
    'the same; `servers[].id` is made of it where there is none',
    FILE,
    "name: 'mcp-test/server1-route'",
  ),
  key.own('servers[].prefix', 'before the tools’ names', 'the same', FILE, "prefix: 'test1_'"),
  key.own('virtualServers', 'views of the tools', '`servers[]` with `tools`', FILE, 'virtualServers'),
  key.elsewhere(
    'claim: resource_access',
    'tools and prompts by role',
    { status: 'works', how: 'the same with `policy.resourceAccess`' },
    ROLES,
    'resourceAccess: {}',
  ),
  ...['allowed-capabilities', 'allowed-tools'].map((name) =>
    key.elsewhere(
      `claim: ${name}`,
      'in the capability header',
      { status: 'works', how: 'the same, where `x-mcp-authorized` is read' },
      LISTS,
      `'${name}'`,
    ),
  ),
]
