// One of the company's identity providers over OpenID Connect: authorization code with PKCE S256, state, nonce (OpenID Connect
// Core §3.1, RFC 9700 §2.1.1, RFC 9207). Discovery at first use, so that a provider that is down does not prevent the start.
import * as openid from 'openid-client'
import type { OpenidProviderConfig } from '../config/identity.ts'
import { type Claims, claimAt } from '../protocol/claims.ts'
import type { Clock } from '../protocol/clock.ts'
import type { ProviderTokens } from '../protocol/provider-tokens.ts'
import { lifeOf } from '../protocol/token-life.ts'
import { ClaimError, type Profile, profileOf, verifiedEmail } from './claims.ts'
import { type KeptPaths, keepClaims } from './kept-claims.ts'
import { checkGroupsAreThere, checkTenant, KINDS, type mappingOf } from './kinds.ts'
import {
  FederationError,
  type FederationSecrets,
  type Fetch,
  type IdentityProvider,
  isPlainHttp,
  PROVIDER_TIMEOUT_MS,
} from './provider.ts'

interface Needs {
  readonly provider: OpenidProviderConfig
  readonly mapping: ReturnType<typeof mappingOf>
  readonly kept: KeptPaths
  readonly clockTolerance: number
  /** Its tokens are handed on, and asked for so that they can be renewed. */
  readonly keepsTokens: boolean
  readonly fetch: Fetch
  readonly clock: Clock
}

export function openidProvider({
  provider,
  mapping,
  kept,
  clockTolerance,
  keepsTokens,
  fetch,
  clock,
}: Needs): IdentityProvider {
  const { id, issuer, type } = provider
  const { proof } = KINDS[type]
  const discover = discoverer({ provider, clockTolerance, fetch, clock })

  async function finish(answer: URL, { state, nonce, verifier }: FederationSecrets): Promise<Profile> {
    const configuration = await discover()
    // Checks `iss` (RFC 9207 §2.4) and `state` before the code is sent anywhere; then signature, iss, aud, exp, nonce of the ID token.
    const tokens = await openid.authorizationCodeGrant(configuration, answer, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    })
    const claims: Claims & { iss: string; sub: string } = tokens.claims() ?? missing('id_token')
    if (type === 'entra') checkTenant(configuration.serverMetadata().issuer, claims)
    checkGroupsAreThere(claims, mapping.groups)
    const sources: Claims[] = [claims]
    const wanted = [mapping.groups, ...kept.claims, ...(kept.organisation === undefined ? [] : [kept.organisation])]
    const complete =
      verifiedEmail(claims, proof) !== undefined && wanted.every((path) => claimAt(claims, path) !== undefined)
    // OpenID Connect Core §5.3.2: UserInfo counts only for the same subject.
    if (!complete && configuration.serverMetadata().userinfo_endpoint !== undefined)
      sources.push(await openid.fetchUserInfo(configuration, tokens.access_token, claims.sub))
    const profile = profileOf(sources, { provider: id, issuer: claims.iss, subject: claims.sub, mapping, proof })
    return {
      ...profile,
      claims: keepClaims(sources, kept),
      ...(keepsTokens && { tokens: tokensOf(id, tokens, clock()) }),
    }
  }

  /**
   * OpenID Connect Core §11: a refresh token is asked for by name, where the provider knows that name, and with consent, which the products
   * that are known by their kind keep from an administrator's or an earlier one.
   */
  function offlineFor(configuration: openid.Configuration): { scopes: string[]; prompt: { prompt?: string } } {
    const known = keepsTokens && configuration.serverMetadata().scopes_supported?.includes('offline_access') === true
    const scopes = [...new Set(['openid', ...provider.scopes, ...(known ? ['offline_access'] : [])])]
    return { scopes, prompt: known && type === 'oidc' ? { prompt: 'consent' } : {} }
  }

  return {
    id,
    title: provider.title ?? id,
    origin: new URL(issuer).origin,
    callback: provider.callback ?? `/callback/${id}`,
    async start(redirectUri) {
      const configuration = await discover()
      const { scopes, prompt } = offlineFor(configuration)
      const secrets = {
        state: openid.randomState(),
        nonce: openid.randomNonce(),
        verifier: openid.randomPKCECodeVerifier(),
      }
      const url = openid.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: scopes.join(' '),
        ...prompt,
        state: secrets.state,
        nonce: secrets.nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(secrets.verifier),
        code_challenge_method: 'S256',
      })
      return { url: url.href, secrets }
    },
    finish: (answer, secrets) =>
      finish(answer, secrets).catch((cause: unknown) => {
        throw failureOf(cause)
      }),
  }
}

