// A person's account at one server behind us, over OAuth: connected, used, renewed, given back. The gate is the client.
// MCP 2026-07-28, Authorization; RFC 9728, 8414, 7591, 8707, 9207, 7009.
import type { CredentialsOf } from '../../config/credentials.ts'
import type { Clock } from '../../protocol/clock.ts'
import {
  type Connection,
  type ConnectionBegun,
  ConnectionRefused,
  type ConnectionTerms,
} from '../../protocol/connections.ts'
import type { Vault } from '../../protocol/vault.ts'
import type { ConnectionRecords, UpstreamClients } from '../../store/connections.ts'
import type { Tickets } from '../../store/ephemeral.ts'
import type { Fetch } from '../authorization-server/fetch.ts'
import { CredentialFailed } from '../credential.ts'
import {
  beginAuthorization,
  checkAnsweringIssuer,
  checkAuthorizationEndpoint,
  chooseScopes,
  type PendingAuthorization,
} from './authorize.ts'
import { parseBearerChallenge } from './challenge.ts'
import { discover, findResourceDocument } from './discovery.ts'
import { type AuthorizationServer, findAuthorizationServer } from './metadata.ts'
import { createRefresher, type LapseReason, type Refresher } from './refresh.ts'
import { type ClientRegistry, clientRegistry } from './registration.ts'
import { exchangeCode, refreshTokens, revokeTokens, type TokenOutcome } from './token.ts'
import { heldTokens, type TokensHeld } from './tokens-held.ts'

/** What the record is told; without a secret. */
export interface ConnectionAct {
  readonly act: 'connection_made' | 'connection_refused' | 'connection_lapsed' | 'connection_ended'
  readonly decision: 'allow' | 'deny'
  readonly reason: string
  readonly subject: string
  /** Id of the server behind us. */
  readonly name: string
}

export interface OAuthConnectionNeeds {
  readonly id: string
  /** Its address; none of a child process. */
  readonly url: string | undefined
  readonly config: CredentialsOf<'oauth'>
  /** `WWW-Authenticate` of a 401 that it answers to a request without a credential; `undefined` for any other answer. */
  probe(): Promise<string | undefined>
  readonly ask: Fetch
  readonly records: ConnectionRecords
  readonly clients: UpstreamClients
  readonly vault: Pick<Vault, 'put' | 'get' | 'remove'>
  readonly held: TokensHeld
  readonly tickets: Pick<Tickets, 'put' | 'find' | 'take'>
  readonly redirectUri: string
  readonly clientDocument: string | undefined
  readonly development: boolean
  readonly clock: Clock
  pause(milliseconds: number): Promise<void>
  record(act: ConnectionAct): Promise<void>
  warn(detail: Record<string, unknown>, message: string): void
}

export interface OAuthConnection {
  /** Throws ConnectionRefused. */
  terms(principal: string): Promise<ConnectionTerms>
  begin(principal: string): Promise<ConnectionBegun>
  finish(pending: PendingAuthorization, answer: URLSearchParams): Promise<Connection>
  /** Tells the authorization server, as far as it can be told; forgets here in any case. */
  disconnect(principal: string): Promise<boolean>
  readonly refresh: Refresher['refresh']
  /** The server refused a token and says where to get another: whether that is still who gave it. */
  isIssuerStillNamed(issuer: string, challenge: string | undefined): Promise<boolean>
  lapse(principal: string, version: number, reason: LapseReason): Promise<void>
}

