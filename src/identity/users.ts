// People: local accounts with a password, and accounts of identity providers. The key is (issuer, subject), never the e-mail:
// two accounts with one address stay two, so that nobody can claim another's by an address (OWASP ASVS 5.0, 6.8.1).
import { randomBytes } from 'node:crypto'
import type { Clock } from '../protocol/clock.ts'
import { parseEmail } from '../protocol/email.ts'
import { RequestError } from '../protocol/errors.ts'
import { networkOf } from '../protocol/network.ts'
import type { ProviderTokens } from '../protocol/provider-tokens.ts'
import type { UserRecord, Users } from '../store/durable.ts'
import type { Counters } from '../store/ephemeral.ts'
import { LOCAL_ISSUER } from './admission.ts'
import { attemptsOf } from './attempts.ts'
import { displayName, type Profile } from './claims.ts'
import {
  findPasswordFlaw,
  PASSWORD_LEAST_CHARACTERS,
  PASSWORD_MOST_BYTES,
  type PasswordFlaw,
  type Passwords,
} from './password.ts'

interface Needs {
  readonly users: Pick<Users, 'find' | 'findByIdentity' | 'upsertByIdentity' | 'createFirstAdministrator'>
  readonly passwords: Passwords
  readonly counters: Counters
  isAdmitted(user: Pick<UserRecord, 'issuer' | 'email' | 'emailVerified'>): boolean
  /** What their identity provider gave; in place of what it gave before. */
  keepTokens?: ((subject: string, tokens: ProviderTokens) => Promise<void>) | undefined
  readonly clock: Clock
}

export type SignInRefusal = 'wrong_password' | 'account_disabled' | 'not_admitted'
export type SignInOutcome =
  | { readonly status: 'signed_in'; readonly user: UserRecord }
  /** `subject`: the account, when there is one; for the record, never for the answer. */
  | { readonly status: 'refused'; readonly reason: SignInRefusal; readonly subject: string | undefined }
  | { readonly status: 'wait'; readonly seconds: number }

export interface NewAccount {
  readonly username: string
  readonly password: string
  readonly email?: string | undefined
  readonly name?: string | undefined
  readonly groups?: readonly string[]
  readonly roles?: readonly string[]
  readonly teams?: readonly string[]
  readonly administrator?: boolean
}

export type AccountFlaw = 'bad_username' | 'bad_email' | 'username_taken' | 'not_admitted' | PasswordFlaw
/** For whoever wanted the account. */
export const ACCOUNT_FLAWS: Readonly<Record<AccountFlaw, string>> = {
  bad_username: 'A user name has small letters, digits and . _ @ + - and begins with a letter or digit.',
  bad_email: 'This e-mail address cannot be used.',
  username_taken: 'This user name is taken.',
  not_admitted: 'identity.allowedEmails or identity.providers does not admit this account: it could never sign in.',
  too_short: `The password needs at least ${PASSWORD_LEAST_CHARACTERS} characters.`,
  too_long: 'The password is too long.',
  too_obvious: 'This password is among the first that an attacker tries. A few unrelated words do better.',
}
export type AccountOutcome =
  | { readonly status: 'created'; readonly user: UserRecord }
  | { readonly status: 'refused'; readonly reason: AccountFlaw }

export interface People {
  /** `address`: of the client, IPv4 or IPv6. Throws RequestError 429 when the password queue is full. */
  verifyLocal(username: string, password: string, address: string): Promise<SignInOutcome>
  /** Creates the account at the first sign-in, renews its attributes at every later one. */
  signInFederated(profile: Profile): Promise<SignInOutcome>
  /** Pass `beforeCommit` what has to be spent exactly once, and the record; it runs when nothing else can be refused. */
  createFirstAdministrator(
    account: NewAccount,
    beforeCommit: (user: UserRecord) => Promise<boolean>,
  ): Promise<AccountOutcome | { readonly status: 'exists' } | { readonly status: 'spent' }>
  addLocal(account: NewAccount): Promise<AccountOutcome>
  find(id: string): Promise<UserRecord | undefined>
}

