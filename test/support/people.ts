// Accounts put straight into a store: how a person came to have one is not the question of most tests.
import { randomUUID } from 'node:crypto'
import { passwordHasher } from '../../src/identity/password.ts'
import type { UserRecord } from '../../src/store/durable.ts'
import type { Store } from '../../src/store/store.ts'

export interface NewUser {
  readonly username: string
  readonly password: string
  readonly email?: string
  readonly groups?: readonly string[]
  readonly roles?: readonly string[]
  readonly teams?: readonly string[]
  readonly administrator?: boolean
}

const passwords = passwordHasher()

export async function addUser(store: Store, user: NewUser): Promise<UserRecord> {
  const now = Date.now()
  return store.durable.users.upsertByIdentity({
    id: randomUUID(),
    issuer: 'local',
    identity: user.username,
    email: user.email ?? `${user.username}@example.com`,
    emailVerified: true,
    name: user.username,
    groups: user.groups ?? [],
    roles: user.roles ?? [],
    teams: user.teams ?? [],
    administrator: user.administrator ?? false,
    disabled: false,
    passwordHash: await passwords.hash(user.password),
    createdAt: now,
    updatedAt: now,
  })
}
