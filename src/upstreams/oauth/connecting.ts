// A person's way to an account at one server: what they will be asked for, where they are sent, and what they come back with.
// MCP 2026-07-28, Authorization; RFC 9728, 8414, 7591, 8707, 9207.
import type { CredentialsOf } from '../../config/credentials.ts'
import type { Clock } from '../../protocol/clock.ts'
import {
  type Connection,
  type ConnectionBegun,
  ConnectionRefused,
  type ConnectionTerms,
} from '../../protocol/connections.ts'
import type { Vault } from '../../protocol/vault.ts'
import type { ConnectionRecords } from '../../store/connections.ts'
import type { Tickets } from '../../store/ephemeral.ts'
import type { Fetch } from '../authorization-server/fetch.ts'
import type { ConnectionAct } from '../connection-act.ts'
import { secretPlace } from '../pasted-secret.ts'
import {
  beginAuthorization,
  checkAnsweringAddress,
  checkAnsweringIssuer,
  checkAuthorizationEndpoint,
  chooseScopes,
  type PendingAuthorization,
} from './authorize.ts'
import { parseBearerChallenge } from './challenge.ts'
import { discover } from './discovery.ts'
import type { ClientRegistry } from './registration.ts'
import { exchangeCode, type TokenOutcome } from './token.ts'
import { heldTokens, type TokensHeld } from './tokens-held.ts'

export interface ConnectingNeeds {
  readonly id: string
  /** Its address; none of a child process. */
  readonly url: string | undefined
  readonly home: string
  readonly config: CredentialsOf<'oauth'>
  /** `WWW-Authenticate` of a 401 that it answers to a request without a credential; `undefined` for any other answer. */
  probe(): Promise<string | undefined>
  readonly ask: Fetch
  readonly records: Pick<ConnectionRecords, 'find' | 'connect'>
  readonly registry: Pick<ClientRegistry, 'clientAt' | 'findClient'>
  readonly held: Pick<TokensHeld, 'put'>
  readonly vault: Pick<Vault, 'remove'>
  readonly tickets: Pick<Tickets, 'put'>
  readonly development: boolean
  readonly clock: Clock
  record(act: ConnectionAct): Promise<void>
  warn(detail: Record<string, unknown>, message: string): void
}

export interface Connecting {
  /** Throws ConnectionRefused, as the others do. */
  terms(principal: string): Promise<ConnectionTerms>
  begin(principal: string): Promise<ConnectionBegun>
  /** `answer`: where it came to, and its query. */
  finish(pending: PendingAuthorization, answer: URL): Promise<Connection>
}

export function connecting(needs: ConnectingNeeds): Connecting {
  const { id, url, config, ask, records, registry, held, clock } = needs

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
    const { id: clientId, redirectUri } = await registry.clientAt(planned.server)
    const { tickets, home } = needs
    return beginAuthorization({ ...planned, principal, upstream: id, home, clientId, redirectUri, tickets, clock })
  }

  async function terms(principal: string): Promise<ConnectionTerms> {
    const { server, scopes } = await plan(principal)
    return { issuer: server.issuer, page: server.authorization_endpoint, scopes }
  }

  async function exchange(pending: PendingAuthorization, came: URL): Promise<TokenOutcome & { status: 'tokens' }> {
    const { server, clientId, verifier, resource, redirectUri } = pending
    const answer = came.searchParams
    checkAnsweringAddress(came, redirectUri)
    checkAnsweringIssuer(answer, server)
    const client = await registry.findClient(server, clientId)
    if (client === undefined)
      throw refused('client_gone', 'The gateway is not registered there any more. Connect again.')
    const state = answer.get('state') ?? ''
    const from = { redirectUri, answer, state, verifier, resource }
    const outcome = await exchangeCode({ server, client, ask }, from)
    if (outcome.status === 'tokens') return outcome
    if (outcome.status === 'denied') throw denied(outcome.error)
    if (outcome.status === 'unreachable')
      throw refused('token_endpoint_unreachable', UNREACHABLE, { cause: outcome.cause })
    const { cause } = outcome
    throw refused('code_refused', 'The authorization server did not take its own answer back. Connect again.', {
      cause,
    })
  }

  async function keep(
    pending: PendingAuthorization,
    { tokens }: TokenOutcome & { status: 'tokens' },
  ): Promise<Connection> {
    const { principal, server, home, clientId, resource, scopes: asked } = pending
    const now = clock()
    const made = heldTokens({ tokens, now, resource, scopes: asked, clientId, server, home })
    // In the vault before it counts. What was connected before is not revoked: many servers revoke by person, and would take this with it.
    const stored = await held.put(principal, id, made)
    if (stored.status !== 'stored')
      throw refused('connection_raced', 'This account was being connected twice at once. Connect again.')
    const { issuer } = server
    const { scopes } = made
    const connection = { principal, server: id, kind: 'oauth', scopes, issuer, connectedAt: now } as const
    await records.connect({ ...connection, asked: [...new Set([...asked, ...scopes])], version: stored.version })
    // From when the server's credential was of the other kind, and would be again.
    await needs.vault.remove(secretPlace(principal, id))
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
  }
}

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
