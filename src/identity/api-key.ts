// API tokens as a way to knock: whose they are, what they are confined to, and from where, when and how often they may be used.
import type { Clock } from '../protocol/clock.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import { networkOf } from '../protocol/network.ts'
import type { Principal } from '../protocol/principal.ts'
import type { ApiTokenHours, ApiTokenRecord } from '../store/api-tokens.ts'
import type { Counters } from '../store/ephemeral.ts'
import type { Attributes, AttributesOf } from './attributes.ts'
import type { TokenWay } from './way.ts'

const PREFIX = 'pc_'
const FAILURES_WINDOW = 60_000
const MOST_WAITING = 10_000

/** A token that is alive, as tokens/ hands it over. */
export interface LiveApiToken {
  readonly token: ApiTokenRecord
  readonly secretId: string
  readonly endsAt: number
}

/** The part of an account that its token speaks for. */
type Owner = Pick<Attributes, 'email' | 'name' | 'groups' | 'roles' | 'teams' | 'claims'>

interface Needs {
  /** A token that was proved before and still holds; `undefined` sends it to `verify`. */
  recall(secret: string): LiveApiToken | undefined
  /** Throws BearerError, with reason `unknown_token` for one that nobody was ever given. */
  verify(secret: string): Promise<LiveApiToken>
  markUsed(live: LiveApiToken): void
  readonly attributes: AttributesOf
  /** Roles of a service, or of a person within one team. */
  resolveRoles(who: {
    id: string
    email: string | undefined
    emailVerified: boolean
    groups: readonly string[]
    teams: readonly string[]
    roles: readonly string[]
  }): readonly string[]
  isWithin(ranges: readonly string[], address: string): boolean
  /** A good secret whose token may not be used so. */
  onRefused(refused: { tokenId: string; owner: string; reason: string; address: string }): void
  readonly counters: Pick<Counters, 'hit'>
  /** Unknown tokens of one client network and minute. */
  readonly failures: number
  readonly clock: Clock
}

export function apiTokenWay(needs: Needs): TokenWay {
  const { attributes, resolveRoles, clock } = needs
  const guesses = guessesOf(needs)
  // The same object for as long as token and account are known: whoever works something out of it need not do so at every call.
  const principals = new WeakMap<LiveApiToken, { person: Attributes | undefined; principal: Principal }>()

  function principalAt(live: LiveApiToken, person: Attributes | undefined): Principal {
    const known = principals.get(live)
    if (known !== undefined && known.person === person) return known.principal
    const principal = principalOf(live, ownerOf(live.token, person))
    principals.set(live, { person, principal })
    return principal
  }

  function ownerOf(token: ApiTokenRecord, person: Attributes | undefined): Owner {
    if (token.kind === 'service') return serviceOf(token, resolveRoles)
    if (person === undefined || person.disabled) throw invalid(person ? 'account_disabled' : 'account_gone')
    // 403, not 401: the token is good, its owner is no longer one of those the gate admits.
    if (!person.admitted) throw new RequestError(403, 'not_admitted', 'This account is not admitted here.')
    const { team, owner: id } = token
    if (team === undefined) return person
    if (!person.teams.includes(team)) throw invalid('team_left')
    const { email, groups, givenRoles: roles } = person
    const teams = [team]
    return {
      ...person,
      teams,
      roles: resolveRoles({ id, email, emailVerified: email !== undefined, groups, teams, roles }),
    }
  }

  function admit(live: LiveApiToken, person: Attributes | undefined, address: string): Principal | Promise<Principal> {
    const { token } = live
    const refuse = (error: unknown): never => {
      // The answer tells the caller nothing of the token; whoever looks for a leak needs its name.
      if (error instanceof BearerError || error instanceof RequestError)
        needs.onRefused({ tokenId: token.id, owner: token.owner, reason: error.reason, address })
      throw error
    }
    try {
      const principal = principalAt(live, person)
      checkConditions(token, address)
      needs.markUsed(live)
      const { rate } = token.conditions
      return rate === undefined ? principal : countUse(token.id, rate).then(() => principal, refuse)
    } catch (error) {
      return refuse(error)
    }
  }

  function checkConditions({ conditions: { addresses, hours } }: ApiTokenRecord, address: string): void {
    if (addresses !== undefined && !needs.isWithin(addresses, address))
      throw new RequestError(403, 'address_not_allowed', 'This token may not be used from here.')
    if (hours !== undefined && !isWithinHours(hours, clock()))
      throw new RequestError(403, 'outside_hours', 'This token may not be used at this time.')
  }

  async function countUse(id: string, { most, window }: { most: number; window: number }): Promise<void> {
    if ((await needs.counters.hit(`api-token:${id}`, window, clock())) <= most) return
    throw tooMany('token_rate', 'This token was used too often. Try again later.', window)
  }

  function proved(live: LiveApiToken, address: string): Principal | Promise<Principal> {
    const person = live.token.kind === 'person' ? attributes.find(live.token.owner) : undefined
    return person instanceof Promise
      ? person.then((found) => admit(live, found, address))
      : admit(live, person, address)
  }

  return {
    isMine: (token) => token.startsWith(PREFIX),
    prove(secret, { address }) {
      const known = needs.recall(secret)
      return known === undefined
        ? guesses.count(address, () => needs.verify(secret)).then((live) => proved(live, address))
        : proved(known, address)
    },
  }
}

