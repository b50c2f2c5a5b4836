// The redirect proxy for other gateways: its addresses. Closed, none of them exists.
import type { Endpoint } from '../../http/exchange.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { RefreshTokens, UserRecord } from '../../store/durable.ts'
import type { Artifacts } from '../../store/ephemeral.ts'
import type { AccessToken } from '../../tokens/access-token.ts'
import type { Refused } from '../answers.ts'
import type { Library } from '../library.ts'
import type { SendTokenRequest } from '../token.ts'
import type { GatewayClients } from './clients.ts'
import { exchangeEndpoints } from './exchange.ts'
import { LOGIN_ROUTE, loginEndpoint } from './login.ts'
import { personEndpoints } from './person.ts'

interface Needs {
  readonly enabled: boolean
  readonly gateways: GatewayClients
  readonly providers: readonly string[]
  readonly library: Library
  readonly send: SendTokenRequest
  readonly artifacts: Pick<Artifacts, 'find' | 'consume'>
  readonly refreshTokens: Pick<RefreshTokens, 'find'>
  verifyOwnToken(token: string): Promise<AccessToken | undefined>
  findUser(id: string): Promise<UserRecord | undefined>
  isAdmitted(user: UserRecord): boolean
  readonly clock: Clock
  readonly bodyTimeout: number
  refused(act: string): Refused
}

const EXCHANGE_ROUTE = '/gateway-oauth/exchange'

export function gatewayEndpoints({ enabled, refused, ...needs }: Needs): ReadonlyMap<string, Endpoint> {
  if (!enabled) return new Map()
  const { exchange, exchangeDirect, refresh } = exchangeEndpoints({ ...needs, refused: refused('token_refused') })
  const { userInfo, isTokenValid } = personEndpoints({ ...needs, refused: refused('token_refused') })
  return new Map([
    [LOGIN_ROUTE, loginEndpoint({ ...needs, refused: refused('authorization_refused') })],
    [EXCHANGE_ROUTE, exchange],
    [`/api/v1${EXCHANGE_ROUTE}`, exchange],
    ['/exchange-code', exchangeDirect],
    ['/refresh_token', refresh],
    ['/user_info', userInfo],
    ['/is_token_valid', isTokenValid],
  ])
}
