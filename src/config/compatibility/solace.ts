// Solace's authentication proxy, both tiers: its addresses, header fields, statuses and the keys beside those that are read as they are.
import { endpoint, header, key, type Row, status } from './row.ts'

const CODE = 'test/acceptance/gateway-code.test.ts'
const DELEGATED = 'test/acceptance/delegated-sign-in.test.ts'
const TIERS = 'test/flows/two-tiers.test.ts'
const TOKEN = 'test/acceptance/token.test.ts'
const KEYS = 'src/config/foreign-keys.test.ts'

export const SOLACE_ROWS: readonly Row[] = [
  endpoint.works('GET /.well-known/oauth-authorization-server', 'gateway: authorization server document', TIERS, {
    says: 'the twelve steps',
  }),
  endpoint.works('GET /oauth/authorize', 'gateway: sign-in begins', TIERS, { says: 'the twelve steps' }),
  endpoint.works('GET /oauth/callback', 'gateway: back from the auth server', DELEGATED),
  endpoint.works('POST /oauth/token', 'gateway: code or refresh token for tokens', TOKEN, { says: 'a refresh token' }),
  endpoint.works('POST /oauth/register', 'gateway: a client registers', 'test/rfc/7591.test.ts'),
  endpoint.works('GET /login', 'auth server: signs somebody in for a gateway', CODE, {
    says: 'sign-in for another gateway',
  }),
  endpoint.works('GET /callback', 'auth server: back from the provider', 'test/attacks/gateway-code.test.ts', {
    says: "'/callback'",
  }),
  endpoint.works('POST /gateway-oauth/exchange', 'auth server: gateway code for tokens', CODE),
  endpoint.works('POST /api/v1/gateway-oauth/exchange', 'the same, by older gateways', CODE),
  endpoint.works('POST /exchange-code', 'auth server: code for tokens, without a gateway', CODE),
  endpoint.works('POST /refresh_token', 'auth server: newer tokens', CODE),
  endpoint.works('POST /is_token_valid', 'auth server: is this token good', CODE),
  endpoint.works('GET /user_info', 'auth server: who is it', CODE),

  header.works('Authorization', 'bearer token', 'the same', CODE),
  header.refused(
    'Cookie: session',
    'token in a session',
    'no credential at a door',
    'test/acceptance/settlements-cookies.test.ts',
    'is no credential at the server',
  ),
  header.refused('?token=', 'token in the URL', 'refused', 'test/attacks/gateway-code.test.ts', 'none counts in a URL'),
  header.works(
    'Access-Control-Allow-Origin',
    'who may read',
    '`*` where no credential rides along',
    'test/attacks/browser-origin.test.ts',
  ),

  status.works(
    '302 /oauth/authorize',
    'to /login of the auth server',
    '303, after consent',
    DELEGATED,
    'asks it after consent',
  ),
  status.works(
    '400 /oauth/authorize',
    'no callback, no S256',
    'the same, and for unknown clients',
    'test/acceptance/authorize.test.ts',
    'a redirect URI that is not registered',
  ),
  status.works(
    '302 /oauth/callback',
    'to the client',
    '303 with `code`, `state`, `iss`',
    TIERS,
    'bring an MCP client to its tools',
  ),
  status.works(
    '400 /oauth/callback',
    'no code, unknown state',
    'the same',
    DELEGATED,
    '400 without a code or with a state nobody waits for',
  ),
  status.works('502', 'the auth server refuses', 'the same, with a way back', DELEGATED, '502 when it'),
  status.works(
    '503',
    'the auth server is down',
    'the same, with a time to come again',
    DELEGATED,
    '503 when it is down',
  ),
  status.works('200 /oauth/token', 'tokens', 'ours, never the provider’s', TIERS, 'hand on neither'),
  status.works('400 invalid_request', 'no code', 'the same', TOKEN, 'invalid_request'),
  status.works(
    '400 invalid_grant',
    'unknown, used, late, another callback, no verifier',
    'the same',
    TOKEN,
    'invalid_grant',
  ),
  status.works('400 unsupported_grant_type', 'another grant', 'the same', TOKEN, 'unsupported_grant_type'),
  status.never('500 without a token', 'the auth server answers none', '502', DELEGATED, 'gives no token'),
  status.works(
    '201 client',
    'registered, nothing stored',
    'registered and stored',
    'test/acceptance/registration.test.ts',
    'is 201 with what was registered',
  ),
  status.works(
    '400 client',
    'bad JSON',
    'the same',
    'test/rfc/7591.test.ts',
    'is JSON, an object, and not larger than 64 KB',
  ),
  status.never(
    '200 "Authentication required" in an MCP result',
    'no token',
    '401 with a challenge',
    'test/rfc/6750.test.ts',
    'MUST include WWW-Authenticate',
  ),
  status.works('302 /login', 'to the provider', '303, after consent', CODE, 'asks the person first'),
  status.works('400 "Unsupported provider: …"', '/login', 'the same', CODE, '400 "Unsupported provider"'),
  status.works('400 "Gateway URI not authorized"', '/login', 'the same', CODE, 'Gateway URI not authorized'),
  status.works(
    '302 /callback',
    'to the gateway, with a code',
    '303 with `code`, `state`, `iss`',
    CODE,
    'answers its callback with a code',
  ),
  status.works(
    '400 "Invalid or expired gateway code"',
    'exchange',
    'the same',
    CODE,
    'Invalid or expired gateway code',
  ),
  status.works('200, 401 /is_token_valid', 'good or not', 'the same', CODE, '/is_token_valid: 200, and 401'),
  status.works('401 "Not authenticated"', 'no token', '401', CODE, '/is_token_valid: 200, and 401'),
  status.works('401 "Invalid token"', 'a bad one', '401 `invalid_token`', CODE, '/is_token_valid: 200, and 401'),

  key.own('providers.NAME.issuer', 'a provider', '`identity.providers[].issuer`', KEYS),
  key.own('providers.NAME.client_id', 'our id there', '`identity.providers[].clientId`', KEYS),
  key.own('providers.NAME.client_secret', 'our secret there', '`identity.providers[].clientSecret`', KEYS),
  key.own('providers.NAME.redirect_uri', 'our callback there', '`identity.providers[].callback`', KEYS),
  key.own('providers.NAME.scope', 'what is asked for', '`identity.providers[].scopes`', KEYS),
  key.never('providers.NAME.audience', 'audience of its tokens', 'its tokens are not used here'),
  key.never('security.cors', 'origins', 'write server.allowedOrigins'),
  key.write(
    'security.gateway_redirect_whitelist',
    'callbacks of gateways',
    'oauth.gatewayCallbacks.allowedRedirectUris',
    CODE,
    'allowedRedirectUris',
  ),
  ...['code', 'gateway_uri', 'provider'].map((name) =>
    key.own(`POST /gateway-oauth/exchange: ${name}`, 'of the exchange', 'form, JSON or query', CODE, name),
  ),
  ...['gateway_uri', 'state', 'provider', 'redirect_uri'].map((name) =>
    key.own(`GET /login: ${name}`, 'of the sign-in', 'the same, each once', CODE, name),
  ),
  key.own('POST /refresh_token: refresh_token', 'of the renewal', 'form, JSON or query', CODE, 'refresh_token'),
]
