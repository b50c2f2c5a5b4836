// Cookies, RFC 6265bis: reading what a browser sent, and writing ours under the rules of the `__Host-` and `__Secure-` prefixes.

/** RFC 6265bis §4.1.1: `token` for the name, `cookie-octet` for the value; nothing in them needs quoting or can end the header. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const VALUE = /^[!#-+\--:<-[\]-~]*$/
const LONGEST = 4096

export interface Cookie {
  readonly name: string
  readonly value: string
  /** The prefix decides the rest: `__Host-` is `Secure; Path=/`, `__Secure-` is `Secure`. */
  readonly secure: boolean
  readonly path: string
  /** Seconds; 0 removes the cookie, `undefined` ends it with the browser. */
  readonly maxAge?: number
  readonly sameSite?: 'Lax' | 'Strict'
}

/**
 * Cookies of a request. A name that comes twice is left out: a sibling domain or a longer path may have planted the second one,
 * and which of them is ours cannot be told (RFC 6265bis §8.6).
 */
export function parseCookies(header: string | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const twice = new Set<string>()
  for (const pair of (header ?? '').split(';')) {
    const at = pair.indexOf('=')
    if (at < 0) continue
    // Not trim(): to it a no-break space is white space, to a browser it is part of a name that no prefix protects.
    const name = pair.slice(0, at).replace(/^[ \t]/, '')
    const value = pair.slice(at + 1)
    if (!NAME.test(name) || !VALUE.test(value)) continue
    if (found.has(name)) twice.add(name)
    found.set(name, value)
  }
  for (const name of twice) found.delete(name)
  return found
}

/** One Set-Cookie line. HttpOnly always: no page of ours has a script. Throws TypeError where the prefix's promise would be broken. */
export function serialiseCookie({ name, value, secure, path, maxAge, sameSite = 'Lax' }: Cookie): string {
  if (!NAME.test(name) || !VALUE.test(value)) throw new TypeError('A cookie has a character it may not have.')
  if (!/^\/[!-:<-~]*$/.test(path)) throw new TypeError('The path of a cookie starts with a slash and has no semicolon.')
  // Compared without case, as browsers do since prefixes are matched case-insensitively (RFC 6265bis §5.4).
  const lower = name.toLowerCase()
  if (lower.startsWith('__host-') && (!secure || path !== '/')) throw new TypeError('__Host- needs Secure and Path=/.')
  if (lower.startsWith('__secure-') && !secure) throw new TypeError('__Secure- needs Secure.')
  const age = maxAge === undefined ? '' : `; Max-Age=${Math.max(0, Math.floor(maxAge))}`
  const line = `${name}=${value}; Path=${path}${age}; HttpOnly; SameSite=${sameSite}${secure ? '; Secure' : ''}`
  if (line.length > LONGEST) throw new TypeError('A cookie is longer than browsers keep.')
  return line
}

/** The field as it stands, without the cookies of these names; for whoever is no business of theirs. */
export const withoutCookies = (header: string, isLeftOut: (name: string) => boolean): string =>
  header
    .split(';')
    .filter((pair) => !isLeftOut(pair.split('=', 1)[0]?.trim() ?? ''))
    .join(';')
    .trim()

/** `__Host-` where cookies can be Secure; on plain-http loopback browsers refuse the prefix, so there is none. */
export const hostCookieName = (name: string, secure: boolean): string => (secure ? `__Host-${name}` : name)
