// Who is calling, in the fields that an ingress copies to the server behind. All of them, always: a field that is missing in the answer
// would let the caller's own forgery through (CVE-2026-30851).
import { ASSERTION_FIELD, IDENTITY_ATTRIBUTES, IDENTITY_SUFFIXES, identityValue } from '../protocol/identity-headers.ts'
import type { Principal } from '../protocol/principal.ts'

export interface IdentityHeaders {
  /** Names and values in turn. */
  readonly fields: readonly string[]
  /**
   * Fields that are empty because what belongs in them is longer than a head may be. The assertion of the same caller leaves them out as
   * well, and says so.
   */
  readonly omitted: readonly string[]
}

const FIELDS = IDENTITY_ATTRIBUTES.map(
  (attribute) => [attribute, `X-Forwarded-${IDENTITY_SUFFIXES[attribute]}`] as const,
)

export function identityHeaders(principal: Principal, assertion: string): IdentityHeaders {
  const omitted: string[] = []
  const fields = FIELDS.flatMap(([attribute, field]) => {
    const value = identityValue(principal, attribute)
    if (value === undefined) omitted.push(field)
    return [field, value ?? '']
  })
  return { fields: [...fields, ASSERTION_FIELD, assertion], omitted }
}

/** For whoever may pass without being known. */
export const NO_IDENTITY: readonly string[] = [...FIELDS.flatMap(([, field]) => [field, '']), ASSERTION_FIELD, '']
