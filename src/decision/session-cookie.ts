// The cookies of a protected host: who is signed in there, and the secret with which somebody set out to sign in. Both are the host's
// own (`__Host-`, RFC 6265bis §4.1.3.2): what one host's server learns of its visitors opens nothing at another.
import { randomBytes } from 'node:crypto'
import { hostCookieName, parseCookies, serialiseCookie } from '../http/cookies.ts'
import type { Clock } from '../protocol/clock.ts'
import type { SealKey } from '../tokens/seal.ts'
import { sealedNotes } from '../tokens/sealed-note.ts'
import { isNonce, newNonce, START_TTL } from './hand-off.ts'

export interface BrowserSession {
  readonly subject: string
  /** For revocation, as a token's `jti`. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
  readonly expiresAt: number
}

/** What a browser shows: a session that lives, one that does not, or none. */
export type Shown = BrowserSession | 'ended' | undefined

export interface SessionCookies {
  /** `origin` is that of the protected host; a cookie sealed for another shows nothing here. */
  read(cookies: string | undefined, origin: string): Shown
  /** A `Set-Cookie` line. */
  issue(origin: string, subject: string): string
  /** Secret of a browser that set out from this host. */
  nonce(cookies: string | undefined, origin: string): string | undefined
  /** One of these cookies, at whichever origin. */
  isOne(name: string): boolean
  /** The secret it holds already or a new one, and the line that keeps it there: tabs share it. */
  startOf(cookies: string | undefined, origin: string): { nonce: string; line: string }
}

interface Needs {
  sealKeys(): readonly SealKey[]
  readonly clock: Clock
  readonly name: string
  readonly ttl: number
}

/** Unsealing costs half a decision: those in use are remembered. */
const REMEMBERED = 10_000

export function sessionCookies({ sealKeys, clock, name, ttl }: Needs): SessionCookies {
  const sessions = sealedNotes({ sealKeys, clock, life: ttl })
  const opened = new Map<string, BrowserSession>()
  const nameAt = (origin: string) => hostCookieName(name, isSecure(origin))
  const startNameAt = (origin: string) => hostCookieName(`${name}_start`, isSecure(origin))

  function open(value: string, origin: string): BrowserSession | undefined {
    const key = `${origin} ${value}`
    const known = opened.get(key)
    if (known !== undefined) return known
    const note = sessions.open(bindingOf(origin), value)
    const { s, i, a } = note?.said ?? {}
    if (note === undefined || typeof s !== 'string' || typeof i !== 'string' || typeof a !== 'number') return undefined
    const session = { subject: s, id: i, issuedAt: a, expiresAt: note.expiresAt }
    if (opened.size >= REMEMBERED) opened.delete(opened.keys().next().value ?? '')
    opened.set(key, session)
    return session
  }

  function nonce(cookies: string | undefined, origin: string): string | undefined {
    const held = parseCookies(cookies).get(startNameAt(origin))
    return held !== undefined && isNonce(held) ? held : undefined
  }

  const names = new Set([name, `${name}_start`].flatMap((one) => [one, hostCookieName(one, true)]))

  return {
    nonce,
    isOne: (one) => names.has(one),
    read(cookies, origin) {
      // Most requests with cookies have none of ours, or nothing else.
      if (cookies === undefined || !cookies.includes(name)) return undefined
      const value = parseCookies(cookies).get(nameAt(origin))
      if (value === undefined) return undefined
      const session = open(value, origin)
      return session !== undefined && session.expiresAt > clock() ? session : 'ended'
    },
    issue(origin, subject) {
      const session = { s: subject, i: randomBytes(16).toString('base64url'), a: clock() }
      const value = sessions.seal(bindingOf(origin), session)
      return serialiseCookie({ name: nameAt(origin), value, secure: isSecure(origin), path: '/', maxAge: ttl / 1000 })
    },
    startOf(cookies, origin) {
      const value = nonce(cookies, origin) ?? newNonce()
      const attributes = { secure: isSecure(origin), path: '/', maxAge: START_TTL / 1000 }
      return { nonce: value, line: serialiseCookie({ name: startNameAt(origin), value, ...attributes }) }
    },
  }
}

const isSecure = (origin: string): boolean => origin.startsWith('https:')
const bindingOf = (origin: string): string => `forward-session\0${origin}`
