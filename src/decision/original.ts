// The request that an ingress asks about, in the one spelling that every reader understands alike. Nothing is repaired: what is
// authorised is byte for byte what goes on to the server behind (RFC 3986 §6.2.2, RFC 9112 §3.2).
import { parseTarget } from '../http/target.ts'
import { RequestError } from '../protocol/errors.ts'

export interface Original {
  readonly method: string
  readonly scheme: 'https' | 'http'
  /** Lower case, with a port where it is not the scheme's own. */
  readonly host: string
  readonly path: string
  /** After `?`, without it. */
  readonly query: string
}

export interface Said {
  readonly method: string
  /** As the ingress names it; what it says of a host beyond this machine is not believed to be plain http. */
  readonly scheme: string | undefined
  readonly host: string
  /** Origin form: path and query. */
  readonly target: string
}

const METHOD = /^[A-Z][A-Z_-]{0,31}$/
const HOST = /^(?:\[[0-9a-f:]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::\d{1,5})?$/i
/**
 * Escapes that stand for what needs none (unreserved characters, RFC 3986 §2.3), for control characters or for `;`, and `%` without
 * two digits: a later reader would see another path. `;` itself begins parameters that some servers cut off before they look (`/..;/`).
 */
const AMBIGUOUS = /;|%(?:[01][0-9a-f]|2[de]|3[0-9b]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9aef]|(?![0-9a-f]{2}))/i

/** A segment of dots and white space alone: some file systems cut the latter off. */
const DOTS = /\/\s*\.[\s.]*(?:\/|$)/

/** Throws RequestError 400. `mayBePlain` names the hosts that plain http is for: those of this machine, or any in development. */
export function checkOriginal(said: Said, mayBePlain: (host: string) => boolean): Original {
  if (!METHOD.test(said.method) || said.method === 'CONNECT') throw unclear('original_method')
  // Tested before it is folded: the Kelvin sign becomes a `k`.
  if (!HOST.test(said.host)) throw unclear('original_host')
  const named = said.host.toLowerCase()
  const isPlain = (said.scheme === 'http' || said.scheme === 'ws') && mayBePlain(named)
  const scheme = isPlain ? 'http' : 'https'
  const host = isPlain ? named.replace(/:80$/, '') : named.replace(/:443$/, '')
  const { path, query } = parseTarget(said.target)
  return { method: said.method, scheme, host, path: checkPath(path), query }
}

/** What parseTarget lets pass, and readers behind an ingress understand differently. */
export function checkPath(path: string): string {
  if (AMBIGUOUS.test(path) || DOTS.test(decoded(path))) throw unclear('original_path')
  return path
}

/** What a lenient server could make of a path: decoded, compatibility characters taken for plain ones, without case or what ends a name. */
export function understand(path: string): string {
  return decoded(path)
    .toLowerCase()
    .replace(/[\s.]+(?=\/|$)/g, '')
}

function decoded(path: string): string {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path).normalize('NFKC')
  } catch {
    // Overlong forms and broken sequences (RFC 3629 §3), which old readers decode all the same.
    throw unclear('original_path')
  }
}

export const originOf = ({ scheme, host }: Pick<Original, 'scheme' | 'host'>): string => `${scheme}://${host}`

export const unclear = (reason: string) =>
  new RequestError(400, reason, 'The request that the ingress asks about is not clear.')
