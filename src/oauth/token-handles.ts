// Revocation (RFC 7009) and introspection (RFC 7662) of our JWTs. The library does both for opaque tokens only, so it is handed an
// opaque handle in place of a token that we have proved; client authentication and every answer stay the library's.
import { type Adapter, type Client, errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Endpoint } from '../http/exchange.ts'
import { checkMethod } from '../http/method.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Durable } from '../store/durable.ts'
import type { AccessToken } from '../tokens/access-token.ts'
import type { Acts } from './acts.ts'
import { answeringClients, type Refused } from './answers.ts'
import { currentCall } from './call.ts'
import type { Library } from './library.ts'
import { HANDLE, readPostedRequest, serialise } from './parameters.ts'
import { parsePayload } from './payload.ts'

export const REVOCATION_ROUTE = '/oauth/revoke'
export const INTROSPECTION_ROUTE = '/oauth/introspect'

interface EndpointNeeds {
  readonly library: Library
  readonly bodyTimeout: number
  readonly refused: Refused
  verifyOwnToken(token: string): Promise<AccessToken | undefined>
}

const looksLikeJwt = (token: string): boolean => token.split('.').length === 3
const handleOf = (jti: string): string => `jwt~${jti}`

export function handleEndpoint(
  route: string,
  { library, bodyTimeout, refused, verifyOwnToken }: EndpointNeeds,
): Endpoint {
  return answeringClients(refused, async (exchange) => {
    checkMethod(exchange, 'POST')
    const form = new Map(await readPostedRequest(exchange, HANDLE, bodyTimeout))
    // RFC 7662 §2.1: without any authentication there is no answer, and 401 says so.
    const isNamed =
      exchange.req.headers.authorization !== undefined || form.has('client_id') || form.has('client_assertion')
    if (!isNamed) throw new errors.InvalidClientAuth('no client authentication')
    const token = form.get('token') ?? ''
    const proved = looksLikeJwt(token) ? await verifyOwnToken(token) : undefined
    if (looksLikeJwt(token)) form.set('token', handleOf(proved?.jti ?? 'unknown'))
    await library.call(
      exchange,
      {
        method: 'POST',
        target: route,
        credentials: 'authorization',
        body: { type: 'application/x-www-form-urlencoded', text: serialise(form) },
      },
      proved && { handle: proved },
    )
  })
}

/** RFC 7009 §2.1, RFC 7662 §2.2: a token is told about, and dies, only at the hands of the client it was issued to. */
export function isOwnToken(
  _ctx: KoaContextWithOIDC,
  client: Client,
  token: { clientId?: string | undefined },
): boolean {
  return token.clientId === client.clientId
}

interface AdapterNeeds {
  readonly revocations: Durable['revocations']
  readonly acts: Acts
  readonly clock: Clock
  onRevocation(): Promise<void>
}

/** Access tokens are never stored: what there is of one is the handle that the endpoint proved. */
export function accessTokenAdapter({ revocations, acts, clock, onRevocation }: AdapterNeeds): Adapter {
  return {
    async find(id) {
      const handle = currentCall()?.handle
      if (!handle || id !== handleOf(handle.jti)) return undefined
      // The family is left out on purpose: the library would revoke it together with this one token.
      return parsePayload(
        {
          kind: 'AccessToken',
          clientId: handle.client,
          accountId: handle.subject,
          aud: handle.audience,
          scope: handle.scopes.join(' '),
          iat: Math.floor(handle.issuedAt / 1000),
          exp: Math.floor(handle.expiresAt / 1000),
        },
        handle.jti,
      )
    },
    async destroy(jti) {
      const handle = currentCall()?.handle
      if (handle?.jti !== jti) throw new TypeError('an access token was destroyed that nobody presented')
      await revocations.add({ kind: 'jti', value: jti, at: clock(), expiresAt: handle.expiresAt })
      await onRevocation()
      await acts.record({
        act: 'token_revoked',
        decision: 'allow',
        reason: 'revoked_by_client',
        subject: handle.subject,
        client: handle.client,
        resource: handle.audience,
        ...(handle.family === undefined ? {} : { family: handle.family }),
      })
    },
    async upsert() {
      throw new TypeError('access tokens are JWTs and are not stored')
    },
    async consume() {},
    async revokeByGrantId() {},
    async findByUid() {},
    async findByUserCode() {},
  }
}