function tokensOf(
  provider: string,
  { access_token: accessToken, id_token: idToken = '', refresh_token: refreshToken, expires_in: seconds }: Tokens,
  now: number,
): ProviderTokens {
  const life = lifeOf(seconds)
  return {
    provider,
    accessToken,
    idToken,
    refreshToken,
    endsAt: life === undefined ? undefined : now + life * 1000,
  }
}

type Tokens = openid.TokenEndpointResponse

const KEPT = 3_600_000

/** One discovery at a time, kept for an hour, and the old one kept on when the provider does not answer a later one. */
function discoverer({
  provider,
  clockTolerance,
  fetch,
  clock,
}: Pick<Needs, 'provider' | 'clockTolerance' | 'fetch' | 'clock'>) {
  let held: openid.Configuration | undefined
  let until = 0
  let running: Promise<openid.Configuration> | undefined

  async function discover(): Promise<openid.Configuration> {
    try {
      held = await openid.discovery(
        new URL(provider.issuer),
        provider.clientId,
        { [openid.clockTolerance]: clockTolerance },
        clientAuth(provider.clientSecret),
        {
          timeout: PROVIDER_TIMEOUT_MS / 1000,
          [openid.customFetch]: fetch as openid.CustomFetch,
          // The signature of the ID token is checked although it came over TLS: one rule for every provider and proxy in between.
          execute: [
            openid.enableNonRepudiationChecks,
            ...(isPlainHttp(provider.issuer) ? [openid.allowInsecureRequests] : []),
          ],
        },
      )
      until = clock() + KEPT
      return held
    } catch (cause) {
      if (held !== undefined) return held
      throw new FederationError('unreachable', 'idp_discovery_failed', { cause })
    } finally {
      running = undefined
    }
  }
  return async function current(): Promise<openid.Configuration> {
    if (held !== undefined && clock() < until) return held
    running ??= discover()
    return running
  }
}

/** RFC 8414 §2: a provider that lists no methods takes `client_secret_basic`. */
function clientAuth(secret: string | undefined): openid.ClientAuth {
  if (secret === undefined) return openid.None()
  const [basic, post] = [openid.ClientSecretBasic(secret), openid.ClientSecretPost(secret)]
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    return (methods.includes('client_secret_basic') ? basic : post)(server, ...rest)
  }
}

const missing = (what: string): never => {
  throw new FederationError('refused', `${what}_missing`)
}

function failureOf(cause: unknown): FederationError {
  if (cause instanceof FederationError) return cause
  if (cause instanceof ClaimError) return new FederationError('refused', cause.reason, { cause })
  if (cause instanceof openid.AuthorizationResponseError) {
    if (cause.error === 'access_denied') return new FederationError('cancelled', 'idp_access_denied', { cause })
    const passing = ['temporarily_unavailable', 'server_error'].includes(cause.error)
    return new FederationError(passing ? 'unreachable' : 'refused', 'idp_error', {
      cause,
      said: cause.error_description ?? cause.error,
    })
  }
  return isOutage(cause)
    ? new FederationError('unreachable', 'idp_unreachable', { cause })
    : new FederationError('refused', 'idp_answer_refused', { cause })
}

function isOutage(cause: unknown): boolean {
  if (cause instanceof openid.ResponseBodyError) return cause.status >= 500
  if (cause instanceof openid.ClientError) {
    if (cause.code === 'OAUTH_TIMEOUT') return true
    return cause.cause instanceof Response && cause.cause.status >= 500
  }
  // How fetch says that there was no answer.
  return cause instanceof TypeError && cause.message === 'fetch failed'
}
