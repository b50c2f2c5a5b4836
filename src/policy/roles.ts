// Roles given by the configuration (`roles:`), added to those that the identity provider named.
import type { RolesConfig } from '../config/scopes.ts'

/** What a person is known by when roles are resolved. The type asks for `emailVerified` so that nobody forgets it. */
export interface RoleAttributes {
  readonly id: string
  readonly email: string | undefined
  readonly emailVerified: boolean
  readonly groups: readonly string[]
  readonly teams: readonly string[]
  readonly roles: readonly string[]
}

export function resolveRoles(attributes: RoleAttributes, roles: RolesConfig): readonly string[] {
  const resolved = new Set(attributes.roles)
  for (const [role, members] of Object.entries(roles)) {
    if (members.some((member) => isMember(attributes, member))) resolved.add(role)
  }
  return [...resolved]
}

function isMember({ id, email, emailVerified, groups, teams }: RoleAttributes, member: string): boolean {
  const at = member.indexOf(':')
  const value = member.slice(at + 1)
  switch (member.slice(0, at)) {
    case 'group':
      return groups.includes(value)
    case 'team':
      return teams.includes(value)
    case 'user':
      // An address that nobody verified is only a claim, and a role must not rest on it.
      return value === id || (emailVerified && email !== undefined && email.toLowerCase() === value.toLowerCase())
    default:
      return false
  }
}