/**
 * A network that tries tokens nobody was given has to wait, and its further ones are not looked up. Whoever has shown a good
 * token from there within the last seconds is remembered, and does not wait with it.
 */
function guessesOf({ counters, failures, clock }: Pick<Needs, 'counters' | 'failures' | 'clock'>) {
  const waiting = new Map<string, number>()

  function checkWaiting(network: string): void {
    const left = (waiting.get(network) ?? 0) - clock()
    if (left > 0) throw tooManyGuesses(left)
    waiting.delete(network)
  }

  async function countGuess(network: string): Promise<void> {
    if ((await counters.hit(`api-token-unknown:${network}`, FAILURES_WINDOW, clock())) <= failures) return
    if (waiting.size >= MOST_WAITING) waiting.delete(waiting.keys().next().value ?? '')
    waiting.set(network, clock() + FAILURES_WINDOW)
    throw tooManyGuesses(FAILURES_WINDOW)
  }

  return {
    async count(address: string, verify: () => Promise<LiveApiToken>): Promise<LiveApiToken> {
      const network = networkOf(address)
      checkWaiting(network)
      try {
        return await verify()
      } catch (error) {
        // What was ours once is no guess: a forgotten script must not lock its office out.
        if (error instanceof BearerError && error.reason === 'unknown_token') await countGuess(network)
        throw error
      }
    },
  }
}

function serviceOf({ owner: id, team }: ApiTokenRecord, resolveRoles: Needs['resolveRoles']): Owner {
  const teams = team === undefined ? [] : [team]
  const roles = resolveRoles({ id, email: undefined, emailVerified: false, groups: [], teams, roles: [] })
  return { email: undefined, name: id.slice('service:'.length), groups: [], roles, teams, claims: undefined }
}

function isWithinHours({ days, from, to }: ApiTokenHours, now: number): boolean {
  const time = new Date(now)
  const minute = time.getUTCHours() * 60 + time.getUTCMinutes()
  return days.includes(time.getUTCDay()) && minute >= from && minute < to
}

function principalOf({ token, secretId, endsAt }: LiveApiToken, owner: Owner): Principal {
  return {
    kind: token.kind,
    subject: token.owner,
    email: owner.email,
    name: owner.name,
    groups: owner.groups,
    roles: owner.roles,
    teams: owner.teams,
    claims: owner.claims,
    client: undefined,
    issuer: undefined,
    identity: token.owner,
    scopeRule: token.scopes === undefined ? 'none' : 'covers',
    reach: token.reach,
    beside: undefined,
    scopes: token.scopes ?? [],
    method: 'api_token',
    // Its two secrets during a rotation are one token: revoked together, told apart by their own ids.
    family: token.id,
    tokenId: secretId,
    issuedAt: token.issuedAt,
    expiresAt: endsAt,
    actor: undefined,
  }
}

const invalid = (reason: string) => new BearerError('invalid_token', reason, 'The access token is not valid here.')

const tooMany = (reason: string, message: string, ms: number) =>
  new RequestError(429, reason, message, { retryAfter: Math.ceil(ms / 1000) })

const tooManyGuesses = (ms: number) =>
  tooMany('too_many_unknown_tokens', 'Too many unknown tokens came from this network. Try again later.', ms)
