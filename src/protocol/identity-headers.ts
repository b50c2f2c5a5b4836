// Who is calling, as values of header fields: for servers behind the gate, and for what an ingress copies. Each value is one field of plain
// ASCII whatever the claims say. Pure.
import { encodeHeaderValue } from './header-value.ts'
import type { Principal } from './principal.ts'

/** What can be told of a caller; each is a header, a member of `_meta` and a claim of the assertion. */
export const IDENTITY_ATTRIBUTES = [
  'user',
  'id',
  'email',
  'name',
  'groups',
  'roles',
  'teams',
  'organisation',
  'scopes',
  'method',
  'client',
] as const
export type IdentityAttribute = (typeof IDENTITY_ATTRIBUTES)[number]

/** Field of each, after `X-Forwarded-` or another prefix. */
export const IDENTITY_SUFFIXES: Readonly<Record<IdentityAttribute, string>> = {
  user: 'User',
  id: 'User-Id',
  email: 'Email',
  name: 'Name',
  groups: 'Groups',
  roles: 'Roles',
  teams: 'Teams',
  organisation: 'Org',
  scopes: 'Scopes',
  method: 'Auth-Method',
  client: 'Client',
}

export const ASSERTION_FIELD = 'X-Portcullis-Assertion'

/** Servers refuse heads of 8 KB and more, and there are several fields. */
const MOST_LIST_BYTES = 2048
const MOST_BYTES = 512
const LISTS: ReadonlySet<IdentityAttribute> = new Set(['groups', 'roles', 'teams', 'organisation', 'scopes'])

/** `undefined` for what is longer than a head may be: cut short, a list would deny some memberships and not others. */
export function identityValue(principal: Principal, attribute: IdentityAttribute): string | undefined {
  const value = write(principal, attribute)
  return value.length > (LISTS.has(attribute) ? MOST_LIST_BYTES : MOST_BYTES) ? undefined : value
}

function write(principal: Principal, attribute: IdentityAttribute): string {
  const somebody = principal.kind !== 'anonymous'
  switch (attribute) {
    // The verified address, else our own id: never a name that people choose for themselves.
    case 'user':
      return somebody ? single(principal.email ?? principal.subject) : ''
    case 'id':
      return somebody ? single(principal.subject) : ''
    case 'email':
      return single(principal.email ?? '')
    case 'name':
      return text(principal.name ?? '')
    case 'groups':
    case 'roles':
    case 'teams':
      return listed(principal[attribute])
    case 'organisation':
      return listed(organisationsOf(principal))
    case 'scopes':
      return text(principal.scopes.join(' '))
    case 'method':
      return principal.method
    case 'client':
      return single(principal.client ?? '')
  }
}

/** Kept from the claim that `identity.mapping.organisation` names. */
export function organisationsOf({ claims }: Pick<Principal, 'claims'>): readonly string[] {
  const kept = claims?.['organisation']
  const all: unknown[] = Array.isArray(kept) ? kept : [kept]
  return all.filter((one): one is string => typeof one === 'string' && one !== '')
}

/** Who acts for the caller, the one at work first (RFC 8693 §4.1), and the caller last; nobody where nobody acts for another. */
export function delegationOf(principal: Principal): readonly string[] {
  const chain: string[] = []
  for (let actor = principal.actor; actor !== undefined; actor = actor.actor) chain.push(actor.subject)
  return chain.length === 0 ? [] : [...chain, principal.subject]
}

/** A comma would make two callers of one to a reader that takes the field for a list (CVE-2026-26308). */
const single = (value: string): string => (value.includes(',') ? escaped(value) : text(value))

/** RFC 9110 §5.6.1. A comma inside a name, or white space around it, is encoded with the name. */
export const listed = (values: readonly string[]): string => values.map(single).join(',')

/** A tab may stand in a field (RFC 9110 §5.5), and to a reader that goes by white space it ends a scope or a name. */
const text = (value: string): string => (value.includes('\t') ? escaped(value) : encodeHeaderValue(value))

const escaped = (value: string): string => `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`