export function oauthConnection(needs: OAuthConnectionNeeds): OAuthConnection {
  const { id, url, config, ask, records, held, clock, redirectUri } = needs
  const registry: ClientRegistry = clientRegistry({ ...needs, document: needs.clientDocument })

  async function lapse(principal: string, version: number, reason: LapseReason): Promise<void> {
    const isFirst = await records.expire(principal, id, version)
    await held.remove(principal, id, version)
    if (!isFirst) return
    needs.warn({ server: id, reason }, 'a person has to connect their account again')
    await needs.record({ act: 'connection_lapsed', decision: 'deny', reason, subject: principal, name: id })
  }

  const read = new Map<string, { readonly at: number; readonly server: Promise<AuthorizationServer> }>()

  /** Endpoints move. Of the issuer that gave the tokens, and of no other. */
  function serverNow(known: AuthorizationServer): Promise<AuthorizationServer> {
    const before = read.get(known.issuer)
    if (before !== undefined && clock() - before.at < METADATA_FRESH) return before.server
    const server = findAuthorizationServer(known.issuer, ask).then(
      (found) => found ?? known,
      () => known,
    )
    read.set(known.issuer, { at: clock(), server })
    return server
  }

  const refresher = createRefresher({
    ...needs,
    findClient: registry.findClient,
    serverNow,
    send: (tokens, refreshToken, client) =>
      refreshTokens({ server: tokens.server, client, ask }, { refreshToken, resource: tokens.resource }),
    discard: (tokens, { server }, client) => revokeTokens({ server, client, ask }, tokens),
    lapse,
    forgetClient: ({ server, clientId }) => registry.forget(server, clientId),
  })

  /** Where a person is sent, and what for. */
  async function plan(principal: string) {
    const challenge = parseBearerChallenge(await needs.probe())
    const { issuer, resource: named, scopes: configured } = config
    const { server, resource, scopes } = await discover({ url, ask, issuer, resource: named, challenge })
    checkAuthorizationEndpoint(server.authorization_endpoint, needs)
    const before = await records.find(principal, id)
    const asked = chooseScopes({
      challenge: challenge?.scopes ?? [],
      configured,
      published: scopes,
      before: before?.issuer === server.issuer ? [...before.scopes, ...before.wanted] : [],
      supported: server.scopes_supported,
    })
    return { server, resource, scopes: asked }
  }

  async function begin(principal: string): Promise<ConnectionBegun> {
    const planned = await plan(principal)
    const { id: clientId } = await registry.clientAt(planned.server)
    const { tickets } = needs
    return beginAuthorization({ ...planned, principal, upstream: id, clientId, redirectUri, tickets, clock })
  }

  async function terms(principal: string): Promise<ConnectionTerms> {
    const { server, scopes } = await plan(principal)
    return { issuer: server.issuer, scopes }
  }

  async function exchange(
    pending: PendingAuthorization,
    answer: URLSearchParams,
  ): Promise<TokenOutcome & { status: 'tokens' }> {
    const { server, clientId, verifier, resource } = pending
    checkAnsweringIssuer(answer, server)
    const client = await registry.findClient(server, clientId)
    if (client === undefined) throw refused('client_gone', 'The gateway is not registered there any more.')
    const state = answer.get('state') ?? ''
    const from = { redirectUri: pending.redirectUri, answer, state, verifier, resource }
    const outcome = await exchangeCode({ server, client, ask }, from)
    if (outcome.status === 'tokens') return outcome
    if (outcome.status === 'denied') throw denied(outcome.error)
    if (outcome.status === 'unreachable')
      throw refused('token_endpoint_unreachable', UNREACHABLE, { cause: outcome.cause })
    throw refused('code_refused', 'The authorization server did not take its own answer back.', {
      cause: outcome.cause,
    })
  }

  async function keep(
    pending: PendingAuthorization,
    { tokens }: TokenOutcome & { status: 'tokens' },
  ): Promise<Connection> {
    const { principal, server, clientId, resource, scopes: asked } = pending
    const now = clock()
    const made = heldTokens({ tokens, now, resource, scopes: asked, clientId, server })
    // In the vault before it counts. What was connected before is not revoked: many servers revoke by person, and would take this with it.
    const stored = await held.put(principal, id, made)
    if (stored.status !== 'stored') throw refused('connection_raced', 'This account is being connected twice.')
    const { issuer } = server
    const { scopes } = made
    const connection = { principal, server: id, kind: 'oauth', scopes, issuer, connectedAt: now } as const
    await records.connect({ ...connection, asked: [...new Set([...asked, ...scopes])], version: stored.version })
    return { ...connection, state: 'connected', usedAt: undefined }
  }

  /** A refusal goes to the record before it goes to the person. */
  async function telling<Result>(subject: string, work: Promise<Result>): Promise<Result> {
    try {
      return await work.catch(unreachable)
    } catch (error) {
      if (error instanceof ConnectionRefused) {
        const { reason, cause } = error
        needs.warn(
          { server: id, reason, cause: cause instanceof Error ? cause.message : undefined },
          'an account could not be connected',
        )
        await needs.record({ act: 'connection_refused', decision: 'deny', reason, subject, name: id })
      }
      throw error
    }
  }

  return {
    refresh: refresher.refresh,
    lapse,
    terms: (principal) => telling(principal, terms(principal)),
    begin: (principal) => telling(principal, begin(principal)),
    async finish(pending, answer) {
      const subject = pending.principal
      const connection = await telling(
        subject,
        exchange(pending, answer).then((outcome) => keep(pending, outcome)),
      )
      await needs.record({ act: 'connection_made', decision: 'allow', reason: 'connected', subject, name: id })
      return connection
    },
    async disconnect(principal) {
      // One that does not open any more cannot be given back, and goes all the same.
      const found = await held.findNewest(principal, id).catch(unlessUnreadable)
      const told = found !== undefined && (await giveBack(found.tokens.server, found.tokens))
      await held.remove(principal, id)
      const was = await records.remove(principal, id)
      const reason = told ? 'disconnected' : 'disconnected_here'
      if (was) await needs.record({ act: 'connection_ended', decision: 'allow', reason, subject: principal, name: id })
      return was || found !== undefined
    },
    async isIssuerStillNamed(issuer, field) {
      if (config.issuer !== undefined || url === undefined) return true
      // Where it cannot be had, nothing is known of a change; the one who gave the token is asked, and nobody else.
      const document = await findResourceDocument(url, ask, parseBearerChallenge(field)).catch(() => undefined)
      return document === undefined || document.issuers.includes(issuer)
    },
  }

  async function giveBack(
    server: AuthorizationServer,
    { accessToken, refreshToken, clientId }: { accessToken: string; refreshToken?: string; clientId: string },
  ): Promise<boolean> {
    const client = await registry.findClient(server, clientId)
    return client !== undefined && revokeTokens({ server, client, ask }, { accessToken, refreshToken })
  }
}

function unlessUnreadable(error: unknown): undefined {
  if (!(error instanceof CredentialFailed)) throw error
}

const METADATA_FRESH = 10 * 60_000

const UNREACHABLE = 'The authorization server of this server does not answer. Try again later.'

/** Reasons of a request that was not made. */
const FORBIDDEN: ReadonlySet<string> = new Set(['url', 'scheme', 'address'])

/** What was asked did not answer, or may not be asked: the person is told no more than that, the log is. */
function unreachable(error: unknown): never {
  const { reason } = error as { reason?: unknown }
  if (error instanceof ConnectionRefused || typeof reason !== 'string') throw error
  throw FORBIDDEN.has(reason)
    ? refused('discovery_address', 'This server leads to an address where the gateway does not go.', { cause: error })
    : refused('discovery_unreachable', UNREACHABLE, { cause: error })
}

const denied = (error: string): ConnectionRefused =>
  error === 'access_denied'
    ? refused('access_denied', 'You did not allow it there.')
    : refused('authorization_refused', 'The authorization server did not allow it.')

const refused = (reason: string, message: string, options: { cause?: unknown } = {}) =>
  new ConnectionRefused(reason, message, options)
