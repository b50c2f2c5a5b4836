// The pages have one name, the gate's own: forms and cookies know no other. This machine has more of them (RFC 6761 §6.3), and browsers
// open the pages under each.
import { LOOPBACK } from '../protocol/redirect-uri.ts'
import type { Endpoint, Exchange } from './exchange.ts'
import { sendSeeOther } from './page.ts'

/** Leads whoever opens a page under another of the names to the gate's own. */
export function underOwnName(serverUrl: string, page: Endpoint): Endpoint {
  const own = new URL(serverUrl)
  return (exchange) => {
    if (!isElsewhere(exchange, own)) return page(exchange)
    const { path, query } = exchange
    sendSeeOther(exchange, `${own.origin}${path}${query === '' ? '' : `?${query}`}`)
  }
}

/** On the same port of the same machine. A form that comes is refused, not moved; what a proxy calls us is nobody's address bar. */
function isElsewhere({ req, viaProxy }: Exchange, own: URL): boolean {
  if (viaProxy || (req.method !== 'GET' && req.method !== 'HEAD')) return false
  const asked = URL.parse(`${own.protocol}//${req.headers.host}`)
  if (asked === null || asked.host === own.host || asked.port !== own.port) return false
  return LOOPBACK.has(own.hostname) && LOOPBACK.has(asked.hostname)
}
