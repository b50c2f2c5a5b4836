// Somebody whom a service names to ask what they may do: the account it means, or one that an issuer of ours vouches for.
import { parseEmail } from '../protocol/email.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import type { UserRecord, Users } from '../store/durable.ts'
import { LOCAL_ISSUER } from './admission.ts'
import type { Attributes, AttributesOf } from './attributes.ts'
import { ClaimError } from './claims.ts'
import { type KeptPaths, keepClaims } from './kept-claims.ts'
import type { IsEmailAdmitted, Vouching } from './vouched.ts'

/** As the service names them; what it says of them is believed where we know nothing ourselves. */
export interface NamedSubject {
  readonly type: string
  readonly id: string
  readonly properties: Readonly<Record<string, unknown>>
}

/** `reason`: why the name is nobody's. */
export type FoundSubject = { readonly principal: Principal } | { readonly reason: string }

interface Needs {
  readonly users: Pick<Users, 'findByIdentity' | 'findOnlyByEmail'>
  readonly attributes: Pick<AttributesOf, 'find'>
  readonly admit: Vouching['admit']
  readonly isEmailAdmitted: IsEmailAdmitted
  /** Issuers whose accounts may knock here without ever having signed in. */
  readonly issuers: readonly string[]
  /** Properties that are kept for conditions, as claims would be. */
  readonly kept: KeptPaths
}

const PEOPLE = new Set(['user', 'identity'])

/** Throws RequestError 400 for properties that cannot be what they are called. */
export function findSubject(needs: Needs): (subject: NamedSubject) => Promise<FoundSubject> {
  const { users, attributes, issuers } = needs

  async function find({ type, id, properties }: NamedSubject): Promise<FoundSubject> {
    if (!PEOPLE.has(type)) return { reason: 'unknown_subject_type' }
    const issuer = optionalText(properties, 'issuer')
    const client = optionalText(properties, 'client')
    const known = await accountOf(id, issuer)
    if (known !== undefined) return known.person === undefined ? UNKNOWN : principalOf(known.id, known.person, client)
    if (issuer === undefined) return UNKNOWN
    return issuers.includes(issuer) ? vouchedFor(id, issuer, properties) : { reason: 'unknown_issuer' }
  }

  async function accountOf(id: string, issuer: string | undefined) {
    const person = issuer === undefined ? await attributes.find(id) : undefined
    if (person !== undefined) return { id, person }
    const account = issuer === undefined ? await ofOurs(id) : await users.findByIdentity(issuer, id)
    return account === undefined ? undefined : { id: account.id, person: await attributes.find(account.id) }
  }

  /** By address before by name: names of local accounts may look like addresses of others. */
  async function ofOurs(id: string): Promise<UserRecord | undefined> {
    const email = parseEmail(id)
    const found = email === undefined ? undefined : await users.findOnlyByEmail(email)
    return found ?? users.findByIdentity(LOCAL_ISSUER, id)
  }

  async function vouchedFor(identity: string, issuer: string, told: NamedSubject['properties']): Promise<FoundSubject> {
    const vouched = {
      ...NO_CREDENTIAL,
      kind: 'person',
      issuer,
      identity,
      email: parseEmail(told['email']),
      name: optionalText(told, 'name'),
      groups: texts(told, 'groups'),
      roles: texts(told, 'roles'),
      teams: texts(told, 'teams'),
      claims: claimsIn(told, needs.kept),
      client: optionalText(told, 'client'),
    } as const
    try {
      return { principal: await needs.admit(vouched, needs.isEmailAdmitted) }
    } catch (error) {
      if (error instanceof BearerError || error instanceof RequestError) return { reason: error.reason }
      throw error
    }
  }

  return async (subject) => {
    // No account has such a name, and no database takes it.
    if (!subject.id.isWellFormed() || subject.id.includes('\0')) return UNKNOWN
    return find(subject)
  }
}

const UNKNOWN = { reason: 'unknown_subject' } as const

/** Rules alone decide: there is no token in question, so no scope of one. */
const NO_CREDENTIAL = {
  method: 'none',
  scopes: [],
  scopeRule: 'none',
  tokenId: undefined,
  issuedAt: undefined,
  expiresAt: undefined,
} as const

function principalOf(subject: string, person: Attributes, client: string | undefined): FoundSubject {
  if (person.disabled) return { reason: 'account_disabled' }
  if (!person.admitted) return { reason: 'not_admitted' }
  const { email, name, groups, roles, teams, claims } = person
  const own = { kind: 'person', subject, identity: subject, client, email, name, groups, roles, teams, claims } as const
  return { principal: { ...ANONYMOUS, ...NO_CREDENTIAL, ...own } }
}

function optionalText(properties: NamedSubject['properties'], name: string): string | undefined {
  const value = properties[name]
  if (value === undefined || typeof value === 'string') return value
  throw badProperty(name)
}

/** A list that is left out because it cannot be read could be the one that a rule denies by. */
function texts(properties: NamedSubject['properties'], name: string): readonly string[] {
  const value = properties[name] ?? []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw badProperty(name)
}

function claimsIn(properties: NamedSubject['properties'], kept: KeptPaths): Principal['claims'] {
  try {
    return keepClaims([properties], kept)
  } catch (error) {
    throw error instanceof ClaimError ? badProperty(error.path) : error
  }
}

const badProperty = (name: string) =>
  new RequestError(400, 'bad_property', `subject.properties.${name}: This cannot be read.`)
