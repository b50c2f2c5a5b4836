// An HTML answer of ours: no script, no frame, nothing from elsewhere. Content Security Policy Level 3.
import type { Exchange } from './exchange.ts'

/** `anywhere`: where a redirect behind the form's target ends, nobody here can know. */
export type FormAction = readonly string[] | 'anywhere'

export interface Page {
  readonly status: number
  readonly html: string
  /** CSP source expressions a form of this page may lead to, redirects included; none when it has no form. */
  readonly formAction?: FormAction
  readonly retryAfter?: number | undefined
  readonly close?: boolean
}

/** A source with a space, comma or semicolon would start another directive or another policy. */
const SOURCE = /^(?:'self'|[a-z][a-z0-9+.-]*:(?:\/\/[a-z0-9.-]+(?::\d{1,5})?)?)$/

function formDirective(formAction: FormAction): string {
  // No keyword stands for every scheme, and forms do not fall back on default-src: without the directive all are open.
  if (formAction === 'anywhere') return ''
  const bad = formAction.find((source) => !SOURCE.test(source))
  if (bad !== undefined) throw new TypeError('Not a CSP source expression.')
  return `form-action ${formAction.length === 0 ? "'none'" : [...new Set(formAction)].join(' ')}; `
}

export function pageHeaders(formAction: FormAction = []): Record<string, string> {
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': `default-src 'none'; style-src 'self'; img-src 'self'; ${formDirective(formAction)}frame-ancestors 'none'; base-uri 'none'`,
    // For browsers that do not know frame-ancestors.
    'X-Frame-Options': 'DENY',
    // Not `no-referrer`: under it browsers send `Origin: null` with our own forms (Fetch, §3.2), and the Origin check would be blind.
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': 'no-store',
    // No Cross-Origin-Opener-Policy on purpose: clients that sign in through a popup watch its handle.
  }
}

/** Cookies are set with `res.appendHeader('Set-Cookie', …)` before; unless the response has begun or the client is gone. */
export function sendPage({ res }: Exchange, { status, html, formAction, retryAfter, close }: Page): void {
  if (res.headersSent || res.destroyed) {
    res.destroy()
    return
  }
  const payload = Buffer.from(html)
  for (const [name, value] of Object.entries(pageHeaders(formAction))) res.setHeader(name, value)
  if (retryAfter !== undefined) res.setHeader('Retry-After', String(retryAfter))
  if (close) res.setHeader('Connection', 'close')
  res.setHeader('Content-Length', payload.length)
  res.writeHead(status)
  res.end(payload)
}

/** 303: the browser goes on with GET whatever it came with (RFC 9110 §15.4.4). */
export function sendSeeOther({ res }: Exchange, location: string): void {
  res.setHeader('Location', location)
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('Referrer-Policy', 'no-referrer')
  res.setHeader('Content-Length', 0)
  res.writeHead(303)
  res.end()
}
