// Promises of the table of people.
import { describe, expect, it } from 'vitest'
import type { UserRecord } from '../durable.ts'
import { fresh, NOW, type Pair } from './pair.ts'

const person = (given: Partial<UserRecord> = {}): UserRecord => ({
  id: fresh('user'),
  issuer: 'https://login.example.com',
  identity: fresh('sub'),
  email: 'ann@example.com',
  emailVerified: true,
  name: 'Ann',
  groups: ['data', 'ops'],
  roles: [],
  teams: ['gate'],
  claims: { department: 'ops', realm_access: { roles: ['auditor', 7, null] } },
  administrator: false,
  disabled: false,
  passwordHash: undefined,
  createdAt: NOW,
  updatedAt: NOW,
  ...given,
})

export function userPromises(pair: () => Pair): void {
  describe('users', () => {
    it('has one winner among those who want to be the first administrator', async () => {
      const { one, race } = pair()
      expect(await one.durable.users.hasAdministrator()).toBe(false)
      const people = Array.from({ length: 20 }, () => person({ issuer: 'local', administrator: true }))
      const won = await race(20, ({ durable }, racer) =>
        durable.users.createFirstAdministrator(people[racer] ?? person({ administrator: true })),
      )
      expect(won.filter(Boolean)).toHaveLength(1)
      expect(await one.durable.users.hasAdministrator()).toBe(true)
      const stored = await Promise.all(people.map(({ id }) => one.durable.users.find(id)))
      expect(stored.map((user) => user !== undefined)).toEqual(won)
      expect(await one.durable.users.createFirstAdministrator(person({ administrator: true }))).toBe(false)
    })

    it('finds an account by id and by identity', async () => {
      const { one, two } = pair()
      const ann = person({ email: undefined, name: undefined, claims: undefined, passwordHash: '$argon2id$v=19$…' })
      expect(await one.durable.users.upsertByIdentity(ann)).toEqual(ann)
      expect(await two.durable.users.find(ann.id)).toEqual(ann)
      expect(await two.durable.users.findByIdentity(ann.issuer, ann.identity)).toEqual(ann)
      expect(await two.durable.users.findByIdentity('https://other.example.com', ann.identity)).toBeUndefined()
      expect(await two.durable.users.find(ann.identity)).toBeUndefined()
    })

    it('finds the only account with a verified address', async () => {
      const { one, two } = pair()
      const email = `${fresh('mail').toLowerCase()}@example.com`
      const ann = await one.durable.users.upsertByIdentity(person({ email }))
      await one.durable.users.upsertByIdentity(person({ email, emailVerified: false }))
      expect(await two.durable.users.findOnlyByEmail(email)).toEqual(ann)
      expect(await one.durable.users.findOnlyByEmail(email.toUpperCase())).toBeUndefined()
      expect(await one.durable.users.findOnlyByEmail(`x${email}`)).toBeUndefined()
      // Whoever has it a second time is somebody else.
      await one.durable.users.upsertByIdentity(person({ email, issuer: 'https://other.example.com' }))
      expect(await one.durable.users.findOnlyByEmail(email)).toBeUndefined()
    })

    it('updates what the provider tells, and keeps what we decided', async () => {
      const { users } = pair().one.durable
      const ann = person({ administrator: true, disabled: true, passwordHash: 'phc' })
      await users.upsertByIdentity(ann)
      const told = person({
        identity: ann.identity,
        email: 'new@example.com',
        groups: ['x'],
        claims: { department: 'new' },
        updatedAt: NOW + 9,
      })
      const stored = await users.upsertByIdentity({ ...told, createdAt: NOW + 9 })
      const kept = { administrator: true, disabled: true, passwordHash: 'phc', createdAt: NOW }
      expect(stored).toEqual({ ...told, id: ann.id, ...kept })
      expect(await users.find(told.id)).toBeUndefined()
    })

    it('compares identities byte for byte', async () => {
      const { users } = pair().one.durable
      const stem = fresh('Sub')
      const names = [stem, stem.toLowerCase(), `${stem} `, `${stem}é`, `${stem}e\u0301`]
      for (const identity of names) await users.upsertByIdentity(person({ identity }))
      const ids = await Promise.all(names.map(async (name) => (await users.findByIdentity(person().issuer, name))?.id))
      expect(new Set(ids).size).toBe(names.length)
      await expect(users.upsertByIdentity(person({ identity: 'lone \ud800' }))).rejects.toThrow(RangeError)
    })

    it('makes one account of twenty first sign-ins at once', async () => {
      const { race } = pair()
      const identity = fresh('sub')
      const stored = await race(20, ({ durable }) => durable.users.upsertByIdentity(person({ identity })))
      expect(new Set(stored.map(({ id }) => id)).size).toBe(1)
    })

    it('disables and enables', async () => {
      const { users } = pair().one.durable
      const ann = await users.upsertByIdentity(person())
      await users.setDisabled(ann.id, true, NOW + 1)
      expect(await users.find(ann.id)).toEqual({ ...ann, disabled: true, updatedAt: NOW + 1 })
      await users.setDisabled(ann.id, false, NOW + 2)
      expect(await users.find(ann.id)).toEqual({ ...ann, updatedAt: NOW + 2 })
    })
  })
}
