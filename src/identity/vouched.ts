// A caller somebody else vouches for (an issuer, a proxy, a certificate) made into a principal: admitted, known, with roles.
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../protocol/clock.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import { type AuthMethod, type Principal, type ScopeRule, vouchedName } from '../protocol/principal.ts'
import type { UserRecord } from '../store/durable.ts'

/** What the other side says of the caller; whoever hands it in has checked that the other side said it. */
export interface Vouched {
  readonly kind: 'person' | 'service'
  readonly method: AuthMethod
  /** Who says so: an issuer, `proxy`, `certificate`. With `identity` the account's unique key. */
  readonly issuer: string
  readonly identity: string
  /** Verified by the other side; lower case. */
  readonly email: string | undefined
  readonly name: string | undefined
  readonly groups: readonly string[]
  readonly roles: readonly string[]
  readonly teams: readonly string[]
  /** For conditions, as the other side wrote them. */
  readonly claims?: Principal['claims']
  readonly client: string | undefined
  readonly scopes: readonly string[]
  readonly scopeRule: ScopeRule
  readonly tokenId: string | undefined
  readonly issuedAt: number | undefined
  readonly expiresAt: number | undefined
}

export type IsEmailAdmitted = (email: string | undefined) => boolean

interface Needs {
  findByIdentity(issuer: string, identity: string): Promise<UserRecord | undefined>
  resolveRoles(attributes: {
    id: string
    email: string | undefined
    emailVerified: boolean
    groups: readonly string[]
    teams: readonly string[]
    roles: readonly string[]
  }): readonly string[]
  readonly clock: Clock
}

/** Longest time a disabled account goes unseen where no revocation announces it. */
const FRESH = 5_000
const MOST_HELD = 20_000

export interface Vouching {
  /** Throws BearerError for an account an administrator disabled, RequestError 403 for an address that is not admitted. */
  admit(vouched: Vouched, isEmailAdmitted: IsEmailAdmitted): Principal | Promise<Principal>
  forget(): void
}

interface Known {
  readonly id: string | undefined
  readonly disabled: boolean
  readonly at: number
  /** Who came last, and as what. */
  last?: { readonly vouched: Vouched; readonly principal: Principal }
}

export function createVouching({ findByIdentity, resolveRoles, clock }: Needs): Vouching {
  const held = new Map<string, Known>()

  async function find(issuer: string, identity: string): Promise<Known> {
    const user = await findByIdentity(issuer, identity)
    const known = { id: user?.id, disabled: user?.disabled ?? false, at: clock() }
    if (held.size >= MOST_HELD) held.delete(held.keys().next().value ?? '')
    held.set(`${issuer}\n${identity}`, known)
    return known
  }

  /** The same object for the same words: what others keep by the principal lives as long, and not for one call. */
  function principalOf(vouched: Vouched, known: Known): Principal {
    if (known.disabled)
      throw new BearerError('invalid_token', 'account_disabled', 'The access token is not valid here.')
    if (known.last !== undefined && saysSame(known.last.vouched, vouched)) return known.last.principal
    const principal = made(vouched, known)
    known.last = { vouched, principal }
    return principal
  }

  function made(vouched: Vouched, known: Known): Principal {
    const { issuer, identity, email, groups, teams, roles } = vouched
    const subject = known.id ?? vouchedName(issuer, identity)
    return {
      ...vouched,
      subject,
      roles: resolveRoles({ id: subject, email, emailVerified: email !== undefined, groups, teams, roles }),
      reach: undefined,
      beside: undefined,
      family: undefined,
      actor: undefined,
    }
  }

  return {
    admit(vouched, isEmailAdmitted) {
      // 403, not 401: the credential is good, the caller is not one of those the gate admits.
      if (!isEmailAdmitted(vouched.email))
        throw new RequestError(403, 'not_admitted', 'This account is not admitted here.')
      const known = held.get(`${vouched.issuer}\n${vouched.identity}`)
      const age = known === undefined ? FRESH : clock() - known.at
      // Read later than now: the clock was set back, and its age cannot be told.
      if (known !== undefined && age >= 0 && age < FRESH) return principalOf(vouched, known)
      return find(vouched.issuer, vouched.identity).then((found) => principalOf(vouched, found))
    },
    forget: () => held.clear(),
  }
}

const saysSame = (one: Vouched, other: Vouched): boolean => one === other || isDeepStrictEqual(one, other)
