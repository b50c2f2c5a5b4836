// Our own access tokens as a way to knock: proved in tokens/, and the person behind them as they are now.
import { BearerError, RequestError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Attributes, AttributesOf } from './attributes.ts'
import type { TokenWay, Wanted } from './way.ts'

/** A verified token, as tokens/ hands it over. */
export interface VerifiedToken {
  readonly jti: string
  readonly subject: string
  readonly client: string
  readonly scopes: readonly string[]
  readonly family: string | undefined
  readonly issuedAt: number
  readonly expiresAt: number
}

interface Needs {
  /** A token that was proved before and still holds; `undefined` sends it to `verify`. */
  recall(token: string, resources: readonly string[]): VerifiedToken | undefined
  verify(token: string, resources: readonly string[]): Promise<VerifiedToken>
  readonly attributes: AttributesOf
}

export interface OwnTokens {
  /** What is known is not waited for: that would cost as much as looking it up. */
  recall(token: string, wanted: Wanted): Principal | Promise<Principal> | undefined
  /** Judges what no other way claims, and refuses it when it is not ours: it stands last. */
  readonly way: TokenWay
}

export function ownTokens({ recall, verify, attributes }: Needs): OwnTokens {
  function principalNow(token: VerifiedToken): Principal | Promise<Principal> {
    const known = attributes.find(token.subject)
    return known instanceof Promise ? known.then((person) => principalOf(token, person)) : principalOf(token, known)
  }
  return {
    recall(token, { resources }) {
      const known = recall(token, resources)
      return known && principalNow(known)
    },
    way: {
      isMine: () => true,
      prove: async (token, _credentials, { resources }) => principalNow(await verify(token, resources)),
    },
  }
}

/** In place of our tokens where the configuration does not take them. */
export const CLOSED: TokenWay = {
  isMine: () => true,
  prove() {
    throw new BearerError('invalid_token', 'tokens_closed', 'Access tokens are not accepted here.')
  },
}

/** By the token, which whoever proves tokens holds on to: what others know of a principal they know by the object. */
const principals = new WeakMap<VerifiedToken, { readonly person: Attributes; readonly principal: Principal }>()

function principalOf(token: VerifiedToken, person: Attributes | undefined): Principal {
  const known = principals.get(token)
  if (known !== undefined && known.person === person) return known.principal
  if (!person || person.disabled)
    throw new BearerError(
      'invalid_token',
      person ? 'account_disabled' : 'account_gone',
      'The access token is not valid here.',
    )
  // 403, not 401: the token is good, the person is no longer one of those the gate admits.
  if (!person.admitted) throw new RequestError(403, 'not_admitted', 'This account is not admitted here.')
  const principal: Principal = {
    kind: 'person',
    subject: token.subject,
    email: person.email,
    name: person.name,
    groups: person.groups,
    roles: person.roles,
    teams: person.teams,
    claims: person.claims,
    client: token.client,
    issuer: undefined,
    identity: token.subject,
    scopeRule: 'covers',
    reach: undefined,
    beside: undefined,
    scopes: token.scopes,
    method: 'access_token',
    family: token.family,
    tokenId: token.jti,
    issuedAt: token.issuedAt,
    expiresAt: token.expiresAt,
    actor: undefined,
  }
  principals.set(token, { person, principal })
  return principal
}
