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
import type { ConnectionAct } from '../connection-act.ts'
import { CredentialFailed } from '../credential.ts'
import { secretPlace } from '../pasted-secret.ts'
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

  return {
    ...connecting({ ...needs, registry }),
    refresh: refresher.refresh,
    lapse,
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
