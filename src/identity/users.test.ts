// People: who may sign in, who is whom, and how guessing is slowed.
import { describe, expect, it } from 'vitest'
import type { UserRecord } from '../store/durable.ts'
import { createAdmission } from './admission.ts'
import type { Profile } from './claims.ts'
import type { Passwords } from './password.ts'
import { usersOf } from './users.ts'

const PASSWORD = 'violet kettle orbit 94'

function people({ allowedEmails = [] as string[] } = {}) {
  const stored = new Map<string, UserRecord>()
  const counts = new Map<string, number>()
  const verified: (string | undefined)[] = []
  let now = 1_000_000
  const byIdentity = (issuer: string, identity: string) =>
    [...stored.values()].find((user) => user.issuer === issuer && user.identity === identity)
  const passwords: Passwords = {
    hash: async (password) => `hash of ${password}`,
    verify: async (password, phc) => {
      verified.push(phc)
      return phc === `hash of ${password}`
    },
  }
  const windowKey = (key: string, windowMs: number, at: number) => `${key}|${Math.floor(at / windowMs)}`
  const users = usersOf({
    users: {
      find: async (id) => stored.get(id),
      findByIdentity: async (issuer, identity) => byIdentity(issuer, identity),
      upsertByIdentity: async (user) => {
        const kept = { ...user, id: byIdentity(user.issuer, user.identity)?.id ?? user.id }
        stored.set(kept.id, kept)
        return kept
      },
      createFirstAdministrator: async (user) => {
        if ([...stored.values()].some((one) => one.administrator)) return false
        stored.set(user.id, user)
        return true
      },
    },
    passwords,
    counters: {
      hit: async (key, windowMs, at) => {
        const count = (counts.get(windowKey(key, windowMs, at)) ?? 0) + 1
        counts.set(windowKey(key, windowMs, at), count)
        return count
      },
      reset: async (key) => {
        for (const one of counts.keys()) if (one.startsWith(`${key}|`)) counts.delete(one)
      },
    },
    isAdmitted: createAdmission({
      providers: [
        { type: 'local' },
        { id: 'corp', type: 'oidc', issuer: 'https://idp.example', clientId: 'c', scopes: [] },
        { id: 'two', type: 'oidc', issuer: 'https://two.example', clientId: 'c', scopes: [] },
      ],
      allowedEmails,
    }),
    clock: () => now,
  })
  return { users, stored, verified, advance: (ms: number) => (now += ms) }
}

const profile = (over: Partial<Profile> = {}): Profile => ({
  provider: 'corp',
  issuer: 'https://idp.example',
  subject: '1',
  email: 'ann@example.com',
  name: 'Ann',
  groups: ['eng'],
  roles: [],
  teams: [],
  ...over,
})

describe('local accounts', () => {
  it('sign in with their name in any ASCII case', async () => {
    const { users } = people()
    await users.addLocal({ username: 'Ann', password: PASSWORD })
    expect(await users.verifyLocal(' ANN ', PASSWORD, '192.0.2.1')).toMatchObject({
      status: 'signed_in',
      user: { identity: 'ann' },
    })
  })

  it('are refused alike, and with the same work, when name or password is wrong', async () => {
    const { users, verified } = people()
    await users.addLocal({ username: 'ann', password: PASSWORD })
    const wrong = await users.verifyLocal('ann', 'something else here', '192.0.2.1')
    const unknown = await users.verifyLocal('bob', 'something else here', '192.0.2.1')
    expect(wrong).toMatchObject({ status: 'refused', reason: 'wrong_password' })
    expect(unknown).toEqual({ ...wrong, subject: undefined })
    expect(verified).toHaveLength(2)
  })

  it('are refused when disabled, but only to who knows the password', async () => {
    const { users, stored } = people()
    await users.addLocal({ username: 'ann', password: PASSWORD })
    for (const [id, user] of stored) stored.set(id, { ...user, disabled: true })
    expect(await users.verifyLocal('ann', PASSWORD, '192.0.2.1')).toMatchObject({
      status: 'refused',
      reason: 'account_disabled',
    })
    expect(await users.verifyLocal('ann', 'x', '192.0.2.1')).toMatchObject({
      status: 'refused',
      reason: 'wrong_password',
    })
  })

  it('have one owner for each name', async () => {
    const { users, stored } = people()
    await users.addLocal({ username: 'ann', password: PASSWORD })
    expect(await users.addLocal({ username: 'ANN', password: `${PASSWORD}!` })).toEqual({
      status: 'refused',
      reason: 'username_taken',
    })
    expect([...stored.values()].map((user) => user.passwordHash)).toEqual([`hash of ${PASSWORD}`])
  })

  it.each([
    ['bad_username', { username: 'a b' }],
    ['bad_username', { username: '\u212Aim' }],
    ['bad_email', { email: 'a@b@example.com' }],
    ['not_admitted', { email: 'a@other.example' }],
    ['not_admitted', {}],
    ['too_short', { email: 'a@example.com', password: 'short' }],
  ])('are refused for %s', async (reason, over) => {
    const { users } = people({ allowedEmails: ['*@example.com'] })
    expect(await users.addLocal({ username: 'ann', password: PASSWORD, ...over })).toEqual({
      status: 'refused',
      reason,
    })
  })

  it('refuse a password too long to be one before any work', async () => {
    const { users, verified } = people()
    await expect(users.verifyLocal('ann', 'x'.repeat(1025), '192.0.2.1')).rejects.toMatchObject({ status: 400 })
    expect(verified).toEqual([])
  })
})

