// Which authorization requests were answered in this browser. The library ties them to it by cookies of one path each, which cannot be
// `__Host-`: a sibling domain may plant them (RFC 6265bis §8.6), and with them a yes or a sign-in that somebody gave in another browser.
import { hostCookieName, parseCookies, serialiseCookie } from '../http/cookies.ts'
import type { Exchange } from '../http/exchange.ts'

/** Under way in as many tabs; the oldest gives way, so that the cookie stays small. */
const MOST = 8
const ID = /^[A-Za-z0-9_-]{16,128}$/

export interface AnsweredHere {
  /** From now on this browser has answered the request of that id. */
  note(exchange: Exchange, id: string): void
  has(exchange: Exchange, id: string): boolean
}

export function answeredHere(serverUrl: string, maxAge: number): AnsweredHere {
  const secure = new URL(serverUrl).protocol === 'https:'
  const name = hostCookieName('portcullis-answered', secure)
  const idsOf = ({ req }: Exchange) =>
    (parseCookies(req.headers.cookie).get(name) ?? '').split('.').filter((id) => ID.test(id))
  return {
    note(exchange, id) {
      const value = [...new Set([id, ...idsOf(exchange)])].slice(0, MOST).join('.')
      exchange.res.appendHeader('Set-Cookie', serialiseCookie({ name, value, secure, path: '/', maxAge }))
    },
    has: (exchange, id) => idsOf(exchange).includes(id),
  }
}
