// Public documents of the authorization server: metadata (RFC 8414, OpenID Discovery) and keys (RFC 7517). Written here, from the
// configuration, so that no request header can reach a URL in them.
import { allowAnyOrigin, answerPublicPreflight } from '../http/cors.ts'
import type { Endpoint } from '../http/exchange.ts'
import { sendJson } from '../http/responses.ts'

export function publicDocument(content: () => unknown): Endpoint {
  return (exchange) => {
    allowAnyOrigin(exchange)
    const { req, res } = exchange
    if (req.method === 'OPTIONS') return answerPublicPreflight(exchange, 'GET, HEAD')
    if (req.method !== 'GET' && req.method !== 'HEAD')
      return sendJson(
        res,
        405,
        { error: 'invalid_request' },
        { Allow: 'GET, HEAD, OPTIONS', 'Cache-Control': 'no-store' },
      )
    sendJson(res, 200, content(), { 'Cache-Control': 'public, max-age=300' })
  }
}

interface PublicPart {
  kty?: string | undefined
  crv?: string | undefined
  x?: string | undefined
  y?: string | undefined
  kid?: string | undefined
  alg?: string | undefined
  use?: string | undefined
}

/** By name, not by leaving out: a member nobody thought of stays inside. */
export const publicKeySet = (keys: readonly PublicPart[]) => ({
  keys: keys.map(({ kty, crv, x, y, kid, alg, use }) => ({ kty, crv, x, y, kid, alg, use })),
})
