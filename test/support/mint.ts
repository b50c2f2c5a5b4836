// Access tokens signed with the gateway's own key, so that one of their members can be bent at a time and the signature is no reason.
import { randomUUID } from 'node:crypto'
import { importJWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose'
import type { TestGateway } from './gateway.ts'

export interface Bent {
  readonly header?: Partial<JWTHeaderParameters>
  /** Over the claims of a good token; `undefined` leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Another key than the gateway's. */
  readonly key?: Awaited<ReturnType<typeof importJWK>>
}

export type Mint = (subject: string, bent?: Bent) => Promise<string>

/** For the resource of one server; lives as long as the gateway's own tokens. */
export async function minterOf(gateway: TestGateway, server: string): Promise<Mint> {
  const [record] = await gateway.store.durable.keys.list('signing')
  if (record === undefined) throw new Error('The gateway has no signing key yet.')
  const jwk = JSON.parse(record.material)
  const own = await importJWK(jwk, 'ES256')
  return (subject, { header = {}, claims = {}, key = own } = {}) => {
    const now = Math.floor(gateway.clock.now() / 1000)
    const payload: JWTPayload = {
      iss: gateway.url,
      sub: subject,
      aud: gateway.resource(server),
      client_id: 'minted',
      scope: 'mcp:tools',
      jti: randomUUID(),
      iat: now,
      exp: now + gateway.config.oauth.accessTokenTtl / 1000,
      ...claims,
    }
    const present = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined))
    return new SignJWT(present).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: jwk.kid, ...header }).sign(key)
  }
}
