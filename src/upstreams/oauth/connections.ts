// A person's account at one server behind us, over OAuth: connected (connecting.ts), renewed, lapsed, given back. The gate is the client.
// MCP 2026-07-28, Authorization; RFC 6749 §6, RFC 7009.
import type { Vault } from '../../protocol/vault.ts'
import type { ConnectionRecords, UpstreamClients } from '../../store/connections.ts'
import { CredentialFailed } from '../credential.ts'
import type { Lapse, LapseReason } from '../lapse.ts'
import { secretPlace } from '../pasted-secret.ts'
import { parseBearerChallenge } from './challenge.ts'
import { type Connecting, type ConnectingNeeds, connecting } from './connecting.ts'
import { findResourceDocument } from './discovery.ts'
import { type AuthorizationServer, findAuthorizationServer } from './metadata.ts'
import type { RedirectAddresses } from './redirect-addresses.ts'
import { createRefresher, type Refresher } from './refresh.ts'
import { clientRegistry } from './registration.ts'
import { refreshTokens, revokeTokens } from './token.ts'
import type { TokensHeld } from './tokens-held.ts'

export interface OAuthConnectionNeeds extends Omit<ConnectingNeeds, 'registry'> {
  readonly records: ConnectionRecords
  readonly clients: UpstreamClients
  readonly vault: Pick<Vault, 'put' | 'get' | 'remove'>
  readonly held: TokensHeld
  readonly addresses: RedirectAddresses
  readonly clientDocument: string | undefined
  readonly lapse: Lapse
  pause(milliseconds: number): Promise<void>
}

export interface OAuthConnection extends Connecting {
  /** Tells the authorization server, as far as it can be told; forgets here in any case. */
  disconnect(principal: string): Promise<boolean>
  readonly refresh: Refresher['refresh']
  /** The server refused a token and says where to get another: whether that is still who gave it. */
  isIssuerStillNamed(issuer: string, challenge: string | undefined): Promise<boolean>
  lapse(principal: string, version: number, reason: LapseReason): Promise<void>
}

export function oauthConnection(needs: OAuthConnectionNeeds): OAuthConnection {
  const { id, url, config, ask, records, held, clock } = needs
  const registry = clientRegistry({ ...needs, document: needs.clientDocument })

  const lapse = (principal: string, version: number, reason: LapseReason): Promise<void> =>
    needs.lapse({ principal, server: id, kind: 'oauth', version }, reason)

  const read = new Map<string, { readonly at: number; readonly server: Promise<AuthorizationServer> }>()

  /** Endpoints move. Of the issuer that gave the tokens, and of no other. */
  function serverNow(known: AuthorizationServer): Promise<AuthorizationServer> {
    const before = read.get(known.issuer)
    if (before !== undefined && clock() - before.at < METADATA_FRESH) return before.server
    const server = findAuthorizationServer(known.issuer, ask).then(
      (found) => found ?? known,
      // It does not answer, or answers for another: what it said when it gave the tokens still counts.
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
      await needs.vault.remove(secretPlace(principal, id))
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
