// People's own accounts at servers behind us: what is known of each beside its secrets, and who exchanges its refresh token.
import type { ConnectionState } from '../protocol/connections.ts'

export interface ConnectionRecord {
  readonly principal: string
  readonly server: string
  readonly kind: 'oauth' | 'secret'
  readonly state: ConnectionState
  /** Granted. */
  readonly scopes: readonly string[]
  /** Asked for, whatever was granted of it: what was asked for once is not asked for again because it is missing. */
  readonly asked: readonly string[]
  /** What a call has lacked since. */
  readonly wanted: readonly string[]
  readonly issuer: string | undefined
  readonly connectedAt: number
  readonly usedAt: number | undefined
  /** Of its secret in the vault: an older one read from there is out of date. */
  readonly version: number
}

export type NewConnection = Omit<ConnectionRecord, 'state' | 'usedAt' | 'wanted'>

export type Leased =
  /** `unfinished`: how many before did not come to their end; whether the token was spent nobody knows. */
  | { status: 'leased'; fence: number; unfinished: number }
  /** Another one exchanges it; or the last exchange failed, and is not to be tried again before. */
  | { status: 'held'; until: number; exchanging: boolean }
  /** It has been exchanged, or connected anew: the secret has a later version. */
  | { status: 'changed' }
  | { status: 'needs_reauth' }
  | { status: 'unknown' }

export interface ConnectionRecords {
  find(principal: string, server: string): Promise<ConnectionRecord | undefined>
  list(principal: string): Promise<ConnectionRecord[]>
  /** Puts it in the place of what was there; a lease on that is void. */
  connect(connection: NewConnection): Promise<void>
  /** `false`: there was none. */
  remove(principal: string, server: string): Promise<boolean>
  /** Only where it is connected, and with no later version of its secret; `true` for one of any number of racers. */
  expire(principal: string, server: string, version: number): Promise<boolean>
  want(principal: string, server: string, scopes: readonly string[]): Promise<void>
  touch(principal: string, server: string, at: number): Promise<void>
  /**
   * Written before its refresh token is sent: of any number of racers with one version, one is told `leased`. A version later than the one
   * known here is that of an exchange whose end was not written: it has ended.
   */
  lease(principal: string, server: string, act: { version: number; now: number; until: number }): Promise<Leased>
  /** `false`: the lease was lost meanwhile. */
  renewed(
    principal: string,
    server: string,
    act: { fence: number; version: number; scopes: readonly string[] },
  ): Promise<boolean>
  /** The exchange failed, and not by what it holds: nobody tries again before `until`. `false` as above. */
  postponed(principal: string, server: string, act: { fence: number; until: number }): Promise<boolean>
}

/** Our registration (RFC 7591) at an authorization server, for one server behind us. Its secret is in the vault. */
export interface UpstreamClient {
  readonly server: string
  readonly issuer: string
  readonly redirectUri: string
  readonly clientId: string
  /** `token_endpoint_auth_method`. */
  readonly authMethod: string
  readonly secretExpiresAt: number | undefined
  readonly createdAt: number
}

export interface UpstreamClients {
  find(server: string, issuer: string, redirectUri: string): Promise<UpstreamClient | undefined>
  findById(server: string, issuer: string, clientId: string): Promise<UpstreamClient | undefined>
  /** Puts it in the place of `instead`, or where none is; answers the one that is there then. */
  keep(client: UpstreamClient, instead: string | undefined): Promise<UpstreamClient>
  /** The authorization server does not know it any more. */
  forget(client: Pick<UpstreamClient, 'server' | 'issuer' | 'clientId'>): Promise<void>
}
