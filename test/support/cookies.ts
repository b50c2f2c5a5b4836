// A browser's cookie jar, as far as our pages use it: host, Path, Secure, SameSite, expiry, removal (RFC 6265bis §5.5, §5.8).

interface Cookie {
  readonly host: string
  readonly name: string
  readonly value: string
  readonly path: string
  readonly secure: boolean
  readonly sameSite: string
}

/** What the browser knows about the request the cookies are for. */
export interface Sent {
  readonly crossSite: boolean
  readonly method: string
}

export interface CookieJar {
  take(url: URL, setCookies: readonly string[]): void
  /** The Cookie header for a request, or undefined when none applies. */
  header(url: URL, sent: Sent): string | undefined
  names(): string[]
  clear(): void
}

/** `loopbackIsSecure`: as Chrome and Firefox have it, whose `Secure` cookies go to http://localhost, too. */
export function createCookieJar({ loopbackIsSecure = false } = {}): CookieJar {
  const cookies = new Map<string, Cookie>()
  return {
    take(url, setCookies) {
      for (const line of setCookies) {
        const { cookie, expired } = parseSetCookie(url, line)
        const key = `${cookie.host} ${cookie.path} ${cookie.name}`
        if (expired) cookies.delete(key)
        else cookies.set(key, cookie)
      }
    },
    header(url, sent) {
      const applying = [...cookies.values()].filter((cookie) => applies(cookie, url, { ...sent, loopbackIsSecure }))
      // RFC 6265bis §5.8.3: longer paths first.
      applying.sort((a, b) => b.path.length - a.path.length)
      return applying.length === 0 ? undefined : applying.map(({ name, value }) => `${name}=${value}`).join('; ')
    },
    names: () => [...cookies.values()].map((cookie) => cookie.name),
    clear: () => cookies.clear(),
  }
}

function parseSetCookie(url: URL, line: string): { cookie: Cookie; expired: boolean } {
  const [pair = '', ...parts] = line.split(';').map((part) => part.trim())
  const attributes = new Map(
    parts.map((part) => {
      const [name = '', ...value] = part.split('=')
      return [name.toLowerCase(), value.join('=')] as const
    }),
  )
  const at = pair.indexOf('=')
  const maxAge = attributes.get('max-age')
  const expires = attributes.get('expires')
  const expired =
    maxAge === undefined ? expires !== undefined && Date.parse(expires) <= Date.now() : Number(maxAge) <= 0
  const cookie = {
    host: url.hostname,
    name: pair.slice(0, at),
    value: pair.slice(at + 1),
    path: attributes.get('path') || '/',
    secure: attributes.has('secure'),
    sameSite: (attributes.get('samesite') || 'lax').toLowerCase(),
  }
  return { cookie, expired }
}

function applies(cookie: Cookie, url: URL, sent: Sent & { readonly loopbackIsSecure: boolean }): boolean {
  // Browsers count loopback as a secure context, but do not send Secure cookies over http to it everywhere; be strict.
  if (cookie.secure && url.protocol !== 'https:' && !sent.loopbackIsSecure) return false
  if (cookie.host !== url.hostname) return false
  // Lax cookies travel with a cross-site navigation by GET only, strict ones with none; unmarked ones count as lax.
  if (sent.crossSite && cookie.sameSite === 'strict') return false
  if (sent.crossSite && cookie.sameSite === 'lax' && sent.method !== 'GET') return false
  const path = cookie.path.endsWith('/') ? cookie.path : `${cookie.path}/`
  return url.pathname === cookie.path || url.pathname.startsWith(path)
}
