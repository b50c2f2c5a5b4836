// One request to whoever gives out credentials, without redirects, bounded in size and time; handed in, since this room has no HTTP of its own.
import { CredentialFailed } from '../credential.ts'

export interface Fetched {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

/** GET, or POST where there is a body. Rejects with an Error that has a `reason`. */
export type Fetch = (
  url: string,
  request?: { readonly headers: Readonly<Record<string, string>>; readonly body?: string },
) => Promise<Fetched>

export interface Fetches {
  /** For addresses that the administrator wrote: they may lie inside the house. */
  readonly configured: Fetch
  /** For addresses that somebody else names: the public internet alone, over TLS. */
  readonly named: Fetch
}

/** Reasons of an outbound request that waiting may cure. */
const PASSING = new Set(['unreachable', 'unresolved', 'deadline'])

/** `what`: how the message calls the address, whose query may hold anything. */
export async function fetchWith(
  fetch: Fetch,
  url: string,
  what: string,
  request?: Parameters<Fetch>[1],
): Promise<Fetched> {
  try {
    return await fetch(url, request)
  } catch (cause) {
    const reason = cause instanceof Error && 'reason' in cause ? String(cause.reason) : 'unreachable'
    throw new CredentialFailed('unreachable', `${what} ${shown(url)} cannot be asked (${reason}).`, {
      cause,
      passing: PASSING.has(reason),
    })
  }
}

export function shown(url: string): string {
  const parsed = URL.parse(url)
  return parsed === null ? 'that is no address' : parsed.origin + parsed.pathname
}
