// Keys this version knows by name but does not have: refused by that name, so that nobody believes they are in force.
import type { Path } from './settings.ts'

/** Paths with lists as `[]`. What they will do is in the sentence; a refusal names the key as written. */
const LATER: Readonly<Record<string, string>> = {
  'server.tls': 'TLS in the gateway itself; for now end TLS at a reverse proxy',
  'server.admin': 'a second listener for the administration',
  'server.workers': 'more than one process',
  'store.redis': 'Redis as bus and shared limiter',
  'identity.mapping.organisation': 'organisations as part of who somebody is',
  'identity.providers[].mapping.organisation': 'organisations as part of who somebody is',
  'auth.issuers': 'tokens of other authorization servers',
  'auth.proxy': 'identity from a trusted proxy',
  'auth.mtls': 'client certificates',
  'auth.apiKeys': 'API keys',
  'oauth.gatewayCallbacks': 'the redirect proxy for other gateways',
  'servers[].auth': 'other ways to knock for one server',
  'servers[].tools': 'virtual servers',
  'servers[].identity': 'identity forwarding to servers',
  'servers[].passthroughHeaders': 'header passthrough',
  'servers[].publicUrl': 'a server whose public address is elsewhere',
  'servers[].instances': 'more than one process of a stdio server',
  'servers[].limits': 'limits of one server',
  'policy.rules[].when': 'conditions',
  'policy.rules[].unless': 'conditions',
  'policy.denials': 'explicit denials',
  'audit.arguments': 'digests of arguments in the record',
  limits: 'rate limits',
  doors: 'closing doors',
  forwardAuth: 'forward-auth',
  cluster: 'more than one replica',
  tokens: 'API tokens',
  tls: 'TLS in the gateway itself; for now end TLS at a reverse proxy',
  vault: 'the vault',
  admin: 'the admin API',
  console: 'the console',
}

/** Values of a `type` that have no implementation yet. */
const LATER_TYPES: Readonly<Record<string, readonly string[]>> = {
  'servers[].credentials.type': [
    'oauth',
    'client-credentials',
    'token-exchange',
    'on-behalf-of',
    'id-jag',
    'secret',
    'vault',
    'caller',
  ],
  'identity.providers[].type': ['saml'],
}

const patternOf = (path: Path): string =>
  path.map((key, index) => (typeof key === 'number' ? '[]' : index === 0 ? key : `.${key}`)).join('')

export const findLater = (path: Path): string | undefined => {
  const pattern = patternOf(path)
  return Object.hasOwn(LATER, pattern) ? LATER[pattern] : undefined
}

export const isLaterType = (path: Path, value: unknown): boolean =>
  typeof value === 'string' && (LATER_TYPES[patternOf(path)]?.includes(value) ?? false)

export const laterKeys = (): string[] => Object.keys(LATER)
