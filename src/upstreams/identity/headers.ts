// Who calls, as header fields of the request to one server. Nothing of the caller's own head is among them, so that there is nothing to
// take out first; what is empty is left out.
import type { ToldIdentity } from '../../config/identity-told.ts'
import {
  ASSERTION_FIELD,
  delegationOf,
  IDENTITY_SUFFIXES,
  type IdentityAttribute,
  identityValue,
  listed,
  organisationsOf,
} from '../../protocol/identity-headers.ts'
import type { AuthMethod, Principal } from '../../protocol/principal.ts'

/** Names and values, as they are written. */
export type Fields = readonly (readonly [name: string, value: string])[]

export interface IdentityFields {
  readonly fields: Fields
  /** Left out, because what belongs in them is longer than a head may be. */
  readonly omitted: readonly string[]
}

/** What is told of the caller in the head, under the names that the server knows. */
export function identityFields(principal: Principal, told: ToldIdentity): IdentityFields {
  const omitted: string[] = []
  const fields = FORMS[told.form](principal, told).flatMap(([name, value]) => {
    if (value === undefined) omitted.push(name)
    return value === undefined || value === '' ? [] : [[name, value] as const]
  })
  return { fields, omitted }
}

export const assertionField = ({ form }: Pick<ToldIdentity, 'form'>): string =>
  form === 'portkey' ? 'X-User-JWT' : ASSERTION_FIELD

/** `undefined`: too long. */
type Written = readonly (readonly [name: string, value: string | undefined])[]

const FORMS: Readonly<Record<ToldIdentity['form'], (principal: Principal, told: ToldIdentity) => Written>> = {
  portcullis: ownFields,
  contextforge: contextForgeFields,
  portkey: portkeyFields,
}

function ownFields(principal: Principal, { attributes, headerPrefix }: ToldIdentity): Written {
  const written = attributes.map(
    (attribute) => [`${headerPrefix}-${IDENTITY_SUFFIXES[attribute]}`, identityValue(principal, attribute)] as const,
  )
  return [...written, [`${headerPrefix}-Actor`, listed(delegationOf(principal).slice(0, -1))]]
}

const CONTEXTFORGE: Readonly<Partial<Record<IdentityAttribute, string>>> = {
  id: 'Id',
  email: 'Email',
  groups: 'Groups',
  teams: 'Teams',
  roles: 'Roles',
}

/** As ContextForge calls the ways to knock. */
export const CONTEXTFORGE_METHODS: Readonly<Record<AuthMethod, string>> = {
  access_token: 'bearer',
  external_token: 'bearer',
  api_token: 'api_key',
  proxy: 'proxy',
  edge: 'proxy',
  certificate: 'certificate',
  session: 'sso',
  password: 'basic',
  none: '',
}

function contextForgeFields(principal: Principal, { attributes, headerPrefix }: ToldIdentity): Written {
  const written = attributes.flatMap((attribute) => {
    const suffix = CONTEXTFORGE[attribute]
    return suffix === undefined ? [] : [[`${headerPrefix}-${suffix}`, identityValue(principal, attribute)] as const]
  })
  const method = attributes.includes('method') ? CONTEXTFORGE_METHODS[principal.method] : ''
  return [
    ...written,
    [`${headerPrefix}-Auth-Method`, method],
    [`${headerPrefix}-Service-Account`, principal.kind === 'service' ? 'true' : ''],
    [`${headerPrefix}-Delegation-Chain`, chained(principal)],
  ]
}

/** `ci-bot>alice`: who acts, and for whom. A subject with that sign in it is encoded. */
const chained = (principal: Principal): string =>
  delegationOf(principal)
    .map((subject) => listed([subject]).replaceAll('>', '%3E'))
    .join('>')

const PORTKEY: Readonly<Partial<Record<IdentityAttribute, string>>> = { user: 'User', teams: 'Team', roles: 'Roles' }

function portkeyFields(principal: Principal, { attributes, headerPrefix }: ToldIdentity): Written {
  const written = attributes.flatMap((attribute) => {
    const suffix = PORTKEY[attribute]
    return suffix === undefined ? [] : [[`${headerPrefix}-${suffix}`, identityValue(principal, attribute)] as const]
  })
  return [...written, ['X-User-Claims', claimsText(principal, attributes)]]
}

const MOST_CLAIMS = 4096

/** JSON in plain ASCII: RFC 8259 §7 lets any character be written as an escape. */
function claimsText(principal: Principal, attributes: readonly IdentityAttribute[]): string | undefined {
  if (principal.kind === 'anonymous') return ''
  const claims = Object.assign({}, ...attributes.map((attribute) => portkeyClaims(principal, attribute)))
  const text = JSON.stringify(claims).replace(
    /[^\x20-\x7e]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return text.length > MOST_CLAIMS ? undefined : text
}

function portkeyClaims(principal: Principal, attribute: IdentityAttribute): Readonly<Record<string, unknown>> {
  const { subject, email, name, client, scopes, groups, roles, teams, method } = principal
  switch (attribute) {
    case 'user':
      return { username: email ?? subject }
    case 'id':
      return { sub: subject, user_id: subject }
    case 'email':
      return email === undefined ? {} : { email }
    case 'name':
      return name === undefined ? {} : { name }
    case 'groups':
      return { groups }
    case 'roles':
      return { roles }
    case 'teams':
      return { teams }
    case 'organisation': {
      const [organisation] = organisationsOf(principal)
      return organisation === undefined ? {} : { organisation_id: organisation }
    }
    case 'scopes':
      return { scope: scopes.join(' ') }
    case 'method':
      return { auth_method: method }
    case 'client':
      return client === undefined ? {} : { client_id: client }
  }
}