describe('guessing', () => {
  it('waits after five failures, from this network only, and longer each time', async () => {
    const { users, advance } = people()
    await users.addLocal({ username: 'ann', password: PASSWORD })
    const from = (address: string, password = 'wrong') => users.verifyLocal('ann', password, address)
    for (let at = 0; at < 5; at++) expect(await from('2001:db8::1')).toMatchObject({ status: 'refused' })
    expect(await from('2001:db8:0:0:ffff::2', PASSWORD)).toEqual({ status: 'wait', seconds: 60 })
    expect(await from('2001:db8:0:1::1', PASSWORD)).toMatchObject({ status: 'signed_in' })
    advance(60_000)
    for (let at = 0; at < 5; at++) expect(await from('2001:db8::1')).toMatchObject({ status: 'refused' })
    advance(60_000)
    expect(await from('2001:db8::1', PASSWORD)).toEqual({ status: 'wait', seconds: 900 })
    advance(900_000)
    expect(await from('2001:db8::1', PASSWORD)).toMatchObject({ status: 'signed_in' })
  })

  it('is counted before the work: six at once are not all the first', async () => {
    const { users, verified } = people()
    const all = await Promise.all(Array.from({ length: 8 }, () => users.verifyLocal('ann', 'x', '192.0.2.1')))
    expect(all.filter((one) => one.status === 'wait')).toHaveLength(3)
    expect(verified).toHaveLength(5)
  })

  it('with a fresh name each time ends after thirty a minute, for that network only, before any work', async () => {
    const { users, verified, advance } = people()
    await users.addLocal({ username: 'ann', password: PASSWORD })
    for (let at = 0; at < 30; at++) expect((await users.verifyLocal(`u${at}`, 'x', '192.0.2.1')).status).toBe('refused')
    expect(await users.verifyLocal('u30', 'x', '192.0.2.1')).toEqual({ status: 'wait', seconds: 60 })
    expect(verified).toHaveLength(30)
    expect(await users.verifyLocal('ann', PASSWORD, '198.51.100.7')).toMatchObject({ status: 'signed_in' })
    advance(60_000)
    expect(await users.verifyLocal('ann', PASSWORD, '192.0.2.1')).toMatchObject({ status: 'signed_in' })
  })

  it('starts anew after a success', async () => {
    const { users } = people()
    await users.addLocal({ username: 'ann', password: PASSWORD })
    for (let round = 0; round < 3; round++) {
      for (let at = 0; at < 4; at++) await users.verifyLocal('ann', 'x', '192.0.2.1')
      expect(await users.verifyLocal('ann', PASSWORD, '192.0.2.1')).toMatchObject({ status: 'signed_in' })
    }
  })
})

describe('federated accounts', () => {
  it('keep their id while their attributes are renewed', async () => {
    const { users } = people()
    const first = await users.signInFederated(profile())
    const later = await users.signInFederated(profile({ email: 'ann.new@example.com', groups: ['ops'] }))
    expect(first.status === 'signed_in' && later.status === 'signed_in' && first.user.id === later.user.id).toBe(true)
    expect(later).toMatchObject({ user: { email: 'ann.new@example.com', groups: ['ops'] } })
  })

  it('are two people for one subject at two issuers, and for one address', async () => {
    const { users, stored } = people()
    await users.addLocal({ username: 'ann', password: PASSWORD, email: 'ann@example.com' })
    await users.signInFederated(profile())
    await users.signInFederated(profile({ issuer: 'https://two.example' }))
    await users.signInFederated(profile({ subject: '2' }))
    expect(stored.size).toBe(4)
  })

  it('lose an address the provider no longer vouches for', async () => {
    const { users } = people()
    await users.signInFederated(profile())
    expect(await users.signInFederated(profile({ email: undefined }))).toMatchObject({
      user: { email: undefined, emailVerified: false },
    })
  })

  it('keep what we gave them: administrator and disabled', async () => {
    const { users, stored } = people()
    await users.signInFederated(profile())
    for (const [id, user] of stored) stored.set(id, { ...user, administrator: true })
    expect(await users.signInFederated(profile())).toMatchObject({ user: { administrator: true } })
    for (const [id, user] of stored) stored.set(id, { ...user, disabled: true })
    expect(await users.signInFederated(profile())).toMatchObject({ status: 'refused', reason: 'account_disabled' })
  })

  it('leave nothing behind when they are not admitted', async () => {
    const { users, stored } = people({ allowedEmails: ['*@example.com'] })
    expect(await users.signInFederated(profile({ email: 'x@other.example' }))).toMatchObject({
      status: 'refused',
      reason: 'not_admitted',
    })
    expect(await users.signInFederated(profile({ email: undefined }))).toMatchObject({
      status: 'refused',
      reason: 'not_admitted',
    })
    expect(stored.size).toBe(0)
  })
})

describe('the first administrator', () => {
  const account = { username: 'root-ann', password: PASSWORD }

  it('is created once, and spends its link only when nothing else is wrong', async () => {
    const { users } = people()
    let spent = 0
    const spend = async () => ++spent === 1
    expect(await users.createFirstAdministrator({ ...account, password: 'short' }, spend)).toMatchObject({
      status: 'refused',
    })
    expect(spent).toBe(0)
    expect(await users.createFirstAdministrator(account, spend)).toMatchObject({
      status: 'created',
      user: { administrator: true },
    })
    expect(await users.createFirstAdministrator(account, spend)).toEqual({ status: 'spent' })
    expect(await users.createFirstAdministrator(account, async () => true)).toEqual({ status: 'exists' })
  })
})
