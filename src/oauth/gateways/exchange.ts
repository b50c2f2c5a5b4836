// Over the back channel: a gateway code for our tokens, and those for newer ones. The token endpoint does it (RFC 6749 §4.1.3, §6),
// with its families, rotation and detection of replays; here the code is held to the callback it was issued for.
import { errors } from 'oidc-provider'
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { checkMethod } from '../../http/method.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { RefreshTokens } from '../../store/durable.ts'
import type { Artifacts } from '../../store/ephemeral.ts'
import { answeringClients, InvalidGrantError, type Refused } from '../answers.ts'
import { sha256 } from '../hash.ts'
import type { SendTokenRequest } from '../token.ts'
import type { GatewayClient, GatewayClients } from './clients.ts'
import { readFields } from './fields.ts'
import { checkProvider, gatewayUriRefused } from './login.ts'

interface Needs {
  readonly gateways: GatewayClients
  readonly artifacts: Pick<Artifacts, 'find' | 'consume'>
  readonly refreshTokens: Pick<RefreshTokens, 'find'>
  readonly providers: readonly string[]
  readonly send: SendTokenRequest
  readonly clock: Clock
  readonly bodyTimeout: number
  readonly refused: Refused
}

/** One sentence for every cause: which check failed is for the operator, not for the caller. */
const BAD_CODE = 'Invalid or expired gateway code'
const BAD_REFRESH_TOKEN = 'Refresh token is invalid or expired'

export function exchangeEndpoints(needs: Needs) {
  const { gateways, artifacts, refreshTokens, providers, send, clock, bodyTimeout, refused } = needs

  /** A code of another client is left alone: it stays good for that one. Under a wrong callback ours is burned. */
  async function checkCode(code: string, uri: string): Promise<void> {
    const idHash = sha256(code)
    const found = await artifacts.find('AuthorizationCode', idHash, clock())
    const issuedFor = gateways.uriOf(String(found?.payload['clientId'] ?? ''))
    if (issuedFor === undefined) throw new InvalidGrantError('gateway_code_unknown', BAD_CODE)
    if (issuedFor === uri) return
    await artifacts.consume('AuthorizationCode', idHash, clock())
    throw new InvalidGrantError('gateway_code_elsewhere', BAD_CODE)
  }

  /** `callback`: what the field is called that holds the address. */
  const exchangeOf = (callback: 'gateway_uri' | 'redirect_uri'): Endpoint =>
    answeringClients(refused, async (exchange) => {
      checkMethod(exchange, 'POST')
      const fields = await readFields(exchange, ['code', callback, 'provider'], bodyTimeout)
      const [code, uri] = [fields.get('code'), fields.get(callback)]
      if (code === undefined || uri === undefined) throw new errors.InvalidRequest(`code and ${callback} are required`)
      await checkCode(code, uri)
      const gateway = gateways.ofUri(uri)
      if (gateway === undefined) throw gatewayUriRefused()
      checkProvider(fields.get('provider'), providers)
      const grant = { grant_type: 'authorization_code', code, redirect_uri: uri, code_verifier: gateway.verifier }
      await redeem(exchange, gateway, grant, BAD_CODE)
    })

  const refresh = answeringClients(refused, async (exchange) => {
    checkMethod(exchange, 'POST')
    const fields = await readFields(exchange, ['refresh_token', 'provider'], bodyTimeout)
    const token = fields.get('refresh_token')
    if (token === undefined) throw new errors.InvalidRequest('refresh_token is required')
    checkProvider(fields.get('provider'), providers)
    const found = await refreshTokens.find(sha256(token), clock())
    const gateway = gateways.ofId(String(found?.payload['clientId'] ?? ''))
    if (gateway === undefined) throw new InvalidGrantError('refresh_token_unknown', BAD_REFRESH_TOKEN)
    await redeem(exchange, gateway, { grant_type: 'refresh_token', refresh_token: token }, BAD_REFRESH_TOKEN)
  })

  const redeem = (exchange: Exchange, { id }: GatewayClient, grant: Record<string, string>, refusal: string) =>
    send(exchange, new Map(Object.entries({ ...grant, client_id: id })), refusal)

  return { exchange: exchangeOf('gateway_uri'), exchangeDirect: exchangeOf('redirect_uri'), refresh }
}
