// Whom the gate talks to as an OAuth client, and from where to where. Room without HTTP: the ways of asking are handed in.
import { parseRecord } from '../../protocol/json.ts'
import type { Fetch, Fetches } from '../authorization-server/fetch.ts'

/** The ways of asking there are, by whose word an address is. */
export interface Asks extends Fetches {
  /** For what a server inside the house named: there too, but for link-local addresses. */
  readonly inside: Fetch
  leadsInside(url: string): Promise<boolean>
}

interface Needs {
  /** Address of the server behind us; none of a child process. */
  readonly upstream: string | undefined
  /** Where its name may lead (`servers[].addresses`). */
  readonly addresses?: readonly string[] | undefined
  /** Its own origin, over its own connections; default: `configured`. */
  readonly own?: Fetch | undefined
  /** Further addresses that the administrator wrote. */
  readonly written: readonly string[]
  readonly asks: Asks
}

/**
 * MCP 2026-07-28, security best practices (SSRF): what a server's 401 leads to is a stranger's word. The administrator wrote the server's
 * origin and perhaps an issuer, so these may be inside the house. Anything else may be there only when the server itself is.
 */
export function askFrom({ upstream, addresses, own, written, asks }: Needs): Fetch {
  const origins = new Set(written.map((url) => new URL(url).origin))
  const home = upstream === undefined ? undefined : new URL(upstream).origin
  // Its owner says what its name means, and may say for a moment that it is inside.
  const isPublic = addresses?.every((place) => place === 'public') ?? false
  return async function ask(url, request) {
    const origin = URL.parse(url)?.origin
    if (origin !== undefined && origin === home) return (own ?? asks.configured)(url, request)
    if (origin !== undefined && origins.has(origin)) return asks.configured(url, request)
    const inside = upstream !== undefined && !isPublic && (await asks.leadsInside(upstream))
    return (inside ? asks.inside : asks.named)(url, request)
  }
}

/** The JSON object of a 200; `undefined` for any other status, since documents are looked for in several places. */
export async function askForDocument(ask: Fetch, url: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { status, body } = await ask(url)
  // Some servers answer every address with a page.
  return status === 200 ? parseRecord(body.toString()) : undefined
}
