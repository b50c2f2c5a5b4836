// What another gateway may ask of a token that it got here: whose it is, and whether it still counts. Bearer header only (RFC 6750 §2.1).
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { checkMethod } from '../../http/method.ts'
import { sendJson } from '../../http/responses.ts'
import type { UserRecord } from '../../store/durable.ts'
import type { AccessToken } from '../../tokens/access-token.ts'
import { answeringClients, type Refused } from '../answers.ts'
import type { GatewayClients } from './clients.ts'
import { readQuery } from './fields.ts'
import { checkProvider } from './login.ts'

interface Needs {
  readonly gateways: Pick<GatewayClients, 'ofId'>
  readonly providers: readonly string[]
  verifyOwnToken(token: string): Promise<AccessToken | undefined>
  findUser(id: string): Promise<UserRecord | undefined>
  isAdmitted(user: UserRecord): boolean
  readonly refused: Refused
}

interface Known {
  readonly user: UserRecord
  readonly scopes: readonly string[]
}

export function personEndpoints(needs: Needs) {
  const { gateways, providers, verifyOwnToken, findUser, isAdmitted, refused } = needs

  /** RFC 8707 §2: a token for one of our servers, or for a callback that is allowed no more, is none here. */
  async function find(token: string): Promise<Known | undefined> {
    const proved = await verifyOwnToken(token)
    if (proved === undefined || gateways.ofId(proved.client)?.resource.url !== proved.audience) return undefined
    const user = await findUser(proved.subject)
    if (user === undefined || user.disabled || !isAdmitted(user)) return undefined
    return { user, scopes: proved.scopes }
  }

  const withPerson = (method: 'GET' | 'POST', answer: (known: Known) => object): Endpoint =>
    answeringClients(refused, async (exchange) => {
      checkMethod(exchange, method)
      const token = bearerOf(exchange)
      const known = token === undefined ? undefined : await find(token)
      if (known === undefined) return refuse(exchange, token === undefined ? 'no_credential' : 'invalid_token')
      checkProvider(readQuery(exchange).get('provider'), providers)
      sendJson(exchange.res, 200, answer(known), NO_STORE)
    })

  async function refuse(exchange: Exchange, reason: 'no_credential' | 'invalid_token'): Promise<void> {
    await refused(exchange, reason)
    const [challenge, description] =
      reason === 'no_credential'
        ? ['Bearer', 'Authentication required.']
        : ['Bearer error="invalid_token"', 'The access token is not valid here.']
    sendJson(
      exchange.res,
      401,
      { error: 'invalid_token', error_description: description },
      { ...NO_STORE, 'WWW-Authenticate': challenge },
    )
  }

  return {
    userInfo: withPerson('GET', ({ user, scopes }) => claimsOf(user, scopes)),
    isTokenValid: withPerson('POST', () => ({ valid: true })),
  }
}

const NO_STORE = { 'Cache-Control': 'no-store' }

function bearerOf({ req }: Exchange): string | undefined {
  return /^bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(req.headers.authorization ?? '')?.[1]
}

/** OpenID Connect Core §5.1 and §5.4, with what policies of a gateway go by. */
function claimsOf(user: UserRecord, scopes: readonly string[]): Record<string, unknown> {
  const { email, emailVerified, name, groups, roles, teams } = user
  return {
    sub: user.id,
    ...(scopes.includes('email') && email !== undefined && { email, email_verified: emailVerified }),
    ...(scopes.includes('profile') && name !== undefined && { name }),
    ...(scopes.includes('groups') && { groups, roles, teams }),
  }
}
