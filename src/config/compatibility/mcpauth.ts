// mcpauth: its addresses, header fields, statuses and keys. Much of it is Traefik's word for the caller.
import { endpoint, header, key, type Row, status } from './row.ts'

const A = 'test/acceptance'
const F = 'test/flows'
const FORWARD = `${A}/forward-auth.test.ts`
const INGRESS = `${F}/forward-auth.test.ts`

export const MCPAUTH_ROWS: readonly Row[] = [
  endpoint.works('GET /health', 'liveness', `${A}/health.test.ts`),
  endpoint.works(
    'GET /.well-known/oauth-authorization-server',
    'authorization server document',
    `${A}/metadata.test.ts`,
    { says: '/.well-known/oauth-authorization-server' },
  ),
  endpoint.works('OPTIONS /.well-known/oauth-authorization-server', 'its preflight', `${A}/metadata.test.ts`, {
    says: 'is for any origin',
  }),
  endpoint.works(
    'GET /.well-known/oauth-protected-resource',
    'protected-resource document',
    `${A}/protected-resource.test.ts`,
  ),
  endpoint.works('OPTIONS /.well-known/oauth-protected-resource', 'its preflight', `${A}/protected-resource.test.ts`),
  endpoint.works(
    'GET /.well-known/oauth-protected-resource/{path}',
    'the same of one path',
    `${A}/protected-resource.test.ts`,
    { at: 'GET /.well-known/oauth-protected-resource/servers/{id}/mcp', says: 'its suffixes' },
  ),
  endpoint.works('POST /register', 'a client registers', `${A}/registration.test.ts`, {
    says: 'is 201 with what was registered',
  }),
  endpoint.works('GET /authorize', 'sign-in begins', `${A}/authorize.test.ts`, {
    says: 'is asked for consent, and comes back with code',
  }),
  endpoint.works('GET /callback', 'the way back from the provider', 'test/attacks/gateway-code.test.ts', {
    says: "'/callback'",
  }),
  endpoint.works('POST /token', 'code for tokens', `${A}/token.test.ts`, { says: 'becomes tokens once' }),
  endpoint.works('ANY /auth', 'the check of an ingress', 'test/attacks/forward-auth-answers.test.ts', {
    says: 'POST /auth HTTP/1.1',
  }),
  endpoint.works('GET /sse', 'the protected path: check of an ingress, and MCP for clients', INGRESS, {
    says: '2 the protected path without a token',
  }),
  endpoint.works(
    'GET /auth/connect',
    'a browser signs in for the protected host',
    `${F}/forward-auth-browser.test.ts`,
    { at: 'GET /oauth/authorize', says: 'is shown after the sign-in, at the very address that was opened' },
  ),
  endpoint.works('GET /auth/connect/callback', 'and comes back', `${F}/forward-auth-browser.test.ts`, {
    at: 'GET /auth/sign-in',
  }),
  endpoint.works('POST /introspect', 'is this token good', 'test/rfc/7009-7662.test.ts', {
    at: 'POST /oauth/introspect',
    says: 'RFC 7662 §2.2: introspection',
  }),
  endpoint.works('GET /key', 'keys of its tokens', 'test/rfc/9068.test.ts', {
    at: 'GET /.well-known/jwks.json',
    says: '/.well-known/jwks.json',
  }),
  endpoint.works('GET /internal/login', 'a form for name and password', 'test/attacks/passwords.test.ts', {
    at: 'GET /oauth/authorize',
    says: 'password',
  }),
  endpoint.never('GET /internal/authorize', 'its own consent', 'consent is a step of /oauth/authorize'),
  endpoint.later('GET /users', 'accounts', 'administration'),
  endpoint.later('POST /users', 'makes one', 'administration'),
  endpoint.later('GET /clients', 'clients', 'administration'),
  endpoint.later('GET /scopes', 'scopes', 'administration'),
  endpoint.later('GET /admin', 'console', 'administration'),
  endpoint.never('GET /_ws_tunnel', 'a tunnel', 'tunnels are for whatever stands in front'),

  header.works('Authorization', 'bearer token', 'the same', 'test/rfc/6750.test.ts'),
  header.refused('?access_token=', 'token in the URL', 'refused', `${A}/settlements.test.ts`, '?access_token='),
  header.works(
    'X-Forwarded-Uri',
    'what the ingress is asked for',
    'from server.trustedProxies',
    'src/decision/ingress.test.ts',
  ),
  header.works(
    'X-Forwarded-Host',
    'at which host',
    'from server.trustedProxies; never for our own URLs',
    'src/decision/ingress.test.ts',
  ),
  header.works('X-Forwarded-Proto', 'by which scheme', 'from server.trustedProxies', 'src/decision/ingress.test.ts'),
  header.works('X-Forwarded-Method', 'by which method', 'from server.trustedProxies', 'src/decision/ingress.test.ts'),
  header.works(
    'X-Forwarded-User',
    'told to the server behind: the caller',
    'the verified address, else the account',
    FORWARD,
  ),
  header.works('X-Forwarded-Scopes', 'told to the server behind: scopes', 'the same, always there', FORWARD),
  header.works(
    'WWW-Authenticate',
    'the way to sign in',
    'with `resource_metadata` and `scope`, well formed',
    FORWARD,
    'www-authenticate',
  ),
  header.works(
    'Access-Control-Allow-Origin',
    'who may read',
    '`*` for documents, listed origins at the MCP doors',
    'test/attacks/browser-origin.test.ts',
  ),
  header.works(
    'Access-Control-Allow-Methods',
    'by which methods',
    'those the address has',
    `${A}/protected-resource.test.ts`,
  ),
  header.works(
    'Access-Control-Allow-Headers',
    'with which fields',
    'with mcp-protocol-version',
    `${A}/protected-resource.test.ts`,
  ),
  header.works('Access-Control-Max-Age', 'for how long', '86400', `${A}/compatibility-headers.test.ts`),
  header.never('Access-Control-Allow-Credentials', 'with cookies', 'no answer to another origin depends on a cookie'),
  header.works('Vary', 'by what the answer differs', 'the same', 'src/http/cors.test.ts'),

  status.works(
    '200 {"status":200,"message":"OK"}',
    '/health',
    'the same, and `state`',
    `${A}/health.test.ts`,
    "message: 'OK'",
  ),
  status.works(
    '302 without a token',
    'browsers, and everybody by the README',
    'browsers; everybody with `unauthenticated: redirect`',
    `${F}/forward-auth-browser.test.ts`,
    'is told from a program by what it asks for',
  ),
  status.works(
    '401 without a token',
    'by its code',
    'the same for who is no browser',
    INGRESS,
    '2 the protected path without a token: 401',
  ),
  status.works('200 with a token', 'the ingress passes it on', 'the same', INGRESS, '3 with a valid token: 200'),
  status.works(
    '401 bad token',
    'malformed, forged or expired',
    'the same, `error="invalid_token"`',
    INGRESS,
    '4 with an invalid token',
  ),
  status.works(
    '403 address not on the list',
    'by the README; its code says 401',
    '403',
    INGRESS,
    '5 with the token of a user who is not on the list: 403',
  ),
  status.works(
    '403 scope missing',
    'insufficient_scope',
    'the same, naming all that is needed',
    FORWARD,
    'a token without a required one is 403 insufficient_scope',
  ),
  status.works(
    '200 document by the ingress',
    'of the protected host, without a token',
    'the same',
    FORWARD,
    'the challenge names that document at an address of ours',
  ),
  status.works('201 client', 'registered', 'the same', `${A}/registration.test.ts`, 'is 201 with what was registered'),
  status.works(
    '400 invalid_request',
    'a registration that cannot be read',
    '`invalid_redirect_uri`, `invalid_client_metadata`',
    `${A}/registration.test.ts`,
    'invalid_redirect_uri',
  ),
  status.works(
    '307 to the provider',
    'from /authorize',
    '303, after consent',
    `${F}/federated.test.ts`,
    'comes after consent',
  ),
  status.works(
    '400 unsupported_response_type',
    'from /authorize',
    'an error answer to the client',
    `${A}/authorize.test.ts`,
    'unsupported_response_type',
  ),
  status.works(
    '307 to the client',
    'from /callback',
    '303 with `code`, `state` and `iss`',
    `${A}/authorize.test.ts`,
    'code, state and iss',
  ),
  status.works(
    '400 bad state',
    'from /callback',
    'the same',
    'test/attacks/consent.test.ts',
    'is refused to the other one, and stays open to the first',
  ),
  status.works(
    '500 exchange failed',
    'from /callback',
    '502 or 503, with a way back',
    `${A}/delegated-sign-in.test.ts`,
    '502 when it',
  ),
  status.works(
    '400 invalid_client, invalid_grant',
    'from /token',
    'the same; 401 invalid_client',
    `${A}/token.test.ts`,
    'invalid_grant',
  ),

  key.own(
    'MCPAUTH_BOOTSTRAP_CLIENTS: client_id',
    'a client known from the start',
    '`oauth.clients[].clientId`',
    'src/config/seed-mcpauth.test.ts',
    'client_id',
  ),
  key.own(
    'MCPAUTH_BOOTSTRAP_CLIENTS: client_secret',
    'its secret',
    '`oauth.clients[].clientSecret`',
    'src/config/seed-mcpauth.test.ts',
    'client_secret',
  ),
  key.own(
    'MCPAUTH_BOOTSTRAP_CLIENTS: client_name',
    'its name',
    '`oauth.clients[].name`',
    'src/config/seed-mcpauth.test.ts',
    'client_name',
  ),
  key.own(
    'MCPAUTH_BOOTSTRAP_CLIENTS: redirect_uris',
    'where it may be sent',
    '`oauth.clients[].redirectUris`',
    'src/config/seed-mcpauth.test.ts',
    'redirect_uris',
  ),
  key.elsewhere(
    'MCPAUTH_BOOTSTRAP_CLIENTS: scopes',
    'what it may ask for',
    { status: 'never', because: 'warned of; `oauth.allowedScopes` holds for all' },
    'src/config/seed-mcpauth.test.ts',
    'are told that their scopes say nothing here',
  ),
  key.own('POST /register: client_name', 'its name', 'the same', 'test/rfc/7591.test.ts', 'client_name'),
  key.own(
    'POST /register: redirect_uris',
    'where it may be sent',
    'the same',
    `${A}/registration.test.ts`,
    'redirect_uris',
  ),
]
