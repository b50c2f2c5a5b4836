// The gate on a request's head: what Node's parser lets through although two readers could understand it differently.
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { RequestError } from '../protocol/errors.ts'

const MOST_HEADERS = 128
/** Headers of which a second copy would let two readers see two requests. */
const SINGLE = new Set([
  'host',
  'authorization',
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'origin',
  'cookie',
  'x-api-key',
  'mcp-session-id',
  'x-forwarded-for',
])
const HOST = /^(?:\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?)(?::\d{1,5})?$/i

/** Checks framing and uniqueness; answers the Host header, lower case. */
export function checkHead(req: IncomingMessage): string {
  // Node's parser takes a line without a version for HTTP/0.9 and reads header fields behind it; that protocol has none.
  if (req.httpVersion === '0.9') throw new RequestError(400, 'bad_version', 'Use HTTP/1.1.', { close: true })
  const raw = req.rawHeaders
  if (raw.length > MOST_HEADERS * 2)
    throw new RequestError(431, 'too_many_headers', 'Too many header fields.', { close: true })
  // As many names as lines: nothing came twice. Node joins or drops what did.
  if (Object.keys(req.headers).length * 2 !== raw.length) checkSingle(raw)
  checkFraming(req)
  const host = req.headers.host ?? ''
  if (!HOST.test(host))
    throw new RequestError(400, 'bad_host', 'The Host header is missing or malformed.', { close: true })
  return host.toLowerCase()
}

/** Throws RequestError 400 for a second line of a header field that has one. */
export function checkSingle(raw: readonly string[]): void {
  const seen = new Set<string>()
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    if (!SINGLE.has(name)) continue
    if (seen.has(name))
      throw new RequestError(400, 'duplicate_header', 'A header field that may come once came twice.', { close: true })
    seen.add(name)
  }
}

/** RFC 9112 §6.1: the only coding we take is exactly one `chunked`; `,chunked` and `gzip, chunked` pass Node's parser. */
function checkFraming(req: IncomingMessage): void {
  const coding = req.headers['transfer-encoding']
  if (coding === undefined) return
  // RFC 9112 §6.1: in HTTP/1.0 its presence alone makes the framing faulty.
  if (req.httpVersion === '1.0')
    throw new RequestError(400, 'coding_in_http10', 'Transfer-Encoding in HTTP/1.0.', { close: true })
  if (coding.trim().toLowerCase() !== 'chunked')
    throw new RequestError(501, 'transfer_coding', 'Only chunked transfer coding is understood.', { close: true })
  if (req.headers['content-length'] !== undefined)
    throw new RequestError(400, 'ambiguous_length', 'Content-Length beside Transfer-Encoding.', { close: true })
}

/**
 * DNS rebinding: a page at evil.example whose name now points here still sends `Host: evil.example`. Let through: our own name,
 * IP literals and localhost names (no DNS in between), and beyond loopback names without a dot (a proxy's name for us on its network).
 */
export function hostGate(options: {
  serverUrl: string
  /** URLs of ours under other names. */
  others?: readonly string[]
  /** A name under which an ingress asks (Envoy keeps the Host of the request that it asks about). */
  isAskedAbout?: (host: string) => boolean
  loopbackOnly: boolean
}): (host: string, viaProxy: boolean) => void {
  const own = new Set([options.serverUrl, ...(options.others ?? [])].map((url) => new URL(url).host.toLowerCase()))
  return (host, viaProxy) => {
    if (viaProxy || own.has(host) || options.isAskedAbout?.(host) === true) return
    const name = host.replace(/:\d+$/, '').replace(/\.$/, '')
    if (name === 'localhost' || name.endsWith('.localhost') || isIP(name.replace(/^\[|\]$/g, '')) !== 0) return
    if (!options.loopbackOnly && !name.includes('.')) return
    throw new RequestError(403, 'foreign_host', 'This host name is not served here.')
  }
}
