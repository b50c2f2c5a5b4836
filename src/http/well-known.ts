// Protected resource documents, RFC 9728 §3: one for each resource at its own inserted path; the root names the only one.
import { PROTECTED_RESOURCE_PATH, protectedResourceMetadata } from '../protocol/protected-resource.ts'
import type { Resources } from '../protocol/resource.ts'
import { allowAnyOrigin, answerPublicPreflight } from './cors.ts'
import type { Endpoint } from './exchange.ts'
import { sendJson } from './responses.ts'

export function protectedResourceDocuments(needs: { resources: Resources; issuer: string }): {
  match(path: string): Endpoint | undefined
} {
  const documents = new Map<string, unknown>()
  for (const resource of needs.resources.list()) {
    documents.set(
      PROTECTED_RESOURCE_PATH + new URL(resource.url).pathname,
      protectedResourceMetadata(resource, needs.issuer),
    )
  }
  const [only, second] = needs.resources.list()
  if (only && !second) documents.set(PROTECTED_RESOURCE_PATH, protectedResourceMetadata(only, needs.issuer))
  return {
    match(path) {
      const document = documents.get(path)
      if (document === undefined) return undefined
      return (exchange) => {
        allowAnyOrigin(exchange)
        const { req, res } = exchange
        if (req.method === 'OPTIONS') return answerPublicPreflight(exchange, 'GET, HEAD')
        if (req.method !== 'GET' && req.method !== 'HEAD')
          return sendJson(
            res,
            405,
            { error: 'Method Not Allowed', message: 'Read this document with GET.' },
            { Allow: 'GET, HEAD, OPTIONS' },
          )
        sendJson(res, 200, document, { 'Cache-Control': 'public, max-age=300' })
      }
    },
  }
}
