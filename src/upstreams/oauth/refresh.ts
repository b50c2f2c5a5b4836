// A refresh token is spent once: by one of all replicas, which says so in the store before it sends it, and stores what it is given before
// anybody uses it. Whoever dies between leaves a lease that runs out; the next one tries once more, and then the person is asked.
// RFC 6749 §6, OAuth 2.1 §4.3.1 (rotation), RFC 9700 §4.14.
import type { Clock } from '../../protocol/clock.ts'
import type { SecretStored } from '../../protocol/vault.ts'
import type { ConnectionRecords } from '../../store/connections.ts'
import { ConnectionNeeded, CredentialFailed } from '../credential.ts'
import type { LapseReason } from '../lapse.ts'
import type { AuthorizationServer } from './metadata.ts'
import type { OAuthClient } from './registration.ts'
import type { TokenFailure, TokenOutcome, Tokens } from './token.ts'
import { type Held, type HeldTokens, heldTokens, type TokensHeld } from './tokens-held.ts'

/** Longer than the longest token request by far: whoever still holds it after that is not alive. */
const LEASE = 30_000
/** Together less than a lease. */
const MOST_TRIES = 10
const BETWEEN_TRIES = 2_000
/** So often it is looked whether another replica is ready. */
const LOOK = 100
const FIRST_PAUSE = 5_000
const LONGEST_PAUSE = 5 * 60_000

export interface RefreshNeeds {
  /** Id of the server behind us. */
  readonly id: string
  readonly records: Pick<ConnectionRecords, 'lease' | 'renewed' | 'postponed'>
  readonly held: TokensHeld
  findClient(server: AuthorizationServer, clientId: string): Promise<OAuthClient | undefined>
  /** What this authorization server publishes by now, where it answers; else what was known of it. */
  serverNow(known: AuthorizationServer): Promise<AuthorizationServer>
  send(tokens: HeldTokens, refreshToken: string, client: OAuthClient): Promise<TokenOutcome>
  /** What nobody waits for any more is given back. */
  discard(tokens: Tokens, from: HeldTokens, client: OAuthClient): Promise<unknown>
  /** Notes that the person has to connect again. */
  lapse(principal: string, version: number, reason: LapseReason): Promise<void>
  /** `true`: it was ours alone, and is forgotten; the person's next connection registers anew. */
  forgetClient(from: HeldTokens): Promise<boolean>
  readonly clock: Clock
  pause(milliseconds: number): Promise<void>
  warn(detail: Record<string, unknown>, message: string): void
}

export interface Refresher {
  /**
   * The tokens after these: exchanged here, or meanwhile somewhere else; or these, while they live and nothing better can be had.
   * `forced`: the server refused them though they seem alive. Throws ConnectionNeeded, or CredentialFailed.
   */
  refresh(principal: string, from: Held, forced: boolean): Promise<Held>
}

