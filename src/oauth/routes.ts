// The addresses of the authorization server. One that is not here does not exist.
import type { JWK } from 'jose'
import type { Config } from '../config/schema.ts'
import { allowAnyOrigin, answerPublicPreflight } from '../http/cors.ts'
import type { Endpoint } from '../http/exchange.ts'
import { publicDocument } from '../http/public-document.ts'
import { authorizationServerMetadata, METADATA_PATHS } from '../protocol/authorization-server.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Durable, UserRecord } from '../store/durable.ts'
import type { Ephemeral } from '../store/ephemeral.ts'
import type { AccessToken } from '../tokens/access-token.ts'
import { publicKeySet } from '../tokens/key-set.ts'
import { type Acts, refusalRecorder } from './acts.ts'
import type { AnsweredHere } from './answered.ts'
import { AUTHORIZATION_ROUTE, authorizationEndpoint, resumeEndpoint } from './authorize.ts'
import type { GatewayClients } from './gateways/clients.ts'
import { gatewayEndpoints } from './gateways/endpoints.ts'
import type { Library } from './library.ts'
import { REGISTRATION_ROUTE, registrationEndpoints } from './registration.ts'
import { IDENTITY_SCOPES } from './scopes.ts'
import { TOKEN_ROUTE, tokenEndpoint, tokenRequests } from './token.ts'
import { handleEndpoint, INTROSPECTION_ROUTE, REVOCATION_ROUTE } from './token-handles.ts'

interface Needs {
  readonly config: Pick<Config, 'server' | 'oauth' | 'scopes' | 'identity'>
  readonly durable: Pick<Durable, 'clients' | 'refreshTokens' | 'users'>
  readonly ephemeral: Pick<Ephemeral, 'counters' | 'artifacts'>
  /** Private JWKs; their public halves are published. */
  signingKeys(): JWK[]
  verifyOwnToken(token: string): Promise<AccessToken | undefined>
  isAdmitted(user: UserRecord): boolean
  readonly library: Library
  readonly answered: AnsweredHere
  readonly gateways: GatewayClients
  readonly acts: Acts
  readonly clock: Clock
}

/** The endpoint at exactly this path, or nothing. */
export function routes(needs: Needs): (path: string) => Endpoint | undefined {
  const { config, durable, ephemeral, library, answered, gateways, acts, clock, verifyOwnToken } = needs
  const { server, oauth } = config
  const { bodyTimeout } = server.limits
  const { counters, artifacts } = ephemeral
  const refused = (act: string) => refusalRecorder(acts, act)
  const toBrowser = { library, refused: refused('authorization_refused') }
  const authorize = authorizationEndpoint({ ...toBrowser, bodyTimeout })
  const send = tokenRequests({ library, artifacts, clock })
  const token = anyOrigin(tokenEndpoint({ send, bodyTimeout, refused: refused('token_refused') }))
  const handle = (route: string) =>
    handleEndpoint(route, { library, bodyTimeout, verifyOwnToken, refused: refused('token_refused') })
  const metadata = publicDocument(() =>
    authorizationServerMetadata({
      issuer: server.url,
      scopes: [...Object.keys(config.scopes), ...IDENTITY_SCOPES],
      registration: oauth.registration.dynamic,
      metadataDocuments: oauth.registration.metadataDocuments,
    }),
  )
  const exact = new Map<string, Endpoint>([
    ...METADATA_PATHS.map((path) => [path, metadata] as const),
    ['/.well-known/jwks.json', publicDocument(() => publicKeySet(needs.signingKeys()))],
    [AUTHORIZATION_ROUTE, authorize],
    [TOKEN_ROUTE, token],
    [REVOCATION_ROUTE, anyOrigin(handle(REVOCATION_ROUTE))],
    [INTROSPECTION_ROUTE, handle(INTROSPECTION_ROUTE)],
    // MCP 2025-03-26, Authorization: the places where clients look that find no metadata.
    ['/authorize', authorize],
    ['/token', token],
    ...gatewayEndpoints({
      enabled: oauth.gatewayCallbacks.enabled,
      gateways,
      providers: config.identity.providers.map((provider) => (provider.type === 'local' ? 'local' : provider.id)),
      library,
      send,
      artifacts,
      refreshTokens: durable.refreshTokens,
      verifyOwnToken,
      findUser: durable.users.find,
      isAdmitted: needs.isAdmitted,
      clock,
      bodyTimeout,
      refused,
    }),
  ])
  const registration = oauth.registration.dynamic
    ? registrationEndpoints({
        library,
        clients: durable.clients,
        counters,
        registration: oauth.registration,
        clock,
        bodyTimeout,
        refused: refused('registration_refused'),
      })
    : undefined
  if (registration !== undefined) {
    exact.set(REGISTRATION_ROUTE, anyOrigin(registration.register))
    exact.set('/register', anyOrigin(registration.register))
  }
  return (path) => {
    const endpoint = exact.get(path)
    if (endpoint) return endpoint
    const uid = idBelow(path, AUTHORIZATION_ROUTE)
    if (uid !== undefined) return resumeEndpoint({ ...toBrowser, answered }, uid)
    const client = idBelow(path, REGISTRATION_ROUTE)
    return client === undefined ? undefined : registration?.manage(client)
  }
}

const idBelow = (path: string, route: string): string | undefined =>
  path.startsWith(`${route}/`) ? /^[A-Za-z0-9_-]{10,128}$/.exec(path.slice(route.length + 1))?.[0] : undefined

/** Carries no cookie, so any page may call it (Fetch standard, CORS protocol without credentials). */
function anyOrigin(endpoint: Endpoint): Endpoint {
  return (exchange) => {
    allowAnyOrigin(exchange)
    return exchange.req.method === 'OPTIONS' ? answerPublicPreflight(exchange, 'POST') : endpoint(exchange)
  }
}
