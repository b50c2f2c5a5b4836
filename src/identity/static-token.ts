// The one token of the configuration (`auth.staticToken`): who shows it is `static-authorized-user`, admitted because the operator wrote it.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Principal } from '../protocol/principal.ts'
import type { TokenWay } from './way.ts'

export const STATIC_USER = 'static-authorized-user'

const PRINCIPAL: Principal = Object.freeze({
  kind: 'service',
  subject: STATIC_USER,
  email: undefined,
  name: undefined,
  groups: [],
  roles: [],
  teams: [],
  client: undefined,
  issuer: undefined,
  identity: STATIC_USER,
  scopeRule: 'none',
  reach: undefined,
  beside: undefined,
  scopes: [],
  method: 'api_token',
  family: undefined,
  tokenId: undefined,
  issuedAt: undefined,
  expiresAt: undefined,
  actor: undefined,
})

/** Compared by digest, in constant time: how much of a guess is right is told by nothing. */
export function staticTokenWay(token: string): TokenWay {
  const expected = digest(token)
  return {
    isMine: (shown) => timingSafeEqual(digest(shown), expected),
    prove: () => PRINCIPAL,
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
