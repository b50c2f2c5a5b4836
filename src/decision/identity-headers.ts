// Who is calling, in the fields that an ingress copies to the server behind. All of them, always: a field that is missing in the answer
// would let the caller's own forgery through (CVE-2026-30851). Each value is one field whatever the claims say.
import { encodeHeaderValue } from '../protocol/header-value.ts'
import type { Principal } from '../protocol/principal.ts'

/** Servers refuse heads of 8 KB and more, and there are several fields. */
const MOST_LIST_BYTES = 2048
const MOST_BYTES = 512

export const ASSERTION_FIELD = 'X-Portcullis-Assertion'

export interface IdentityHeaders {
  /** Names and values in turn. */
  readonly fields: readonly string[]
  /** Fields that are empty because what belongs in them is longer than a head may be. */
  readonly omitted: readonly string[]
}

export function identityHeaders(principal: Principal, assertion: string): IdentityHeaders {
  const { email, subject, name, groups, roles, teams, scopes, client, method } = principal
  const somebody = principal.kind !== 'anonymous'
  const values: readonly (readonly [string, string])[] = [
    // The verified address, else our own id: never a name that people choose for themselves.
    ['X-Forwarded-User', somebody ? single(email ?? subject) : ''],
    ['X-Forwarded-User-Id', somebody ? single(subject) : ''],
    ['X-Forwarded-Email', single(email ?? '')],
    ['X-Forwarded-Name', encodeHeaderValue(name ?? '')],
    ['X-Forwarded-Groups', listed(groups)],
    ['X-Forwarded-Roles', listed(roles)],
    ['X-Forwarded-Teams', listed(teams)],
    // No provider names organisations yet; a forged one is overwritten all the same.
    ['X-Forwarded-Org', ''],
    ['X-Forwarded-Scopes', encodeHeaderValue(scopes.join(' '))],
    ['X-Forwarded-Auth-Method', method],
    ['X-Forwarded-Client', single(client ?? '')],
    [ASSERTION_FIELD, assertion],
  ]
  const omitted = values.filter(isTooLong).map(([field]) => field)
  return { fields: values.flatMap(([field, value]) => [field, omitted.includes(field) ? '' : value]), omitted }
}

/** For whoever may pass without being known. */
export const NO_IDENTITY: readonly string[] = [
  ...['User', 'User-Id', 'Email', 'Name', 'Groups', 'Roles', 'Teams', 'Org', 'Scopes', 'Auth-Method', 'Client'].flatMap(
    (name) => [`X-Forwarded-${name}`, ''],
  ),
  ...[ASSERTION_FIELD, ''],
]

/** A comma would make two callers of one to a reader that takes the field for a list (CVE-2026-26308). */
const single = (value: string): string => (value.includes(',') ? escaped(value) : encodeHeaderValue(value))

/** RFC 9110 §5.6.1. A comma inside a name, or white space around it, is encoded with the name. */
const listed = (values: readonly string[]): string => values.map(single).join(',')

const escaped = (value: string): string => `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`

/** Cut short, a list would deny some memberships and not others. The assertion of the same caller leaves them out as well, and says so. */
const isTooLong = ([field, value]: readonly [string, string]): boolean =>
  field !== ASSERTION_FIELD &&
  value.length > (/-(?:Groups|Roles|Teams|Scopes)$/.test(field) ? MOST_LIST_BYTES : MOST_BYTES)
