// How a person who signed in at our origin comes to be signed in at a protected host: a sealed note on the way to us, a one-time code
// on the way back. The code is good for one host, one minute, one use, and for the browser that set out from there: without that a
// stranger's code opened in this browser would sign the person in as the stranger (login CSRF, RFC 9700 §4.7).
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../protocol/clock.ts'
import type { Tickets } from '../store/ephemeral.ts'
import type { SealKey } from '../tokens/seal.ts'
import { sealedNotes } from '../tokens/sealed-note.ts'

const KIND = 'forward'
const CODE_TTL = 60_000
/** Signing in with a second factor on another device takes a while. */
export const START_TTL = 30 * 60_000
/** The note travels as a `state` parameter, which is kept short. */
const LONGEST_TARGET = 1024

/** Where somebody set out from, and comes back to. */
export interface Start {
  /** Scheme and host of the protected host. */
  readonly origin: string
  /** Path and query there. */
  readonly target: string
  /** Hash of the secret that the browser keeps for that host; `undefined` when it set out from nowhere, by a link. */
  readonly nonceHash: string | undefined
}

export type Arrival =
  | { readonly status: 'arrived'; readonly subject: string }
  /** Of another browser, or of one that keeps no cookies. The code stays good for its own. */
  | { readonly status: 'elsewhere' }
  | { readonly status: 'unknown' }

export interface HandOff {
  seal(start: Start): string
  open(note: string): Start | undefined
  mintCode(start: Pick<Start, 'origin'> & { nonceHash: string; subject: string }): Promise<string>
  consumeCode(code: string, at: { origin: string; nonce: string | undefined }): Promise<Arrival>
}

interface Needs {
  readonly tickets: Tickets
  sealKeys(): readonly SealKey[]
  readonly clock: Clock
}

export const newNonce = (): string => randomBytes(32).toString('base64url')
export const isNonce = (text: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(text)
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url')

const BINDING = 'forward-start'

export function handOff({ tickets, sealKeys, clock }: Needs): HandOff {
  const notes = sealedNotes({ sealKeys, clock, life: START_TTL })
  return {
    seal: ({ origin, target, nonceHash }) => notes.seal(BINDING, { o: origin, t: shortened(target), n: nonceHash }),
    open(note) {
      const { o, t, n } = notes.open(BINDING, note)?.said ?? {}
      if (typeof o !== 'string' || typeof t !== 'string') return undefined
      return { origin: o, target: t, nonceHash: typeof n === 'string' ? n : undefined }
    },
    async mintCode({ origin, nonceHash, subject }) {
      const code = newNonce()
      const payload = { origin, nonceHash, subject }
      await tickets.put({ kind: KIND, idHash: hashOf(code), payload, expiresAt: clock() + CODE_TTL })
      return code
    },
    /** Proves host and browser before it takes the ticket, so that a refusal spends nothing. */
    async consumeCode(code, { origin, nonce }) {
      const found = await tickets.find(KIND, hashOf(code), clock())
      if (found === undefined || found['origin'] !== origin) return { status: 'unknown' }
      if (nonce === undefined || !isSame(hashOf(nonce), String(found['nonceHash']))) return { status: 'elsewhere' }
      const taken = await tickets.take(KIND, hashOf(code), clock())
      return taken === undefined ? { status: 'unknown' } : { status: 'arrived', subject: String(taken['subject']) }
    },
  }
}

/** Who set out from a long address comes back to a shorter one, never to none. */
function shortened(target: string): string {
  if (target.length <= LONGEST_TARGET) return target
  const path = target.split('?', 1)[0] ?? '/'
  return path.length <= LONGEST_TARGET ? path : '/'
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
