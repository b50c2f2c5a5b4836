// What may be asked of an API token, and by whom. Nobody gives a token more than they have themselves. Pure but for the lookup of
// the owner, which is handed in as found.
import { RequestError } from '../protocol/errors.ts'
import type { ApiTokenConditions, ApiTokenRecord } from '../store/api-tokens.ts'

const SHORTEST = 60_000
const LONGEST_TRANSITION = 7 * 86_400_000
const SERVICE = /^[a-z0-9][a-z0-9._-]{0,63}$/

/** Who creates, rotates or revokes. */
export interface ApiTokenActor {
  /** Of their account; for the local administrator and the command line a name of our own. */
  readonly id: string
  readonly administrator: boolean
  /** What their own credential is confined to, where it is. */
  readonly reach: readonly string[] | undefined
  /** Scopes their own credential is bound to, of those that open servers; `undefined`: none bind it. */
  readonly scopes: readonly string[] | undefined
}

export interface AskedApiToken {
  readonly name: string
  readonly description: string | undefined
  readonly kind: 'person' | 'service'
  /** Id of an account, or name of a service. Default: whoever asks. */
  readonly owner: string | undefined
  /** Milliseconds. Default: as long as may be. */
  readonly ttl: number | undefined
  readonly scopes: readonly string[] | undefined
  readonly reach: readonly string[] | undefined
  readonly team: string | undefined
  readonly conditions: ApiTokenConditions
  readonly rotateEvery: number | undefined
  readonly rotateAt: number | undefined
}

/** The account a token speaks for, as far as it matters here. */
export interface ApiTokenOwner {
  readonly teams: readonly string[]
  readonly disabled: boolean
  readonly admitted: boolean
}

export interface ApiTokenBounds {
  readonly longestTtl: number
  readonly transition: number
  /** Scopes a token can be bound to. */
  readonly scopes: readonly string[]
  isReachWithin(inner: readonly string[], outer: readonly string[]): boolean
}

export function ownerIdOf({ kind, owner }: AskedApiToken, actor: ApiTokenActor): string {
  if (kind === 'service') {
    if (!actor.administrator) throw forbidden('administrators_only', 'Only an administrator may do this.')
    if (owner === undefined || !SERVICE.test(owner))
      throw bad('bad_service_name', 'owner: A service is called by small letters, digits and . _ -, at most 64.')
    return `service:${owner}`
  }
  if (owner !== undefined && owner !== actor.id && !actor.administrator)
    throw forbidden('not_yours', 'Only an administrator may give somebody else a token.')
  return owner ?? actor.id
}

/** Throws RequestError 400 for what cannot be, 403 for what is not theirs to give. */
export function checkAsked(
  asked: AskedApiToken,
  { actor, owner, bounds }: { actor: ApiTokenActor; owner: ApiTokenOwner | undefined; bounds: ApiTokenBounds },
): void {
  if (asked.kind === 'person') checkOwner(asked, owner)
  checkScopes(asked, actor, bounds)
  checkReach(asked, actor, bounds)
}

function checkOwner({ team }: AskedApiToken, owner: ApiTokenOwner | undefined): void {
  if (owner === undefined || owner.disabled || !owner.admitted)
    throw bad('unknown_owner', 'owner: There is no such account, or it may not sign in.')
  if (team !== undefined && !owner.teams.includes(team))
    throw forbidden('not_in_team', 'team: The owner does not belong to this team.')
}

function checkScopes({ scopes }: AskedApiToken, actor: ApiTokenActor, bounds: ApiTokenBounds): void {
  const unknown = scopes?.find((scope) => !bounds.scopes.includes(scope))
  if (unknown !== undefined) throw bad('unknown_scope', `scopes: A token cannot be given ${JSON.stringify(unknown)}.`)
  const { scopes: held } = actor
  if (held !== undefined && (scopes === undefined || !scopes.every((scope) => held.includes(scope))))
    throw forbidden('more_than_creator', 'scopes: These are more than you have yourself.')
}

function checkReach({ reach }: AskedApiToken, actor: ApiTokenActor, bounds: ApiTokenBounds): void {
  if (actor.reach === undefined) return
  if (reach === undefined || !bounds.isReachWithin(reach, actor.reach))
    throw forbidden('more_than_creator', 'reach: This is more than you reach yourself.')
}

export function expiryOf(ttl: number | undefined, now: number, { longestTtl }: ApiTokenBounds): number {
  const life = ttl ?? longestTtl
  if (life > longestTtl) throw bad('ttl_too_long', `expires_in: At most ${inWords(longestTtl)} (tokens.maxTtl).`)
  if (life < SHORTEST) throw bad('ttl_too_short', 'expires_in: At least a minute.')
  return now + life
}

export function rotationDueOf(
  { rotateEvery, rotateAt }: Pick<ApiTokenRecord, 'rotateEvery' | 'rotateAt'>,
  { now, expiresAt }: { now: number; expiresAt: number },
): number | undefined {
  const due = rotateEvery === undefined ? rotateAt : now + rotateEvery
  if (due !== undefined && (due <= now || due > expiresAt))
    throw bad('bad_rotation', 'rotation: It has to be due before the token ends.')
  return due
}

/** When the old secret ends: never later than it would have anyway. `undefined`: at once. */
export function transitionEndOf(
  asked: number | undefined,
  { expiresAt }: Pick<ApiTokenRecord, 'expiresAt'>,
  { now, bounds }: { now: number; bounds: ApiTokenBounds },
): number | undefined {
  if (asked !== undefined && asked > LONGEST_TRANSITION)
    throw bad('transition_too_long', `transition: At most ${inWords(LONGEST_TRANSITION)}.`)
  const transition = asked ?? bounds.transition
  return transition === 0 ? undefined : Math.min(now + transition, expiresAt)
}

/** Of two secrets at most both are alive: a third would have to end the first one early. */
export function checkRotatable({ revokedAt, expiresAt, previousUntil }: ApiTokenRecord, now: number): void {
  if (revokedAt !== undefined || expiresAt <= now) throw conflict('token_ended', 'This token has ended.')
  if (previousUntil !== undefined && previousUntil > now)
    throw conflict('transition_running', 'The secret before this one still works. Rotate when it has ended.')
}

export function inWords(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const
  const [unit, size] = units.find(([, length]) => ms % length === 0) ?? ['ms', 1]
  return `${ms / size}${unit}`
}

const bad = (reason: string, message: string) => new RequestError(400, reason, message)
const forbidden = (reason: string, message: string) => new RequestError(403, reason, message)
export const conflict = (reason: string, message: string) => new RequestError(409, reason, message)
