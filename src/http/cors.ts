// Cross-origin answers (Fetch standard, CORS protocol): public documents to anyone, the MCP doors to the origins configured.
import { RequestError } from '../protocol/errors.ts'
import type { Exchange } from './exchange.ts'

// Narrower than `isLoopback` of the configuration: in the spellings that browsers send, without dots behind or names below.
const LOOPBACK_ORIGIN = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/
const DOOR_HEADERS =
  'Authorization, X-API-Key, Content-Type, Accept, Last-Event-ID, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name'

/** For documents and endpoints that carry no ambient credential: any origin, never with cookies. */
export function allowAnyOrigin({ res }: Exchange): void {
  res.setHeader('Access-Control-Allow-Origin', '*')
}

export function answerPublicPreflight({ req, res }: Exchange, methods: string): void {
  res.setHeader('Access-Control-Allow-Methods', methods)
  res.setHeader(
    'Access-Control-Allow-Headers',
    req.headers['access-control-request-headers'] === undefined
      ? 'Content-Type'
      : 'Authorization, Content-Type, MCP-Protocol-Version, Accept',
  )
  res.setHeader('Access-Control-Max-Age', '86400')
  res.writeHead(204).end()
}

/** MCP, Transports: an `Origin` that is present and not allowed MUST be 403, in both eras. No Origin: not a browser's cross-site request. */
export function doorCors(options: {
  serverUrl: string
  allowed: readonly string[] | 'loopback'
}): (exchange: Exchange) => void {
  const own = new URL(options.serverUrl).origin
  const isAllowed = (origin: string): boolean => {
    if (origin === own) return true
    if (options.allowed === 'loopback') return LOOPBACK_ORIGIN.test(origin)
    return options.allowed.includes(origin) || options.allowed.includes('*')
  }
  return ({ req, res }) => {
    const { origin } = req.headers
    if (origin === undefined) return
    if (!isAllowed(origin)) throw new RequestError(403, 'foreign_origin', 'This origin may not call here.')
    res.setHeader('Access-Control-Allow-Origin', origin)
    res.setHeader('Vary', 'Origin')
    res.setHeader(
      'Access-Control-Expose-Headers',
      'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, X-Request-Id, Retry-After',
    )
  }
}

/** Preflight of the MCP doors; the origin was checked before. `Mcp-Param-*` names are open-ended, so asked ones of that family are granted. */
export function answerDoorPreflight({ req, res }: Exchange): void {
  const asked = (req.headers['access-control-request-headers'] ?? '').split(',').map((name) => name.trim())
  const parameters = asked.filter((name) => /^mcp-param-[a-z0-9-]{1,64}$/i.test(name))
  res.setHeader('Access-Control-Allow-Methods', 'POST, GET, DELETE')
  res.setHeader('Access-Control-Allow-Headers', [DOOR_HEADERS, ...parameters].join(', '))
  res.setHeader('Access-Control-Max-Age', '86400')
  res.writeHead(204).end()
}