export function createRefresher(needs: RefreshNeeds): Refresher {
  const { id, records, held, clock } = needs
  const running = new Map<string, Promise<Held>>()
  /** In a row, by person. */
  const failures = new Map<string, number>()

  async function refresh(principal: string, from: Held, forced: boolean): Promise<Held> {
    // Before the lease, which is for the exchange alone.
    const server = await needs.serverNow(from.tokens.server)
    for (;;) {
      const now = clock()
      const lease = await records.lease(principal, id, { version: from.version, now, until: now + LEASE })
      if (lease.status === 'unknown') throw new ConnectionNeeded(id, 'not_connected')
      if (lease.status === 'needs_reauth') throw new ConnectionNeeded(id, 'needs_reauth')
      if (lease.status === 'held') {
        if (!forced && isAlive(from.tokens, now)) return from
        if (!lease.exchanging) throw new CredentialFailed('refresh_postponed', POSTPONED)
        await needs.pause(LOOK)
      }
      const newest = await held.findNewest(principal, id)
      if (newest === undefined) throw new ConnectionNeeded(id, 'needs_reauth')
      const { version, tokens } = newest
      if (lease.status === 'leased' && version === from.version)
        return exchange({ principal, from, server, forced, ...lease })
      // Whoever exchanged it lived long enough to store it: there is nothing left to do.
      if (lease.status === 'leased') await records.renewed(principal, id, { ...lease, version, scopes: tokens.scopes })
      if (version !== from.version) return newest
      // The store knows a version that the vault does not have: one of them was put back to what it once was.
      if (lease.status === 'changed')
        throw new CredentialFailed('refresh_version', 'The stored tokens are out of date.')
    }
  }

  interface Exchange {
    readonly principal: string
    readonly from: Held
    readonly server: AuthorizationServer
    readonly forced: boolean
    readonly fence: number
    readonly unfinished: number
  }

  async function exchange(act: Exchange): Promise<Held> {
    const { principal, from, server, forced, fence, unfinished } = act
    const { refreshToken } = from.tokens
    if (refreshToken === undefined) return lapse(act, forced ? 'upstream_token_refused' : 'upstream_token_expired')
    // Tried, tried once more, and nothing was heard of either: a third time would be the beginning of many.
    if (unfinished > 1) return lapse(act, 'refresh_lost')
    const client = await needs.findClient(server, from.tokens.clientId)
    if (client === undefined) return lapse(act, 'client_gone')
    const outcome = await needs.send({ ...from.tokens, server }, refreshToken, client)
    if (outcome.status !== 'tokens') return failed(act, outcome)
    failures.delete(principal)
    const { clientId, resource, scopes, home } = from.tokens
    const tokens = heldTokens({
      ...{ tokens: outcome.tokens, now: clock(), resource, scopes, clientId, server, home },
      ...{ before: refreshToken, forced },
    })
    const stored = await store(principal, tokens, from.version)
    if (stored.status === 'stored') {
      await records.renewed(principal, id, { fence, version: stored.version, scopes: tokens.scopes })
      return { tokens, version: stored.version }
    }
    // Connected anew meanwhile: that counts. Many servers revoke by person, so that giving these back would end those, too.
    const newest = await held.findNewest(principal, id)
    if (newest !== undefined) return newest
    await needs.discard(outcome.tokens, from.tokens, client)
    throw new ConnectionNeeded(id, 'not_connected')
  }

  /** What was spent for these is gone: a store that is away for a moment must not cost the person their connection. */
  async function store(principal: string, tokens: HeldTokens, expected: number): Promise<SecretStored> {
    for (let tries = 1; ; tries++) {
      try {
        return await held.put(principal, id, tokens, expected)
      } catch (error) {
        if (tries === MOST_TRIES) throw error
        await needs.pause(BETWEEN_TRIES)
      }
    }
  }

  async function failed(act: Exchange, failure: TokenFailure): Promise<Held> {
    const { principal, from, forced, fence, unfinished } = act
    if (failure.status === 'refused') return lapse(act, unfinished > 0 ? 'refresh_lost' : 'refresh_refused')
    if (failure.status === 'client_refused' && (await needs.forgetClient(from.tokens))) return lapse(act, 'client_gone')
    const before = failures.get(principal) ?? 0
    failures.set(principal, before + 1)
    const pause = Math.min(FIRST_PAUSE * 2 ** before, LONGEST_PAUSE)
    await records.postponed(principal, id, { fence, until: clock() + pause })
    needs.warn({ server: id, reason: failure.reason }, 'the token of a connection could not be refreshed')
    if (!forced && isAlive(from.tokens, clock())) return from
    throw new CredentialFailed(`refresh_${failure.status}`, POSTPONED, { cause: failure.cause })
  }

  async function lapse({ principal, from }: Exchange, reason: LapseReason): Promise<never> {
    failures.delete(principal)
    await needs.lapse(principal, from.version, reason)
    throw new ConnectionNeeded(id, 'needs_reauth')
  }

  return {
    async refresh(principal, from, forced) {
      const underWay = running.get(principal)
      if (underWay !== undefined) return underWay
      const begun = refresh(principal, from, forced).finally(() => running.delete(principal))
      running.set(principal, begun)
      return begun
    },
  }
}

const POSTPONED = 'The authorization server of the upstream cannot be asked for another token for now.'

/** A server of another clock, and the way there. */
const MARGIN = 5_000

export const isAlive = ({ expiresAt }: HeldTokens, now: number): boolean =>
  expiresAt === undefined || expiresAt > now + MARGIN

/** Ahead of its end, but never so far ahead that a short-lived one would be exchanged at every call. */
export function isDue({ expiresAt, obtainedAt, refreshToken }: HeldTokens, now: number, ahead: number): boolean {
  if (expiresAt === undefined) return false
  if (refreshToken === undefined) return expiresAt <= now
  return expiresAt - Math.min(ahead, (expiresAt - obtainedAt) / 2) <= now
}
