// A person's way to a server's authorization server and back: authorization code with PKCE, `state`, `resource`, and `iss` checked.
// OAuth 2.1 §4.1, RFC 8707, RFC 9207, MCP 2026-07-28 Authorization (scope selection).
import { createHash } from 'node:crypto'
import * as openid from 'openid-client'
import type { Clock } from '../../protocol/clock.ts'
import { type ConnectionBegun, ConnectionRefused } from '../../protocol/connections.ts'
import type { Tickets } from '../../store/ephemeral.ts'
import type { AuthorizationServer } from './metadata.ts'

const KIND = 'upstream_authorization'
const PENDING_TTL = 10 * 60_000

/** All that the way back needs: any replica may be asked to finish it. */
export interface PendingAuthorization {
  readonly principal: string
  /** Id of the server behind us, and where it is while the person is asked. */
  readonly upstream: string
  readonly home: string
  readonly server: AuthorizationServer
  readonly clientId: string
  readonly redirectUri: string
  readonly resource?: string
  readonly scopes: readonly string[]
  readonly verifier: string
}

interface Begin extends Omit<PendingAuthorization, 'verifier' | 'resource'> {
  readonly resource: string | undefined
  readonly tickets: Pick<Tickets, 'put'>
  readonly clock: Clock
}

export async function beginAuthorization(begin: Begin): Promise<ConnectionBegun> {
  const { tickets, clock, resource, ...known } = begin
  const { server, clientId, redirectUri, scopes } = known
  const [state, verifier] = [openid.randomState(), openid.randomPKCECodeVerifier()]
  const payload: PendingAuthorization = { ...known, ...(resource !== undefined && { resource }), verifier }
  await tickets.put({ kind: KIND, idHash: hashOf(state), payload: { ...payload }, expiresAt: clock() + PENDING_TTL })
  const url = new URL(server.authorization_endpoint)
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(resource !== undefined && { resource }),
    // OpenID Connect Core §11: without it offline access is not granted.
    ...(scopes.includes(OFFLINE) && { prompt: 'consent' }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return { url: url.href, state }
}

/** Takes it exactly once, and only for the person who began it: whoever else comes with it takes nothing away. */
export async function takeAuthorization(
  principal: string,
  answer: URLSearchParams,
  { tickets, clock }: { tickets: Pick<Tickets, 'find' | 'take'>; clock: Clock },
): Promise<PendingAuthorization> {
  const state = answer.get('state') ?? ''
  const found = await tickets.find(KIND, hashOf(state), clock())
  if (found !== undefined && (found as unknown as PendingAuthorization).principal !== principal)
    throw refused('connection_of_another', 'Somebody else began to connect this account.')
  const taken = await tickets.take(KIND, hashOf(state), clock())
  if (taken === undefined)
    throw refused('authorization_unknown', 'This was already used, or it took too long. Connect again.')
  return taken as unknown as PendingAuthorization
}

/** RFC 9700 §4.4.2.2: taken where it was asked to come, or the answer of another authorization server would be taken for this one's. */
export function checkAnsweringAddress(answer: URL, redirectUri: string): void {
  const asked = new URL(redirectUri)
  if (answer.origin === asked.origin && answer.pathname === asked.pathname) return
  throw refused('answer_address_mismatch', 'The answer came to the address of another server.')
}

/** RFC 9207 §2.4: compared letter by letter, and missing only where the server does not promise it. */
export function checkAnsweringIssuer(answer: URLSearchParams, server: AuthorizationServer): void {
  const given = answer.getAll('iss')
  const isPromised = server.authorization_response_iss_parameter_supported === true
  if (given.length === 0 && !isPromised) return
  if (given.length === 1 && given[0] === server.issuer) return
  throw refused('answer_issuer_mismatch', 'The answer is not from the authorization server that was asked.')
}

/** A browser is sent there: nothing but a page over TLS, or one on this machine. */
export function checkAuthorizationEndpoint(endpoint: string, { development }: { development: boolean }): void {
  const url = URL.parse(endpoint)
  const isPage = url?.protocol === 'https:' || (url?.protocol === 'http:' && (development || isLoopback(url.hostname)))
  if (!isPage)
    throw refused('authorization_endpoint_refused', 'Browsers cannot safely be sent to this authorization server.')
}

const isLoopback = (host: string): boolean => /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(host)

const OFFLINE = 'offline_access'
/** Servers name what they like, and an address has an end. */
const MOST_SCOPES = 200

interface ScopeSources {
  /** Of the server's challenge. */
  readonly challenge: readonly string[]
  readonly configured: readonly string[]
  /** Of its resource document. */
  readonly published: readonly string[]
  /** What the connection has, and what calls have lacked: stepping up loses nothing. */
  readonly before: readonly string[]
  /** Of the authorization server. */
  readonly supported: readonly string[] | undefined
}

/** MCP 2026-07-28, scope selection: what the challenge asks for, else what its document names; what is configured in any case. */
export function chooseScopes({ challenge, configured, published, before, supported }: ScopeSources): string[] {
  const named = [...configured, ...challenge]
  const scopes = new Set([...(named.length > 0 ? named : published), ...before])
  if (supported?.includes(OFFLINE)) scopes.add(OFFLINE)
  return [...scopes].slice(0, MOST_SCOPES)
}

const hashOf = (state: string): string => createHash('sha256').update(state).digest('base64url')

const refused = (reason: string, message: string) => new ConnectionRefused(reason, message)
