// Binds the forms of pages to the browser that was shown them, where no interaction's cookie does.
import { randomBytes } from 'node:crypto'
import { hostCookieName, parseCookies, serialiseCookie } from './cookies.ts'
import type { Exchange } from './exchange.ts'

export interface FormCookie {
  /** What this browser holds; empty when that is nothing, and no token was made for that. */
  held(exchange: Exchange): string
  /** The same, given to it where it has none. */
  bind(exchange: Exchange): string
}

export function formCookie(serverUrl: string): FormCookie {
  const secure = new URL(serverUrl).protocol === 'https:'
  const name = hostCookieName('portcullis-form', secure)
  const held = ({ req }: Exchange) => parseCookies(req.headers.cookie).get(name) ?? ''
  return {
    held,
    bind(exchange) {
      const known = held(exchange)
      if (known !== '') return known
      const value = randomBytes(16).toString('base64url')
      exchange.res.appendHeader('Set-Cookie', serialiseCookie({ name, value, secure, path: '/' }))
      return value
    },
  }
}
