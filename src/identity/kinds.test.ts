// The kinds of providers: whose claim paths count, and whom they vouch for.
import { describe, expect, it } from 'vitest'
import { identity } from '../config/identity.ts'
import { createIdentityProviders } from './idp.ts'
import { checkGroupsAreThere, checkTenant, mappingOf } from './kinds.ts'
import { FederationError } from './provider.ts'

const BASE = { id: 'corp', issuer: 'https://idp.example', clientId: 'c' }

function mapping(provider: object, general: object = {}) {
  const parsed = identity.parse({ providers: [{ ...BASE, ...provider }], mapping: general })
  const [first] = parsed.providers
  if (!first || first.type === 'local' || first.type === 'github') throw new Error('Not an OpenID provider.')
  return mappingOf(first, parsed.mapping)
}

describe('mappingOf', () => {
  it('takes the provider’s own path, then the general one, then its kind’s', () => {
    expect(mapping({ type: 'oidc' })).toEqual({ groups: 'groups', roles: 'roles', teams: 'teams' })
    expect(mapping({ type: 'keycloak' }).roles).toBe('realm_access.roles')
    expect(mapping({ type: 'keycloak' }, { roles: 'r' }).roles).toBe('r')
    expect(mapping({ type: 'keycloak', mapping: { roles: 'own' } }, { roles: 'r' }).roles).toBe('own')
    expect(mapping({ type: 'oidc', groupsClaim: 'short', mapping: { groups: 'own' } }).groups).toBe('short')
    expect(mapping({ type: 'oidc', mapping: { groups: 'own' } }, { teams: 't' })).toEqual({
      groups: 'own',
      roles: 'roles',
      teams: 't',
    })
  })

  it('takes a path that was written, also one that is called like the default', () => {
    expect(mapping({ type: 'oidc', groupsClaim: 'groups' }, { groups: 'memberOf' }).groups).toBe('groups')
    expect(mapping({ type: 'oidc', mapping: { groups: 'groups' } }, { groups: 'memberOf' }).groups).toBe('groups')
    expect(mapping({ type: 'keycloak', mapping: { roles: 'roles' } }).roles).toBe('roles')
    expect(mapping({ type: 'keycloak' }, { roles: 'roles' }).roles).toBe('roles')
  })
})

describe('Entra', () => {
  const TID = '8d5e6f0a-1b2c-4d3e-8f90-a1b2c3d4e5f6'
  const OTHER = '00000000-1b2c-4d3e-8f90-a1b2c3d4e5f6'
  const issuerOf = (tid: string) => `https://login.microsoftonline.com/${tid}/v2.0`

  it('is the tenant the token names, with one tenant or many', () => {
    expect(() => checkTenant(issuerOf('{tenantid}'), { iss: issuerOf(TID), tid: TID })).not.toThrow()
    expect(() => checkTenant(issuerOf(TID), { iss: issuerOf(TID), tid: TID })).not.toThrow()
  })

  it.each([
    ['another tenant’s issuer', { iss: issuerOf(OTHER), tid: TID }],
    ['no tenant', { iss: issuerOf(TID) }],
    ['a tenant that is a path', { iss: issuerOf('x/../y'), tid: 'x/../y' }],
    ['a tenant that is a list', { iss: issuerOf(TID), tid: [TID] }],
  ])('is refused with %s', (_, claims) => {
    expect(() => checkTenant(issuerOf('{tenantid}'), claims)).toThrow(FederationError)
  })

  it('is refused when it left the groups out because they are too many', () => {
    const overage = { _claim_names: { groups: 'src1' }, _claim_sources: { src1: {} } }
    expect(() => checkGroupsAreThere(overage, 'groups')).toThrow(FederationError)
    expect(() => checkGroupsAreThere({ groups: ['a'] }, 'groups')).not.toThrow()
    expect(() => checkGroupsAreThere({ _claim_names: { photo: 'src1' } }, 'groups')).not.toThrow()
  })
})

describe('createIdentityProviders', () => {
  const create = (provider: object) =>
    createIdentityProviders({
      fetch,
      identity: identity.parse({
        providers: [
          { ...BASE, type: 'oidc', ...provider },
          { type: 'local', title: 'Staff' },
        ],
      }),
      clockTolerance: 60,
      keepsTokens: false,
      clock: () => 0,
    })

  it('offers them in order, and local accounts beside them', async () => {
    const { offered, local, find } = await create({ title: 'Example Corp' })
    expect(offered.map(({ id, title, origin }) => [id, title, origin])).toEqual([
      ['corp', 'Example Corp', 'https://idp.example'],
    ])
    expect(local).toEqual({ title: 'Staff' })
    expect([find('corp')?.id, find('local'), find('__proto__')]).toEqual(['corp', undefined, undefined])
  })
})
