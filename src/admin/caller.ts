// Who administers: an access token for this API (RFC 8707), the local administrator, or whoever sits at this machine where nobody is
// asked. A person acts for themselves; an administrator for everybody, where their token says so as well.
import type { Exchange } from '../http/exchange.ts'
import { isBasic, type VerifyBasic } from '../identity/basic-administrator.ts'
import type { Credentials } from '../identity/way.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import { ADMIN_SCOPE, OWN_TOKENS_SCOPE } from '../protocol/resource.ts'
import type { UserRecord } from '../store/durable.ts'

export interface Caller {
  /** Id of their account; of the local administrator a name of our own. */
  readonly id: string
  readonly administrator: boolean
  /** `undefined`: no account, no token. */
  readonly principal: Principal | undefined
  readonly method: 'access_token' | 'password' | 'none'
}

export interface CallerNeeds {
  readonly serverUrl: string
  readCredentials(exchange: Exchange): Credentials
  /** Our own tokens and API tokens; throws BearerError. */
  authenticate(credentials: Credentials): Principal | Promise<Principal>
  /** `undefined`: there is no local administrator. */
  readonly verifyBasic: VerifyBasic | undefined
  findUser(id: string): Promise<UserRecord | undefined>
  /** Nobody is asked who knocks from this machine itself. */
  readonly openHere: boolean
}

const LOCAL_CALLER: Caller = { id: 'local', administrator: true, principal: undefined, method: 'none' }

export function callerOf(needs: CallerNeeds): (exchange: Exchange) => Promise<Caller> {
  const { serverUrl, authenticate, verifyBasic, findUser, openHere } = needs
  const origin = new URL(serverUrl).origin

  async function byBasic(line: string, credentials: Credentials, verify: VerifyBasic): Promise<Caller> {
    // RFC 6750 §2: one method a request. Two readers of it could take two callers from it.
    if (credentials.field('x-api-key').length > 0)
      throw new BearerError('invalid_request', 'two_credentials', 'Send one credential, not two.')
    const user = await verify(line, credentials.address)
    return { id: `administrator:${user}`, administrator: true, principal: undefined, method: 'password' }
  }

  async function byToken(credentials: Credentials): Promise<Caller> {
    const principal = await authenticate(credentials)
    // What a script holds makes no further tokens: a leaked one would outlive its own revocation.
    if (principal.method !== 'access_token')
      throw new RequestError(403, 'api_token_cannot_administer', 'An API token cannot be used here.')
    const { scopes, subject: id } = principal
    const asAdministrator = scopes.includes(ADMIN_SCOPE)
    if (!asAdministrator && !scopes.includes(OWN_TOKENS_SCOPE))
      throw new BearerError('insufficient_scope', 'scope_missing', 'The access token lacks a scope that this needs.', [
        OWN_TOKENS_SCOPE,
      ])
    const administrator = asAdministrator && ((await findUser(id))?.administrator ?? false)
    return { id, administrator, principal, method: 'access_token' }
  }

  return async function findCaller(exchange) {
    const { headers } = exchange.req
    // No page but ours: browsers add a password they know to whatever any page sends.
    if (headers.origin !== undefined && headers.origin !== origin)
      throw new RequestError(403, 'foreign_origin', 'This origin may not call here.')
    const credentials = needs.readCredentials(exchange)
    const [line] = credentials.field('authorization')
    if (verifyBasic !== undefined && isBasic(line)) return byBasic(line, credentials, verifyBasic)
    if (openHere && line === undefined && isDirect(exchange)) return LOCAL_CALLER
    return byToken(credentials)
  }
}

/** Fields that say somebody else stands behind the peer, whoever set them. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via'] as const
const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|::1)$/

/** A proxy on this machine brings the callers of others to our loopback. */
const isDirect = ({ req, address, viaProxy }: Exchange): boolean =>
  !viaProxy && LOOPBACK.test(address) && FORWARDED.every((name) => req.headers[name] === undefined)
