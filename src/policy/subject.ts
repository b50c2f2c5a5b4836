// Whom a rule is for: `*` (anyone signed in), `anonymous`, or one `user:`, `group:`, `role:`, `team:`, `client:`.
import { OperatorError } from '../protocol/errors.ts'
import { SUBJECT, SUBJECT_FORM } from '../protocol/rule-words.ts'

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
  if (type === undefined || !SUBJECT.test(text))
    throw new OperatorError(`${where}: "${text}" is nobody. ${SUBJECT_FORM}`)
  // Principals carry their verified e-mail in lower case.
  return { type, value: type === 'user' && value.includes('@') ? value.toLowerCase() : value }
}