export function usersOf({ users, passwords, counters, isAdmitted, keepTokens, clock }: Needs): People {
  const attempts = attemptsOf(counters, clock)

  async function localRecord(account: NewAccount): Promise<UserRecord> {
    const now = clock()
    const email = account.email ? parseEmail(account.email) : undefined
    return {
      id: newId(),
      issuer: LOCAL_ISSUER,
      identity: foldName(account.username),
      email,
      // Whoever may create local accounts vouches for their addresses.
      emailVerified: email !== undefined,
      name: displayName(account.name),
      groups: account.groups ?? [],
      roles: account.roles ?? [],
      teams: account.teams ?? [],
      administrator: account.administrator ?? false,
      disabled: false,
      passwordHash: await passwords.hash(account.password),
      createdAt: now,
      updatedAt: now,
    }
  }

  /** Short of being taken; pure. */
  function findFlaw({ username, password, email }: NewAccount): AccountFlaw | undefined {
    if (!USERNAME.test(foldName(username))) return 'bad_username'
    const checked = email ? parseEmail(email) : undefined
    if (email && checked === undefined) return 'bad_email'
    if (!isAdmitted({ issuer: LOCAL_ISSUER, email: checked, emailVerified: checked !== undefined }))
      return 'not_admitted'
    return findPasswordFlaw(password, `${username} ${email ?? ''}`)
  }

  return {
    async verifyLocal(username, password, address) {
      const name = foldName(username)
      if (name.length > MOST_NAME || Buffer.byteLength(password) > PASSWORD_MOST_BYTES)
        throw new RequestError(400, 'credentials_too_long', 'The user name or password is too long.')
      // Counted before the work, so that a hundred attempts at once are not all the first one.
      const wait = await attempts.count(name, address)
      if (wait > 0) return { status: 'wait', seconds: wait }
      const user = await users.findByIdentity(LOCAL_ISSUER, name)
      // An unknown name costs the same hash and gets the same answer as a wrong password.
      if (!(await passwords.verify(password, user?.passwordHash, networkOf(address))) || !user)
        return refused('wrong_password', user?.id)
      await attempts.forget(name, address)
      return admitted(user)
    },

    async signInFederated(profile) {
      const { issuer, subject: identity, email } = profile
      const known = await users.findByIdentity(issuer, identity)
      // Before anything is written: people who may not come in leave no account behind.
      const outcome = admitted({
        ...(known ?? newFederated(profile, clock())),
        email,
        emailVerified: email !== undefined,
      })
      if (outcome.status !== 'signed_in') return { ...outcome, subject: known?.id }
      const { name, groups, roles, teams, claims } = profile
      const renewed = { ...outcome.user, name: name ?? known?.name, groups, roles, teams, claims, updatedAt: clock() }
      const user = await users.upsertByIdentity(renewed)
      if (profile.tokens !== undefined) await keepTokens?.(user.id, profile.tokens)
      return admitted(user)
    },

    async createFirstAdministrator(account, beforeCommit) {
      const flaw = findFlaw(account)
      if (flaw) return { status: 'refused', reason: flaw }
      const user = await localRecord({ ...account, administrator: true })
      if (!(await beforeCommit(user))) return { status: 'spent' }
      return (await users.createFirstAdministrator(user)) ? { status: 'created', user } : { status: 'exists' }
    },

    async addLocal(account) {
      const flaw = findFlaw(account)
      if (flaw) return { status: 'refused', reason: flaw }
      if (await users.findByIdentity(LOCAL_ISSUER, foldName(account.username)))
        return { status: 'refused', reason: 'username_taken' }
      return { status: 'created', user: await users.upsertByIdentity(await localRecord(account)) }
    },

    find: (id) => users.find(id),
  }

  function admitted(user: UserRecord): SignInOutcome {
    if (user.disabled) return refused('account_disabled', user.id)
    return isAdmitted(user) ? { status: 'signed_in', user } : refused('not_admitted', user.id)
  }
}

const refused = (reason: SignInRefusal, subject: string | undefined): SignInOutcome => ({
  status: 'refused',
  reason,
  subject,
})

const MOST_NAME = 128
const USERNAME = /^[a-z0-9][a-z0-9._@+-]{0,127}$/
/** ASCII only: Unicode folding would make two names one (U+212A is a `k` to it). */
const foldName = (name: string) => name.trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase())

/** An account's id is public (`sub`), so it only has to be unique; it is random so that it tells nothing. */
const newId = () => `usr_${randomBytes(16).toString('base64url')}`

function newFederated(
  { issuer, subject, email, name, groups, roles, teams, claims }: Profile,
  now: number,
): UserRecord {
  return {
    id: newId(),
    issuer,
    identity: subject,
    email,
    emailVerified: email !== undefined,
    name,
    groups,
    roles,
    teams,
    claims,
    administrator: false,
    disabled: false,
    passwordHash: undefined,
    createdAt: now,
    updatedAt: now,
  }
}
