// Talking to the token endpoint of a server's authorization server: code for tokens, refresh token for tokens, and giving them back.
// RFC 6749 §4.1.3 and §6, RFC 7636, RFC 8707 §2.2, RFC 9207 §2.4, RFC 7009.
import * as openid from 'openid-client'
import { parseRecord } from '../../protocol/json.ts'
import { lifeOf } from '../../protocol/token-life.ts'
import type { Fetch, Fetched } from '../authorization-server/fetch.ts'
import { scopesOf } from './challenge.ts'
import type { AuthorizationServer } from './metadata.ts'
import type { OAuthClient } from './registration.ts'

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  /** `undefined`: it does not say. */
  readonly expiresIn: number | undefined
  /** `undefined`: what was asked for (RFC 6749 §5.1). */
  readonly scopes: readonly string[] | undefined
}

export type TokenFailure =
  /** What we hold is not taken any more: `invalid_grant`. */
  | { status: 'refused'; reason: string; cause?: unknown }
  /** It does not know us: `invalid_client` and what else asking again does not help. */
  | { status: 'client_refused'; reason: string; cause?: unknown }
  /** No answer, or none that says anything of what we hold. */
  | { status: 'unreachable'; reason: string; cause?: unknown }

export type TokenOutcome = { status: 'tokens'; tokens: Tokens } | TokenFailure

interface Party {
  readonly server: AuthorizationServer
  readonly client: OAuthClient
  readonly ask: Fetch
}

function configurationOf({ server, client, ask }: Party): openid.Configuration {
  const metadata = { ...server } as openid.ServerMetadata
  const configuration = new openid.Configuration(metadata, client.id, undefined, clientAuthOf(client, server))
  // Which addresses may be spoken to in clear is the asking side's to say (ask.ts), of every single one.
  openid.allowInsecureRequests(configuration)
  configuration[openid.customFetch] = async (url, { headers, body }) => {
    const sent = { ...headers }
    const asked = await ask(
      url,
      body === undefined || body === null ? { headers: sent } : { headers: sent, body: `${body}` },
    )
    return responseOf(asked)
  }
  return configuration
}

/** The library waits for it (RFC 7523 §2.2 signs). */
const clientAuthOf =
  ({ prove }: OAuthClient, { issuer: audience, token_endpoint_auth_methods_supported: methods }: AuthorizationServer) =>
  async (_server: unknown, _client: unknown, body: URLSearchParams, headers: Headers): Promise<void> => {
    const proof = await prove({ audience, methods })
    for (const [name, value] of Object.entries(proof.headers)) headers.set(name, value)
    for (const [name, value] of Object.entries(proof.form)) body.set(name, value)
  }

function responseOf({ status, headers, body }: Fetched): Response {
  const isEmpty = status === 204 || status === 205 || status === 304
  return new Response(isEmpty ? null : readable(body), { status, headers })
}

/**
 * What is no reason to refuse the tokens it comes with, or a rotated one would be lost: an ID token, since who the person is there is
 * nothing to us, a life that is none (RFC 6749 §5.1 only recommends to tell it), and null where nothing is said.
 */
function readable(body: Buffer): string {
  const text = body.toString()
  const answer = parseRecord(text)
  // The library says what is wrong with it.
  if (answer === undefined) return text
  const { id_token: _, expires_in: seconds, ...rest } = answer
  const said = Object.entries(rest).filter(([, value]) => value !== null)
  return JSON.stringify({ ...Object.fromEntries(said), expires_in: lifeOf(seconds) })
}

export interface AuthorizationAnswer {
  readonly redirectUri: string
  /** The query of the callback. */
  readonly answer: URLSearchParams
  readonly state: string
  readonly verifier: string
  readonly resource: string | undefined
}

/** `denied`: the answer itself says that there is no code. */
export async function exchangeCode(
  party: Party,
  { redirectUri, answer, state, verifier, resource }: AuthorizationAnswer,
): Promise<TokenOutcome | { status: 'denied'; error: string }> {
  const url = new URL(redirectUri)
  url.search = answer.toString()
  try {
    const tokens = await openid.authorizationCodeGrant(
      configurationOf(party),
      url,
      { expectedState: state, pkceCodeVerifier: verifier },
      resource === undefined ? {} : { resource },
    )
    return { status: 'tokens', tokens: tokensOf(tokens) }
  } catch (cause) {
    if (cause instanceof openid.AuthorizationResponseError) return { status: 'denied', error: cause.error }
    return failureOf(cause)
  }
}

export async function refreshTokens(
  party: Party,
  { refreshToken, resource }: { refreshToken: string; resource: string | undefined },
): Promise<TokenOutcome> {
  try {
    const parameters = resource === undefined ? {} : { resource }
    const tokens = await openid.refreshTokenGrant(configurationOf(party), refreshToken, parameters)
    return { status: 'tokens', tokens: tokensOf(tokens) }
  } catch (cause) {
    return failureOf(cause)
  }
}

/** RFC 7009: the refresh token first, with which the other usually goes. `false`: it was not told, or did not take it. */
export async function revokeTokens(
  party: Party,
  { refreshToken, accessToken }: Pick<Tokens, 'refreshToken' | 'accessToken'>,
): Promise<boolean> {
  if (party.server.revocation_endpoint === undefined) return false
  const configuration = configurationOf(party)
  const hints = [
    [refreshToken, 'refresh_token'],
    [accessToken, 'access_token'],
  ] as const
  let told = true
  for (const [token, hint] of hints) {
    if (token === undefined) continue
    try {
      await openid.tokenRevocation(configuration, token, { token_type_hint: hint })
    } catch {
      // Told in the record: it is gone here in any case.
      told = false
    }
  }
  return told
}

/** RFC 6749 §A.12. Anything else would not fit in a header, and neither would a longer one. */
const SENDABLE = /^[\x21-\x7e]{1,16384}$/
const LONGEST = 16_384

class Unusable extends Error {
  readonly reason = 'token_unusable'
}

function tokensOf(answer: openid.TokenEndpointResponse): Tokens {
  const { access_token: accessToken, token_type: type, refresh_token: refreshToken, expires_in, scope } = answer
  if (type !== 'bearer') throw new Unusable('The token is of a type that is not sent as Bearer.')
  if (!SENDABLE.test(accessToken)) throw new Unusable('The access token cannot stand in a header.')
  if (refreshToken !== undefined && refreshToken.length > LONGEST) throw new Unusable('The refresh token is too long.')
  const scopes = scope === undefined ? undefined : scopesOf(scope)
  return { accessToken, refreshToken, expiresIn: expires_in, scopes }
}

/** For the log: a slug, and nothing that the other side wrote. */
function reasonOf(cause: unknown): string {
  if (cause instanceof openid.ResponseBodyError) return `status_${cause.status}`
  const { reason, code } = cause as { reason?: unknown; code?: unknown }
  return [reason, code].find((slug) => typeof slug === 'string') ?? 'failed'
}

/** RFC 6749 §5.2: only `invalid_grant` speaks of what the person gave. */
function failureOf(cause: unknown): TokenFailure {
  // RFC 6749 §5.2: a client that is not known may be told so with a challenge.
  if (cause instanceof openid.WWWAuthenticateChallengeError)
    return { status: 'client_refused', reason: 'invalid_client', cause }
  if (!(cause instanceof openid.ResponseBodyError) || cause.status >= 500 || cause.status === 429)
    return { status: 'unreachable', reason: reasonOf(cause), cause }
  if (cause.error === 'invalid_grant') return { status: 'refused', reason: 'invalid_grant', cause }
  return { status: 'client_refused', reason: cause.error, cause }
}
