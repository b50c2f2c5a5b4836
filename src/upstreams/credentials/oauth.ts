// Credential `oauth`: the access token of the person's own account at the server, exchanged ahead of its end.
import type { Clock } from '../../protocol/clock.ts'
import type { ConnectionRecords } from '../../store/connections.ts'
import type { Caller } from '../caller.ts'
import { ConnectionNeeded, type Credential } from '../credential.ts'
import type { Lapse } from '../lapse.ts'
import { checkScopes, parseBearerChallenge } from '../oauth/challenge.ts'
import type { OAuthConnection } from '../oauth/connections.ts'
import { isAlive, isDue } from '../oauth/refresh.ts'
import type { Held, TokensHeld } from '../oauth/tokens-held.ts'
import type { Given, Refused } from '../upstream.ts'
import { type InUse, inUseAt } from './in-use.ts'
import { subjectOf } from './person.ts'

interface Needs {
  /** Id of the server behind us. */
  readonly id: string
  /** Where it is. */
  readonly home: string
  readonly refreshAhead: number
  readonly connection: Pick<OAuthConnection, 'refresh' | 'isIssuerStillNamed' | 'lapse'>
  readonly records: Pick<ConnectionRecords, 'find' | 'want' | 'touch'>
  readonly held: Pick<TokensHeld, 'find' | 'findNewest'>
  /** Of one that is of the other kind. */
  readonly lapse: Lapse
  readonly clock: Clock
  pause(milliseconds: number): Promise<void>
  onError(error: unknown): void
}

/** A token that replaced a refused one, and is refused as soon, is not replaced again. */
const FRESH = 5 * 60_000
/** For a token that comes ahead of the old one's end. */
const PATIENCE = 1000

export function oauthCredential(needs: Needs): Credential {
  const { id, connection, records, held, clock } = needs
  /** A version whose record was found beside it. */
  const seen = inUseAt(id, needs)
  /** By person: many calls that are refused at once ask once. */
  const renewing = new Map<string, Promise<Given>>()

  async function lacking(principal: string): Promise<ConnectionNeeded> {
    const row = await records.find(principal, id)
    // The configuration has made it another server: what was pasted for it is used no more, and kept no longer.
    if (row?.kind === 'secret' && row.state === 'connected') await needs.lapse(row, 'kind_changed')
    return new ConnectionNeeded(id, row === undefined ? 'not_connected' : 'needs_reauth')
  }

  /** What lies in the vault counts while the connection is there: it may have been removed between the two. */
  async function checked(principal: string): Promise<Held> {
    const found = await held.find(principal, id)
    if (found === undefined) throw await lacking(principal)
    if (seen.find(principal)?.version === found.version) return found
    const row = await records.find(principal, id)
    if (row?.state !== 'connected') throw new ConnectionNeeded(id, row === undefined ? 'not_connected' : 'needs_reauth')
    await note(principal, found)
    return found
  }

  /** Each version once, before it is sent anywhere. */
  async function note(principal: string, current: Held): Promise<InUse> {
    if (current.tokens.home !== needs.home) return lapsed(principal, current.version, 'server_moved')
    const given = { headers: { authorization: bearer(current) } }
    const touchedAt = seen.find(principal)?.touchedAt ?? 0
    return seen.keep(principal, { version: current.version, given, touchedAt })
  }

  function give(principal: string, current: Held): Given | Promise<Given> {
    const before = seen.find(principal)
    if (before?.version !== current.version) return note(principal, current).then((own) => touched(principal, own))
    return touched(principal, before)
  }

  function touched(principal: string, own: InUse): Given {
    seen.touch(principal, own)
    return own.given
  }

  async function renewedAfterRefusal(principal: string, given: Given, challenge: string | undefined): Promise<Given> {
    const current = await held.findNewest(principal, id)
    if (current === undefined) throw await lacking(principal)
    // Somebody was faster: theirs has not been tried yet.
    if (bearer(current) !== given.headers['authorization']) return give(principal, current)
    const { tokens, version } = current
    // MCP 2026-07-28 (B18): who gave the token is not who the server names now. Nothing of it goes to the new one.
    if (!(await connection.isIssuerStillNamed(tokens.server.issuer, challenge)))
      return lapsed(principal, version, 'issuer_changed')
    if (tokens.forced && clock() - tokens.obtainedAt < FRESH)
      return lapsed(principal, version, 'upstream_token_refused')
    return give(principal, await connection.refresh(principal, current, true))
  }

  function renewOnce(principal: string, given: Given, challenge: string | undefined): Promise<Given> {
    const underWay = renewing.get(principal)
    if (underWay !== undefined) return underWay
    const begun = renewedAfterRefusal(principal, given, challenge).finally(() => renewing.delete(principal))
    renewing.set(principal, begun)
    return begun
  }

  async function lapsed(
    principal: string,
    version: number,
    reason: 'issuer_changed' | 'upstream_token_refused' | 'server_moved',
  ): Promise<never> {
    await connection.lapse(principal, version, reason)
    throw new ConnectionNeeded(id, 'needs_reauth')
  }

  /** RFC 6750 §3.1. Asked for once, a scope is not asked for again: who did not give it then would be asked for ever. */
  async function checkScopesOf(principal: string, challenge: string | undefined): Promise<undefined> {
    const parsed = parseBearerChallenge(challenge)
    if (parsed?.error !== 'insufficient_scope') return undefined
    const row = await records.find(principal, id)
    if (row === undefined) return undefined
    const lacking = parsed.scopes.filter((scope) => !row.asked.includes(scope))
    if (lacking.length === 0) return undefined
    await records.want(principal, id, checkScopes([...row.wanted, ...lacking]))
    throw new ConnectionNeeded(id, 'more_scopes')
  }

  /** An authorization server that is slow to answer holds up nobody who has a living token. */
  function soonOr(next: Promise<Held>, found: Held): Promise<Held> {
    // What came of it is in the log and in the record, and the next call meets it.
    next.catch(() => undefined)
    return Promise.race([next, needs.pause(PATIENCE).then(() => found)])
  }

  return {
    personal: true,
    async given(caller: Caller | undefined) {
      const subject = subjectOf(caller)
      const found = await checked(subject)
      if (!isDue(found.tokens, clock(), needs.refreshAhead)) return give(subject, found)
      const next = connection.refresh(subject, found, false)
      return give(subject, isAlive(found.tokens, clock()) ? await soonOr(next, found) : await next)
    },
    async renewed(caller: Caller | undefined, given: Given, { status, challenge }: Refused) {
      const subject = subjectOf(caller)
      return status === 403 ? checkScopesOf(subject, challenge) : renewOnce(subject, given, challenge)
    },
  }
}

const bearer = ({ tokens }: Held): string => `Bearer ${tokens.accessToken}`
