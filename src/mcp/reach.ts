// A server as one caller reaches it. Asked anew for each use: a credential may have been renewed since the last one.
import type { Exchange } from '../http/exchange.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Binding } from '../upstreams/binding.ts'
import type { Caller } from '../upstreams/caller.ts'
import { ConnectionNeeded } from '../upstreams/credential.ts'
import { type Upstream, UpstreamError, type Upstreams } from '../upstreams/upstream.ts'

/**
 * `undefined` where there is no such server. Without a caller the gate asks for itself. Throws, or rejects with, ConnectionNeeded or
 * CredentialFailed.
 */
export type Reach = (server: string, caller: Caller | undefined) => Upstream | undefined | Promise<Upstream | undefined>

export const createReach =
  ({ get }: Pick<Upstreams, 'get'>, { bind }: Pick<Binding, 'bind'>): Reach =>
  (server, caller) => {
    const known = get(server)
    return known && bind(known, caller)
  }

/** It cannot be reached as this caller, for a reason that whoever calls it is told: nothing is wrong on our side. */
export const isUnreached = (error: unknown): boolean =>
  error instanceof ConnectionNeeded || error instanceof UpstreamError

export const callerOf = ({ principal, exchange }: { principal: Principal; exchange: Exchange }): Caller => ({
  principal,
  rawHeaders: exchange.req.rawHeaders,
  address: exchange.address,
})
