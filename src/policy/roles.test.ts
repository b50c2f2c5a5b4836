// Roles of the configuration, by group, team and verified user.
import { expect, it } from 'vitest'
import { resolveRoles } from './roles.ts'

const ROLES = { admin: ['group:platform', 'user:Ann@example.com'], analyst: ['team:data', 'user:u7'] }
const nobody = { id: 'u1', email: undefined, emailVerified: false, groups: [], teams: [], roles: [] }

it.each([
  ['a group', { groups: ['platform'] }, ['admin']],
  ['a team', { teams: ['data'] }, ['analyst']],
  ['an account', { id: 'u7' }, ['analyst']],
  ['a verified e-mail', { email: 'ann@example.com', emailVerified: true }, ['admin']],
  ['an e-mail nobody verified', { email: 'ann@example.com' }, []],
  ['a team of a group’s name', { teams: ['platform'] }, []],
  ['a role the provider named', { roles: ['auditor'], groups: ['platform'] }, ['auditor', 'admin']],
  ['a role held twice', { roles: ['admin'], groups: ['platform'] }, ['admin']],
])('%s', (_, attributes, expected) => {
  expect(resolveRoles({ ...nobody, ...attributes }, ROLES)).toEqual(expected)
})
