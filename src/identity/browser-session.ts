// A person in a browser, known by a session of ours: looked up at every use, like the person behind a token.
import { BearerError, RequestError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Attributes, AttributesOf } from './attributes.ts'

export interface SessionClaims {
  readonly subject: string
  readonly id: string
  readonly issuedAt: number
  readonly expiresAt: number
}

interface Needs {
  readonly attributes: AttributesOf
  isRevoked(session: { jti: string; family: undefined; client: string; subject: string; issuedAt: number }): boolean
}

/** Throws BearerError for a session that was revoked or whose account is gone, RequestError 403 for one that is not admitted. */
export function sessionCaller({ attributes, isRevoked }: Needs) {
  return function callerOf(session: SessionClaims): Principal | Promise<Principal> {
    const { subject, id: jti, issuedAt } = session
    if (isRevoked({ jti, family: undefined, client: '', subject, issuedAt })) throw ended('revoked')
    const known = attributes.find(subject)
    return known instanceof Promise ? known.then((person) => principalOf(session, person)) : principalOf(session, known)
  }
}

/** Without an error code: it is no bearer token (RFC 6750 §3.1), and the person may sign in again. */
const ended = (reason: string) => new BearerError(undefined, reason, 'Authentication required.')

function principalOf({ subject, id, issuedAt, expiresAt }: SessionClaims, person: Attributes | undefined): Principal {
  if (!person || person.disabled) throw ended(person ? 'account_disabled' : 'account_gone')
  // 403, not 401: the session is good, the person is no longer one of those the gate admits.
  if (!person.admitted) throw new RequestError(403, 'not_admitted', 'This account is not admitted here.')
  return {
    kind: 'person',
    subject,
    email: person.email,
    name: person.name,
    groups: person.groups,
    roles: person.roles,
    teams: person.teams,
    claims: person.claims,
    client: undefined,
    issuer: undefined,
    identity: subject,
    scopeRule: 'none',
    reach: undefined,
    beside: undefined,
    scopes: [],
    method: 'session',
    family: undefined,
    tokenId: id,
    issuedAt,
    expiresAt,
    actor: undefined,
  }
}
