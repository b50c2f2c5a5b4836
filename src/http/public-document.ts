// A document for anybody: any origin may read it, and keep it for some minutes.
import { allowAnyOrigin, answerPublicPreflight } from './cors.ts'
import type { Endpoint } from './exchange.ts'
import { checkMethod } from './method.ts'
import { sendJson } from './responses.ts'

export function publicDocument(content: () => unknown): Endpoint {
  return (exchange) => {
    allowAnyOrigin(exchange)
    checkMethod(exchange, 'GET', 'HEAD', 'OPTIONS')
    if (exchange.req.method === 'OPTIONS') return answerPublicPreflight(exchange, 'GET, HEAD')
    sendJson(exchange.res, 200, content(), { 'Cache-Control': 'public, max-age=300' })
  }
}
