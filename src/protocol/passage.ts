// Which header fields of a caller may go on to a server, whatever a list says: RFC 9110 §7.6.1, and what a server believes of the gate alone.
// Pure; names in any case.
import { IDENTITY_SUFFIXES, type IdentityAttribute } from './identity-headers.ts'

export type Passage =
  | { readonly kind: 'passes' }
  /** Says who calls: sent with what was verified, never copied. */
  | { readonly kind: 'identity'; readonly attribute: IdentityAttribute }
  | { readonly kind: 'never'; readonly because: string }

const FRAMING = 'it belongs to the message or the connection'
const CREDENTIAL = 'it carries a credential'
const GATE = 'only the gate may say it'

/** Of one connection or one message: where it ends, what is in it, whom it is for. */
const OF_THE_MESSAGE = new Set([
  ...[
    'connection',
    'keep-alive',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'http2-settings',
  ],
  ...['host', 'expect', 'accept', 'accept-encoding', 'user-agent', 'last-event-id', 'origin', 'referer', 'date'],
])
const OF_THE_MESSAGE_PREFIXES = ['content-', 'mcp-', 'sec-', 'access-control-', 'proxy-', 'if-']

const CREDENTIALS = new Set([
  ...['authorization', 'cookie', 'cookie2', 'set-cookie', 'set-cookie2', 'www-authenticate', 'authentication-info'],
  ...['proxy-authorization', 'proxy-authenticate', 'x-authorization', 'x-upstream-authorization', 'dpop', 'signature'],
  ...['x-api-key', 'api-key', 'apikey', 'x-portkey-api-key', 'x-auth-token', 'x-access-token', 'x-id-token'],
  ...[
    'x-user-jwt',
    'x-user-claims',
    'x-mcp-gateway-auth',
    'x-mcp-authorized',
    'x-vault-token',
    'x-csrf-token',
    'x-xsrf-token',
    'x-amz-security-token',
  ],
  ...['cf-access-jwt-assertion', 'cf-access-client-id', 'cf-access-client-secret', 'cf-authorization'],
  ...['x-goog-iap-jwt-assertion', 'x-pomerium-jwt-assertion', 'x-amzn-oidc-data', 'x-amzn-oidc-accesstoken'],
  ...[
    'x-auth-request-access-token',
    'x-forwarded-access-token',
    'x-ms-client-principal',
    'x-client-cert',
    'x-arr-clientcert',
    'client-cert',
  ],
])
const CREDENTIAL_PREFIXES = [
  'x-ms-token-',
  'x-ssl-client-',
  'ssl-client-',
  'x-client-cert-',
  'client-cert-',
  'x-authorized-',
]

/** What an ingress or the gate says of the request, and what would make another request or another caller of it. */
const OF_THE_GATE = new Set([
  ...['forwarded', 'via', 'x-real-ip', 'x-client-ip', 'true-client-ip', 'cdn-loop', 'x-rewrite-url', 'x-http-method'],
  ...[
    'x-http-method-override',
    'x-method-override',
    'x-portcullis-assertion',
    'x-cluster-client-ip',
    'fastly-client-ip',
  ],
  // RFC 3875 §4.1.18: HTTP_PROXY of a CGI program, which then calls others through whoever is named there.
  'proxy',
])
const OF_THE_GATE_PREFIXES = ['x-forwarded-', 'x-original-', 'x-portcullis-', 'x-envoy-', 'cf-', 'impersonate-']

/** Under which names proxies and gateways say who calls. */
const IDENTITY = new Map<string, IdentityAttribute>([
  ...Object.entries(IDENTITY_SUFFIXES).flatMap(([attribute, suffix]) =>
    ['x-forwarded-', 'x-forwarded-user-'].map(
      (prefix) => [`${prefix}${suffix.toLowerCase()}`, attribute as IdentityAttribute] as const,
    ),
  ),
  ['x-forwarded-user-id', 'id'],
  ['x-forwarded-preferred-username', 'name'],
  ['x-authenticated-user', 'user'],
  ['x-authenticated-email', 'email'],
  ['x-authenticated-groups', 'groups'],
  ['x-auth-request-user', 'user'],
  ['x-auth-request-email', 'email'],
  ['x-auth-request-groups', 'groups'],
  ['x-auth-request-preferred-username', 'name'],
  ['x-user', 'user'],
  ['x-username', 'user'],
  ['x-user-id', 'id'],
  ['x-user-email', 'email'],
  ['x-user-name', 'name'],
  ['x-user-groups', 'groups'],
  ['x-user-roles', 'roles'],
  ['x-groups', 'groups'],
  ['x-roles', 'roles'],
  ['x-teams', 'teams'],
  ['remote-user', 'user'],
  ['x-remote-user', 'user'],
  ['remote-email', 'email'],
  ['remote-name', 'name'],
  ['remote-groups', 'groups'],
  ['x-webauth-user', 'user'],
  ['x-consumer-username', 'user'],
  ['x-consumer-id', 'id'],
  ['x-goog-authenticated-user-email', 'email'],
  ['x-goog-authenticated-user-id', 'id'],
  ['cf-access-authenticated-user-email', 'email'],
  ['x-amzn-oidc-identity', 'id'],
  ['x-ms-client-principal-name', 'user'],
  ['x-ms-client-principal-id', 'id'],
  ['tailscale-user-login', 'user'],
  ['tailscale-user-name', 'name'],
  ['x-portkey-user', 'user'],
  ['x-portkey-team', 'teams'],
  ['x-portkey-roles', 'roles'],
])

/** No underscore and no dot: some servers read them as dashes, and would take one field for another. */
const NAME = /^[A-Za-z0-9-]+$/

const PASSES: Passage = { kind: 'passes' }
const never = (because: string): Passage => ({ kind: 'never', because })

export function passageOf(name: string): Passage {
  if (!NAME.test(name)) return never('names that pass are of letters, digits and dashes')
  const field = name.toLowerCase()
  const begins = (prefixes: readonly string[]) => prefixes.some((prefix) => field.startsWith(prefix))
  if (CREDENTIALS.has(field) || begins(CREDENTIAL_PREFIXES)) return never(CREDENTIAL)
  const attribute = IDENTITY.get(field)
  if (attribute !== undefined) return { kind: 'identity', attribute }
  if (OF_THE_MESSAGE.has(field) || begins(OF_THE_MESSAGE_PREFIXES)) return never(FRAMING)
  return OF_THE_GATE.has(field) || begins(OF_THE_GATE_PREFIXES) ? never(GATE) : PASSES
}

/** What a field may be called on the other side: no name that a server takes for the gate's word, but for what the gate vouches for. */
export function targetFlaw(from: string, to: string): string | undefined {
  const target = passageOf(to)
  if (target.kind === 'never') return target.because
  return target.kind === 'identity' && passageOf(from).kind !== 'identity' ? GATE : undefined
}

/** Where all fields pass but a few, nobody has looked at each: what sounds like a secret stays here. */
export const soundsSecret = (name: string): boolean =>
  /auth|cookie|credential|jwt|key|passw|secret|session|signature|token/i.test(name)

/** There as well: what sounds as if it said who calls, or for whom. Whoever means it lists it by its name. */
export const soundsPersonal = (name: string): boolean => PERSONAL.test(name)
const PERSONAL =
  /(?:^|-)(?:act-as|actor|admin|claims?|consumer|e?mail|groups?|identity|impersonate|is-admin|login|on-behalf-of|principal|roles?|subject|sudo|teams?|user[a-z]*)(?:-|$)/i
