// The configuration of the library, oidc-provider: one literal, each hook from its own file. Every default that is replaced, or
// kept although it looks replaceable, has its reason.

import type { EventEmitter } from 'node:events'
import type { JWK } from 'jose'
import Provider, { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { OAuthConfig } from '../config/oauth.ts'
import type { Log } from '../observe/log.ts'
import { ASSERTION_ALGORITHMS, CLIENT_AUTH_METHODS } from '../protocol/authorization-server.ts'
import type { Clock } from '../protocol/clock.ts'
import { StoreUnavailable } from '../protocol/errors.ts'
import { type accountFinder, CLAIMS } from './accounts.ts'
import type { createAdapters } from './adapter.ts'
import { AUTHORIZATION_ROUTE } from './authorize.ts'
import type { clientDocuments } from './client-document.ts'
import { compareHashedSecrets } from './client-secret.ts'
import type { configuredClients } from './clients.ts'
import type { consentKeeper } from './consent.ts'
import { COOKIE_OPTIONS, cookieNames } from './cookies.ts'
import { renderError } from './error-page.ts'
import { hearRefusals, type issuanceRecorder, withhold } from './issuance.ts'
import { deriveSuccessors, rotateRefreshToken } from './refresh.ts'
import { REGISTRATION_ROUTE } from './registration.ts'
import type { resourceIndicators } from './resources.ts'
import { IDENTITY_SCOPES } from './scopes.ts'
import { TOKEN_ROUTE } from './token.ts'
import { INTROSPECTION_ROUTE, isOwnToken, REVOCATION_ROUTE } from './token-handles.ts'

export interface ProviderNeeds {
  readonly serverUrl: string
  readonly oauth: OAuthConfig
  readonly sessionTtl: number
  /** Milliseconds that a code of this client lives. */
  codeTtl(clientId: string): number
  readonly clock: Clock
  readonly log: Pick<Log, 'error'>
  readonly keys: { signing: JWK[]; cookie: string[]; refreshSecret(): string }
  readonly adapters: ReturnType<typeof createAdapters>
  readonly consent: ReturnType<typeof consentKeeper>
  readonly findAccount: ReturnType<typeof accountFinder>
  readonly resources: ReturnType<typeof resourceIndicators>
  readonly documents: ReturnType<typeof clientDocuments>
  readonly clients: ReturnType<typeof configuredClients>
  readonly recordIssuance: ReturnType<typeof issuanceRecorder>
}

/** Signing in with a second factor on another device takes a while. Seconds. */
export const INTERACTION_TTL = 30 * 60
const seconds = (milliseconds: number): number => Math.max(1, Math.floor(milliseconds / 1000))

export function createProvider(needs: ProviderNeeds): Provider {
  const { serverUrl, oauth, sessionTtl, clock, log, keys } = needs
  const configuration: Configuration = {
    adapter: needs.adapters,
    clients: needs.clients,
    jwks: { keys: keys.signing },
    findAccount: needs.findAccount,
    claims: CLAIMS,
    scopes: [...IDENTITY_SCOPES],
    routes: {
      authorization: AUTHORIZATION_ROUTE,
      token: TOKEN_ROUTE,
      registration: REGISTRATION_ROUTE,
      revocation: REVOCATION_ROUTE,
      introspection: INTROSPECTION_ROUTE,
    },
    responseTypes: ['code'],
    // Stricter than the default, which lets confidential clients go without (RFC 9700 §2.1.1).
    pkce: { required: () => true },
    // OAuth 2.1 §4.1.3: with loopback ports an omitted redirect URI has no one meaning.
    allowOmittingSingleRegisteredRedirectUri: false,
    clientAuthMethods: [...CLIENT_AUTH_METHODS],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { clientAuthSigningAlgValues: [...ASSERTION_ALGORITHMS], idTokenSigningAlgValues: ['ES256'] },
    assertJwtClientAuthClaimsAndHeader: checkAssertion,
    // Cross-origin answers are decided in front of the library, which never sees an Origin header.
    clientBasedCORS: () => false,
    cookies: { names: cookieNames(serverUrl), long: COOKIE_OPTIONS, short: COOKIE_OPTIONS, keys: keys.cookie },
    // Which provider another gateway asked for; readAuthorizationRequest lets nobody else send it.
    extraParams: ['provider'],
    interactions: {
      policy: needs.consent.prompts(),
      url: (_ctx, interaction) => `${serverUrl}/interaction/${interaction.uid}`,
    },
    loadExistingGrant: needs.consent.loadExistingGrant,
    renderError,
    rotateRefreshToken,
    // Registered for it is enough: MCP clients expect to stay connected and rarely ask for offline_access.
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    // With the default a refresh token dies when the same browser signs in again.
    expiresWithSession: () => false,
    extraTokenClaims: (_ctx, token) => ('grantId' in token ? { fam: token.grantId } : undefined),
    formats: { customizers: { jwt: (_ctx, _token, parts) => stampTime(parts.payload, clock) } },
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? seconds(oauth.accessTokenTtl),
      AuthorizationCode: (_ctx, _code, { clientId }) => seconds(needs.codeTtl(clientId)),
      Grant: () => seconds(oauth.refreshToken.absolute),
      IdToken: () => seconds(oauth.accessTokenTtl),
      Interaction: () => INTERACTION_TTL,
      // Idle time only: the absolute end is the family's, which is asked for first.
      RefreshToken: () => seconds(oauth.refreshToken.idle),
      // Absolute: using the sign-in does not prolong it.
      Session: (_ctx, session) =>
        seconds(session.loginTs === undefined ? sessionTtl : session.loginTs * 1000 + sessionTtl - clock()),
    },
    fetch: (input) => needs.documents.fetch(input instanceof Request ? input.url : String(input)),
    fetchResponseBodyLimits: { jwks_uri: 64 * 1024 },
    features: {
      devInteractions: { enabled: false },
      // Not advertised before a test proves each of its rules.
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      // Its confirmation form would revoke every family that this browser ever allowed; a change of person is ours (interactions.ts).
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      revocation: { enabled: true, allowedPolicy: isOwnToken },
      introspection: { enabled: true, allowedPolicy: isOwnToken },
      registration: { enabled: oauth.registration.dynamic },
      registrationManagement: { enabled: oauth.registration.dynamic },
      resourceIndicators: needs.resources,
      clientIdMetadataDocument: {
        enabled: oauth.registration.metadataDocuments,
        ack: 'draft-02',
        allowFetch: needs.documents.allowFetch,
        // Held by client-document.ts, under our rules and our clock.
        cacheDuration: { min: 0, max: 0 },
      },
    },
  }
  const provider = new Provider(serverUrl, configuration)
  // X-Forwarded-Proto is ours by then (library.ts).
  provider.proxy = true
  compareHashedSecrets(provider)
  deriveSuccessors(provider, keys.refreshSecret)
  provider.use(needs.recordIssuance)
  hearRefusals(provider)
  provider.on('server_error', (ctx: KoaContextWithOIDC, error: Error) => {
    log.error({ error, path: ctx.path }, 'the authorization server failed')
    // Nothing was half done; the client may try again.
    if (error instanceof StoreUnavailable) withhold(ctx)
  })
  // What failed outside of an endpoint's own handling; without a listener the library prints it.
  const koa: EventEmitter = provider
  koa.on('error', (error: unknown, { req }: Pick<KoaContextWithOIDC, 'req'>) => {
    // Koa hears of a connection that broke under the answer, too: whoever resets theirs would write errors into our log.
    if (error !== req.socket.errored) log.error({ error }, 'the authorization server failed')
  })
  return provider
}

/** The library stamps with the machine's clock; ours is an argument everywhere, and verifiers use it. */
function stampTime(payload: Record<string, unknown>, clock: Clock): void {
  const { iat, exp } = payload
  if (typeof iat !== 'number' || typeof exp !== 'number') return
  payload['iat'] = Math.floor(clock() / 1000)
  payload['exp'] = Math.floor(clock() / 1000) + exp - iat
}

/** RFC 7523 §3, narrower: one audience, and a life of minutes, so that a stolen assertion is soon worth nothing. */
function checkAssertion(_ctx: KoaContextWithOIDC, claims: Readonly<Record<string, unknown>>): void {
  const { aud, exp, iat, sub, iss } = claims
  if (typeof aud !== 'string' || typeof sub !== 'string' || sub !== iss)
    throw new errors.InvalidClientAuth('audience or subject')
  const issued = typeof iat === 'number' ? iat : Math.floor(Date.now() / 1000)
  if (typeof exp !== 'number' || exp - issued > 600) throw new errors.InvalidClientAuth('lives too long')
}
