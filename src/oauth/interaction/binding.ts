// The cookie that ties a sign-in at an identity provider to the browser that started it: without it, a stranger's answer opened in
// this browser would sign the person in as the stranger (login CSRF, RFC 9700 §4.7).
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { hostCookieName, parseCookies, serialiseCookie } from '../../http/cookies.ts'
import type { Exchange } from '../../http/exchange.ts'
import { sha256 } from '../hash.ts'

/** Sign-ins that may be under way in as many tabs; the oldest gives way, so that the cookie stays small. */
const MOST_TABS = 4
const VALUE = /^[A-Za-z0-9_-]{43}$/

export interface BrowserBinding {
  /** Gives this browser a fresh value; answers its hash, which is what we keep. */
  issue(exchange: Exchange): string
  /** The browser holds the value behind the hash. */
  holds(exchange: Exchange, hash: string): boolean
  /** Takes the value away from the browser. */
  drop(exchange: Exchange, hash: string): void
}

export function browserBinding({ serverUrl, maxAge }: { serverUrl: string; maxAge: number }): BrowserBinding {
  const secure = new URL(serverUrl).protocol === 'https:'
  const name = hostCookieName('portcullis-sign-in', secure)
  const valuesOf = ({ req }: Exchange) =>
    (parseCookies(req.headers.cookie).get(name) ?? '').split('.').filter((value) => VALUE.test(value))
  const write = ({ res }: Exchange, values: readonly string[]) => {
    const cookie = { name, value: values.join('.'), secure, path: '/', maxAge: values.length === 0 ? 0 : maxAge }
    res.appendHeader('Set-Cookie', serialiseCookie(cookie))
  }
  const isBehind = (value: string, hash: string) => {
    const [one, other] = [Buffer.from(sha256(value)), Buffer.from(hash)]
    return one.length === other.length && timingSafeEqual(one, other)
  }

  return {
    issue(exchange) {
      const fresh = randomBytes(32).toString('base64url')
      write(exchange, [fresh, ...valuesOf(exchange)].slice(0, MOST_TABS))
      return sha256(fresh)
    },
    holds: (exchange, hash) => valuesOf(exchange).some((value) => isBehind(value, hash)),
    drop(exchange, hash) {
      write(
        exchange,
        valuesOf(exchange).filter((value) => !isBehind(value, hash)),
      )
    },
  }
}
