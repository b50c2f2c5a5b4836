// Browsers that have left for a server's authorization server. `state` comes back to the browser that left, once, and within ten minutes:
// without that a stranger's answer opened in this browser would connect the stranger's account to the person (RFC 9700 §4.7).
import { createHash, timingSafeEqual } from 'node:crypto'
import { parseCookies, serialiseCookie } from '../../http/cookies.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Clock } from '../../protocol/clock.ts'
import { RequestError } from '../../protocol/errors.ts'
import type { Tickets } from '../../store/ephemeral.ts'

export interface Departure {
  readonly subject: string
  readonly server: string
  /** The link it began with. */
  readonly sealed: string | undefined
}

export interface Departures {
  remember(exchange: Exchange, departure: Departure & { readonly state: string }): Promise<void>
  /** Takes it, and takes the mark away from the browser. Throws RequestError, and then has taken nothing. */
  arrive(exchange: Exchange, answer: { readonly state: string; readonly subject: string }): Promise<Departure>
}

interface Needs {
  readonly serverUrl: string
  /** The only place that the mark is shown at. */
  readonly path: string
  readonly tickets: Tickets
  readonly clock: Clock
}

const KIND = 'departure'
const TTL = 10 * 60_000
/** Accounts that may be connected in as many tabs; the oldest gives way, so that the cookie stays small. */
const MOST_TABS = 4
const MARK = /^[A-Za-z0-9_-]{43}$/

export function departures({ serverUrl, path, tickets, clock }: Needs): Departures {
  const secure = new URL(serverUrl).protocol === 'https:'
  // Plain-http loopback has no Secure, and so no prefix that promises it.
  const name = secure ? '__Secure-portcullis-connect' : 'portcullis-connect'

  const marksOf = ({ req }: Exchange): string[] =>
    (parseCookies(req.headers.cookie).get(name) ?? '').split('.').filter((mark) => MARK.test(mark))

  function write({ res }: Exchange, marks: readonly string[]): void {
    const maxAge = marks.length === 0 ? 0 : TTL / 1000
    res.appendHeader('Set-Cookie', serialiseCookie({ name, value: marks.join('.'), secure, path, maxAge }))
  }

  return {
    async remember(exchange, { state, subject, server, sealed }) {
      const payload = { subject, server, ...(sealed !== undefined && { sealed }) }
      await tickets.put({ kind: KIND, idHash: digestOf(state), payload, expiresAt: clock() + TTL })
      // The way back is at another path than the pages: what it holds there is not shown here.
      write(exchange, [markOf(state), ...marksOf(exchange)].slice(0, MOST_TABS))
    },
    async arrive(exchange, { state, subject }) {
      const found = parseDeparture(await tickets.find(KIND, digestOf(state), clock()))
      if (found === undefined) throw unknown()
      const marks = marksOf(exchange)
      if (!marks.some((mark) => isSame(mark, markOf(state)))) throw elsewhere()
      if (found.subject !== subject) throw ofAnother()
      if ((await tickets.take(KIND, digestOf(state), clock())) === undefined) throw unknown()
      write(
        exchange,
        marks.filter((mark) => !isSame(mark, markOf(state))),
      )
      return found
    },
  }
}

function parseDeparture(payload: Record<string, unknown> | undefined): Departure | undefined {
  const { subject, server, sealed } = payload ?? {}
  if (typeof subject !== 'string' || typeof server !== 'string') return undefined
  return { subject, server, sealed: typeof sealed === 'string' ? sealed : undefined }
}

const digestOf = (state: string): string => createHash('sha256').update(state).digest('base64url')
/** Not the digest by which it is kept: whoever reads the store cannot write the cookie. */
const markOf = (state: string): string => createHash('sha256').update(`mark\n${state}`).digest('base64url')

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

const unknown = () =>
  new RequestError(400, 'departure_unknown', 'This answer was used already, or took too long. Connect again.')
const elsewhere = () =>
  new RequestError(
    403,
    'another_browser',
    'This account was being connected in another browser. Connect again in this one.',
  )
const ofAnother = () =>
  new RequestError(403, 'another_person', 'Somebody else is signed in in this browser by now. Connect again.')
