// Whom a rule is for: `*` (anyone signed in), `anonymous`, or one `user:`, `group:`, `role:`, `team:`, `client:`.
import { OperatorError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'

const NAMED = ['user', 'group', 'role', 'team', 'client'] as const
export type NamedSubject = (typeof NAMED)[number]

export type Subject =
  | { readonly type: 'signed_in' }
  | { readonly type: 'anonymous' }
  | { readonly type: NamedSubject; readonly value: string }

export function parseSubject(text: string, where: string): Subject {
  if (text === '*') return { type: 'signed_in' }
  if (text === 'anonymous') return { type: 'anonymous' }
  const at = text.indexOf(':')
  const type = NAMED.find((name) => name === text.slice(0, at))
  const value = text.slice(at + 1)
  if (type === undefined || value === '') {
    throw new OperatorError(
      `${where}: "${text}" is nobody. Write *, anonymous, user:NAME, group:NAME, role:NAME, team:NAME or client:ID.`,
    )
  }
  // A name with a star would match nobody: an allow would be useless, a deny an open gate.
  if (value.includes('*')) {
    throw new OperatorError(`${where}: "${text}" has a wildcard. Name the ${type}, or give people a group or a role.`)
  }
  // Principals carry their verified e-mail in lower case.
  return { type, value: type === 'user' && value.includes('@') ? value.toLowerCase() : value }
}

/** An anonymous caller is nobody else: neither `*` nor a user who happens to have that name. */
export function isSubject(subject: Subject, principal: Principal): boolean {
  if (principal.kind === 'anonymous') return subject.type === 'anonymous'
  switch (subject.type) {
    case 'signed_in':
      return true
    case 'anonymous':
      return false
    case 'user':
      return subject.value === principal.email || subject.value === principal.subject
    case 'client':
      return subject.value === principal.client
    case 'group':
      return principal.groups.includes(subject.value)
    case 'role':
      return principal.roles.includes(subject.value)
    case 'team':
      return principal.teams.includes(subject.value)
  }
}
