// Whom a rule is for: `*` (anyone signed in), `anonymous`, one `user:`, `group:`, `role:`, `team:`, `client:` or `token:`, or who has a
// claim, `claim:PATH=VALUE`.
import type { RolesConfig } from '../config/scopes.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import { SUBJECT, SUBJECT_FORM } from '../protocol/rule-words.ts'

const NAMED = ['user', 'group', 'role', 'team', 'client', 'token'] as const
export type NamedSubject = (typeof NAMED)[number]

export type Subject =
  | { readonly type: 'signed_in' }
  | { readonly type: 'anonymous' }
  | { readonly type: NamedSubject; readonly value: string }
  | { readonly type: 'claim'; readonly path: string; readonly value: string }

/** A role of the configuration stands for its members too, whoever made the principal. `where` names the setting for the operator. */
export function parseSubjects(texts: readonly string[], roles: RolesConfig, where: string): readonly Subject[] {
  return texts.flatMap((text) => {
    const subject = parseSubject(text, where)
    if (subject.type !== 'role' || !Object.hasOwn(roles, subject.value)) return [subject]
    const members = roles[subject.value] ?? []
    return [subject, ...members.map((member) => parseSubject(member, `roles.${subject.value}`))]
  })
}

function parseSubject(text: string, where: string): Subject {
  if (text === '*') return { type: 'signed_in' }
  if (text === 'anonymous') return { type: 'anonymous' }
  if (!SUBJECT.test(text)) throw nobody(text, where)
  const at = text.indexOf(':')
  const value = text.slice(at + 1)
  if (text.startsWith('claim:')) return parseClaim(value)
  const type = NAMED.find((name) => name === text.slice(0, at))
  if (type === undefined) throw nobody(text, where)
  // Principals carry their verified e-mail in lower case.
  return { type, value: type === 'user' && value.includes('@') ? value.toLowerCase() : value }
}

function parseClaim(text: string): Subject {
  const at = text.indexOf('=')
  return { type: 'claim', path: text.slice(0, at), value: text.slice(at + 1) }
}

const nobody = (text: string, where: string) => new OperatorError(`${where}: "${text}" is nobody. ${SUBJECT_FORM}`)

/** What a principal goes by, for each kind of name. */
export function namesOf(principal: Principal): Readonly<Record<NamedSubject, readonly (string | undefined)[]>> {
  const { subject, email, groups, roles, teams, client, tokenId, method, family } = principal
  return {
    user: [subject, email],
    group: groups,
    role: roles,
    team: teams,
    client: [client],
    // What people know an API token by is its family; its secrets have ids of their own.
    token: [tokenId, method === 'api_token' ? family : undefined],
  }
}
