// Portkey: its addresses, header fields and statuses.
import { endpoint, header, type Row, status } from './row.ts'

const A = 'test/acceptance'
const TOKENS = `${A}/api-tokens.test.ts`
const EXTERNAL = `${A}/external-tokens.test.ts`
const ACCESS = 'test/flows/portkey-access.test.ts'
const UPSTREAMS = 'upstreams and credentials'
const TOLD = `${A}/identity-forwarding.test.ts`
const HEADERS = `${A}/compatibility-headers.test.ts`

export const PORTKEY_ADDRESSES: readonly Row[] = [
  endpoint.works('POST /{server}/mcp', 'one server', 'test/flows/sign-in-and-call.test.ts', {
    at: 'POST /servers/{id}/mcp',
    says: "resource('",
  }),
  endpoint.works('POST /{workspace}/{server}/mcp', 'one server of a workspace', 'test/flows/sign-in-and-call.test.ts', {
    at: 'POST /servers/{id}/mcp',
    says: "resource('",
  }),
  endpoint.works('POST /mcp', 'the page’s own example', `${A}/resource-identity.test.ts`, { says: 'the address /mcp' }),
  endpoint.works('GET /{server}/sse', 'event stream of 2024-11-05', 'test/flows/older-channels.test.ts', {
    at: 'GET /servers/{id}/sse',
    says: 'serves the official client over HTTP+SSE',
  }),
  endpoint.works('POST /{server}/messages', 'messages beside that stream', 'test/flows/older-channels.test.ts', {
    at: 'POST /servers/{id}/messages',
    says: 'serves the official client over HTTP+SSE',
  }),
  ...['organisation/user', 'organisation/service', 'workspace/user', 'workspace/service'].map((of) =>
    endpoint.works(`POST /api-keys/${of}`, 'makes a key', `${A}/admin-api.test.ts`, {
      at: 'POST /api/v1/tokens',
      says: of.endsWith('service') ? "kind: 'service'" : '/tokens',
    }),
  ),
  endpoint.works('GET /api-keys', 'lists them, masked', TOKENS, { at: 'GET /api/v1/tokens', says: 'is listed masked' }),
  endpoint.works('GET /api-keys/{id}', 'shows one, masked', TOKENS, {
    at: 'GET /api/v1/tokens/{id}',
    says: "'GET', `/tokens/",
  }),
  endpoint.works('PUT /api-keys/{id}', 'changes one', `${A}/admin-api.test.ts`, {
    at: 'PATCH /api/v1/tokens/{id}',
    says: "'PATCH', `/tokens/",
  }),
  endpoint.works('DELETE /api-keys/{id}', 'revokes one', TOKENS, {
    at: 'DELETE /api/v1/tokens/{id}',
    says: "'DELETE', `/tokens/",
  }),
  endpoint.works('POST /api-keys/{id}/rotate', 'a new secret beside the old one', TOKENS, {
    at: 'POST /api/v1/tokens/{id}/rotate',
    says: '/rotate',
  }),
  endpoint.works('GET /', 'a greeting', `${A}/compatibility-headers.test.ts`, { says: 'GET /' }),
  endpoint.works('GET /health', 'liveness', `${A}/health.test.ts`),
  endpoint.works('GET /v1/health', 'liveness', `${A}/health.test.ts`, { at: 'GET /health' }),
  endpoint.works('POST /oauth/register', 'a client registers', 'test/rfc/7591.test.ts'),
  endpoint.works('GET /oauth/authorize', 'sign-in and consent', `${A}/authorize.test.ts`, {
    says: 'is asked for consent, and comes back with code',
  }),
  endpoint.works('POST /oauth/authorize', 'the answer to it', 'test/attacks/consent-forms.test.ts', {
    says: 'can both be answered',
  }),
  endpoint.works('POST /oauth/token', 'code for tokens', `${A}/token.test.ts`, { says: 'becomes tokens once' }),
  endpoint.works('POST /oauth/introspect', 'is this token good', 'test/rfc/7009-7662.test.ts', {
    says: 'RFC 7662 §2.2: introspection',
  }),
  endpoint.works('POST /oauth/revoke', 'ends a token', 'test/rfc/7009-7662.test.ts', {
    says: 'RFC 7009 §2.1: revocation',
  }),
  endpoint.later('GET /oauth/upstream-auth', 'connects an account at a server behind', UPSTREAMS),
  endpoint.later('GET /oauth/upstream-callback', 'the way back from there', UPSTREAMS),
  endpoint.works(
    'GET /.well-known/oauth-authorization-server',
    'authorization server document',
    `${A}/metadata.test.ts`,
    { says: '/.well-known/oauth-authorization-server' },
  ),
  endpoint.never(
    'GET /.well-known/oauth-authorization-server/{workspace}/{server}/mcp',
    'one of each server',
    'there is one authorization server',
  ),
  endpoint.works(
    'GET /.well-known/oauth-protected-resource/{workspace}/{server}/mcp',
    'protected-resource document',
    `${A}/protected-resource.test.ts`,
    { at: 'GET /.well-known/oauth-protected-resource/servers/{id}/mcp', says: 'its suffixes' },
  ),
  endpoint.works(
    'GET /.well-known/oauth-protected-resource/{workspace}/{server}/sse',
    'the same of the event stream',
    'test/flows/older-channels.test.ts',
    {
      at: 'GET /.well-known/oauth-protected-resource/servers/{id}/sse',
      says: 'have a protected-resource document each',
    },
  ),
  endpoint.works('GET /.well-known/jwks.json', 'keys of its signed identities', `${A}/forward-auth.test.ts`, {
    says: 'an assertion that it can check',
  }),
  endpoint.later('GET /admin/mcp/servers', 'servers', 'administration'),
  endpoint.later('GET /admin/cache/stats', 'its caches', 'administration'),

  header.works('Authorization', 'bearer token or key', 'the same', TOKENS, 'works as a bearer token'),
  header.works('X-API-Key', 'key', 'the same', TOKENS, 'as an API key'),
  header.never('x-portkey-api-key', 'key', 'X-API-Key carries it'),
  header.refused(
    '?x-api-key=',
    'key in the URL',
    'refused',
    `${A}/admin-api.test.ts`,
    'takes no credential from the address',
  ),
  ...['x-portkey-user', 'x-portkey-team', 'x-portkey-roles'].map((name) =>
    header.works(name, 'told to servers: the caller', 'under `identity.form: portkey`', TOLD),
  ),
  header.never('x-portkey-request-id', 'told to servers: the request', 'X-Request-Id says it'),
  header.works('X-User-Claims', 'told to servers: claims', 'under `identity.form: portkey`', TOLD),
  header.works(
    'X-User-JWT',
    'told to servers: a signed caller',
    'under `identity.form: portkey`: ES256, this server’s alone, 60 s',
    TOLD,
  ),
  header.works('WWW-Authenticate', 'the way to sign in', 'well formed', 'test/rfc/9728.test.ts'),
  ...['Cookie', 'Set-Cookie', 'api-key', 'apikey', 'X-Auth-Token', 'X-Access-Token'].map((name) =>
    header.works(name, 'goes to no server', 'the same', HEADERS),
  ),

  status.works(
    '401 "Missing Authorization header"',
    'no token',
    '401 with a challenge',
    'test/rfc/6750.test.ts',
    'RFC 6750 §3: the answer to',
  ),
  status.works(
    '401 "Invalid authorization header format"',
    'no bearer',
    '401 with a challenge',
    `${A}/proxy.test.ts`,
    'takes what nginx passes on of its own password prompt',
  ),
  status.works(
    '401 "JWT validation failed"',
    'signature, issuer, audience',
    '401 `invalid_token`, one sentence for every cause',
    EXTERNAL,
    'case by case',
  ),
  status.works('401 "Token is expired"', 'expired', '401 `invalid_token`', EXTERNAL, "['expired', "),
  status.works('401 "Token is not yet valid"', 'too early', '401 `invalid_token`', EXTERNAL, "'not yet', "),
  status.works(
    '401 "Missing required claims"',
    'claims that must be there',
    '401 `invalid_token`',
    'src/identity/claim-rules.test.ts',
    "describe('requiredClaims'",
  ),
  status.works(
    '401 "Token is not active"',
    'introspection says no',
    '401 `invalid_token`',
    'src/identity/introspection.test.ts',
    "['inactive', ",
  ),
  status.works(
    '403 workspace',
    'not a member',
    '404: hidden as what does not exist',
    `${A}/proxy.test.ts`,
    "'Remote-Groups': 'finance' })).status).toBe(404)",
  ),
  status.works(
    '404 unknown server',
    'nothing there',
    'the same',
    'test/flows/sign-in-and-call.test.ts',
    'signs in, and finds the server unknown',
  ),
  status.works(
    '500 "Unable to verify user access"',
    'closed',
    '503',
    `${A}/health.test.ts`,
    'the door refuses by then',
  ),
  status.works('429 rate of a key', 'too often', 'the same, with Retry-After', TOKENS, 'how often: 429'),
  status.works(
    '429 rate policy',
    'by tool, server, workspace',
    '429 with Retry-After, as `limits` say',
    ACCESS,
    'are 429 with the time to wait',
  ),
  status.works(
    '-32602 "Tool … is blocked"',
    'a tool that is not allowed',
    '-32602, in the words for an unknown tool; 403 with `policy.denials: explicit`',
    'test/flows/keycloak.test.ts',
    '-32602',
  ),
  status.works('200 key', 'made, shown once', '201', TOKENS, 'is shown once'),
  status.works('400 rotate', 'while the last one runs', '409', TOKENS, 'const again = await api.send'),
  status.works('201 client', 'registered', 'the same', `${A}/registration.test.ts`, 'is 201 with what was registered'),
  status.works(
    '200 revoke',
    'whatever the token',
    'the same',
    'test/rfc/7009-7662.test.ts',
    'answers 200 for tokens it does not know',
  ),
  status.never('401 invalid_grant', 'a bad code', '400', `${A}/token.test.ts`, 'invalid_grant'),
  status.never(
    '400 of an inactive token',
    'introspection',
    '200 `{"active":false}`',
    'test/rfc/7009-7662.test.ts',
    'MUST NOT tell anything',
  ),
]
