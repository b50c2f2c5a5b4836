// What conditions know of somebody whom a service names: what we know ourselves, else what the service says.
import { expect, it } from 'vitest'
import type { Principal } from '../protocol/principal.ts'
import { findSubject } from './named-subject.ts'

const PARTNER = 'https://partner.example'
const find = findSubject({
  users: { findByIdentity: async () => undefined, findOnlyByEmail: async () => undefined },
  attributes: {
    find: (id) =>
      id === 'usr_ann'
        ? {
            email: 'ann@corp.example',
            name: 'Ann',
            groups: [],
            roles: [],
            givenRoles: [],
            teams: [],
            claims: { department: 'ops' },
            disabled: false,
            admitted: true,
          }
        : undefined,
  },
  admit: (vouched) => vouched as unknown as Principal,
  isEmailAdmitted: () => true,
  issuers: [PARTNER],
  kept: { claims: ['department', 'org.unit'], organisation: undefined },
})
const claimsOf = async (id: string, properties: Readonly<Record<string, unknown>>) => {
  const found = await find({ type: 'user', id, properties })
  return 'principal' in found ? found.principal.claims : found.reason
}

it('an account has the claims of its last sign-in, whatever the service says', async () => {
  expect(await claimsOf('usr_ann', {})).toEqual({ department: 'ops' })
  expect(await claimsOf('usr_ann', { department: 'board' })).toEqual({ department: 'ops' })
})

it('of somebody that an issuer vouches for the service says them, and only what is kept', async () => {
  const told = { issuer: PARTNER, department: 'sales', org: { unit: 'north', more: 1 }, other: 'x' }
  expect(await claimsOf('pat', told)).toEqual({ department: 'sales', org: { unit: 'north' } })
  expect(await claimsOf('pat', { issuer: PARTNER })).toBeUndefined()
})

it('one that cannot be kept whole is a bad property, named', async () => {
  const told = { issuer: PARTNER, department: 'sales\u0000' }
  await expect(claimsOf('pat', told)).rejects.toThrow('subject.properties.department: This cannot be read.')
  await expect(claimsOf('pat', told)).rejects.toMatchObject({ status: 400, reason: 'bad_property' })
})
