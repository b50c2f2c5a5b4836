// Who is calling the MCP door: the chain of ways to knock. A refused credential never falls through to a weaker one.
import { BearerError, RequestError } from '../protocol/errors.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import type { AttributesOf } from './attributes.ts'

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
  verify(token: string, resources: readonly string[]): Promise<VerifiedToken>
  readonly attributes: AttributesOf
  readonly anonymous: boolean
  readonly tokens: boolean
}

/** What of a request may carry a credential; handed in so that this room needs no HTTP of its own. */
export interface Credentials {
  /** The `Authorization` field. */
  readonly authorization: string | undefined
  /** The `X-API-Key` field; that it is there is all that counts. */
  readonly apiKey: unknown
  /** Query string, without `?`. */
  readonly query: string
}

export type Authenticate = (credentials: Credentials, resources: readonly string[]) => Promise<Principal>

export function authenticator({ verify, attributes, anonymous, tokens }: Needs): Authenticate {
  return async function authenticate({ authorization, apiKey, query }, resources) {
    const bearer = findBearer(authorization)
    // RFC 6750 §2.2 and §2.3 are not offered: a token in a URL ends up in histories and logs (OAuth 2.1 §5.1).
    if (/(?:^|&)access_token=/.test(query))
      throw new BearerError('invalid_request', 'token_in_query', 'Send the access token in the Authorization header.')
    if (apiKey !== undefined) {
      if (bearer !== undefined)
        throw new BearerError('invalid_request', 'two_credentials', 'Send one credential, not two.')
      throw new BearerError('invalid_token', 'api_keys_closed', 'API keys are not accepted here.')
    }
    if (bearer === undefined) {
      if (anonymous) return ANONYMOUS
      throw new BearerError(undefined, 'no_credential', 'Authentication required.')
    }
    if (!tokens) throw new BearerError('invalid_token', 'tokens_closed', 'Access tokens are not accepted here.')
    return principalOf(await verify(bearer, resources), attributes)
  }
}

/** RFC 6750 §2.1: `Bearer` in any case, one space, one token. `undefined` when there is no credential at all. */
function findBearer(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const match = /^bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(header)
  if (match?.[1] !== undefined) return match[1]
  if (/^bearer\b/i.test(header))
    throw new BearerError('invalid_token', 'malformed', 'The access token is not valid here.')
  throw new BearerError('invalid_token', 'unknown_scheme', 'Only bearer tokens are accepted here.')
}

async function principalOf(token: VerifiedToken, attributes: AttributesOf): Promise<Principal> {
  const known = attributes.find(token.subject)
  const person = known instanceof Promise ? await known : known
  if (!person || person.disabled)
    throw new BearerError(
      'invalid_token',
      person ? 'account_disabled' : 'account_gone',
      'The access token is not valid here.',
    )
  // 403, not 401: the token is good, the person is no longer one of those the gate admits.
  if (!person.admitted) throw new RequestError(403, 'not_admitted', 'This account is not admitted here.')
  return {
    kind: 'person',
    subject: token.subject,
    email: person.email,
    name: person.name,
    groups: person.groups,
    roles: person.roles,
    teams: person.teams,
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
}
