// What we know of a subject now: groups and e-mail are not in the token, so that a removed group stops counting without re-issue.
import type { Clock } from '../protocol/clock.ts'
import type { UserRecord } from '../store/durable.ts'

/** Longest time a change of a person's groups goes unseen where no revocation announces it. */
const FRESH = 5_000
const MOST_HELD = 20_000

export interface Attributes {
  readonly email: string | undefined
  readonly name: string | undefined
  readonly groups: readonly string[]
  readonly roles: readonly string[]
  /** Those of them that the identity provider named. */
  readonly givenRoles: readonly string[]
  readonly teams: readonly string[]
  /** As of the last sign-in. */
  readonly claims?: UserRecord['claims']
  readonly disabled: boolean
  /** The sign-in rules of today admit the person: they hold at every use, not only at sign-in. */
  readonly admitted: boolean
}

export interface AttributesOf {
  /** `undefined` for a subject that no longer exists. */
  find(subject: string): Promise<Attributes | undefined> | Attributes | undefined
  forget(): void
}

interface Needs {
  findUser(id: string): Promise<UserRecord | undefined>
  isAdmitted(user: UserRecord): boolean
  resolveRoles(user: UserRecord): readonly string[]
  readonly clock: Clock
}

export function attributesOf({ findUser, isAdmitted, resolveRoles, clock }: Needs): AttributesOf {
  const held = new Map<string, { attributes: Attributes; at: number }>()

  async function read(subject: string): Promise<Attributes | undefined> {
    const user = await findUser(subject)
    if (!user) {
      held.delete(subject)
      return undefined
    }
    const attributes: Attributes = {
      email: user.emailVerified ? user.email : undefined,
      name: user.name,
      groups: user.groups,
      roles: resolveRoles(user),
      givenRoles: user.roles,
      teams: user.teams,
      claims: user.claims,
      disabled: user.disabled,
      admitted: isAdmitted(user),
    }
    if (held.size >= MOST_HELD) held.delete(held.keys().next().value ?? '')
    held.set(subject, { attributes, at: clock() })
    return attributes
  }

  return {
    find(subject) {
      const known = held.get(subject)
      const age = known === undefined ? FRESH : clock() - known.at
      // Read later than now: the clock was set back, and its age cannot be told.
      return known !== undefined && age >= 0 && age < FRESH ? known.attributes : read(subject)
    },
    forget: () => held.clear(),
  }
}
