// A link for one person to connect an account of theirs: made where a call needs one, opened on our pages. It proves for whom it was made,
// and gives nobody any right: whoever opens it is asked who they are.
import { createHash } from 'node:crypto'
import type { Clock } from '../protocol/clock.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Marks } from '../store/ephemeral.ts'
import type { SealKey } from './seal.ts'
import { sealedNotes } from './sealed-note.ts'

export interface ConnectionRequest {
  readonly subject: string
  readonly server: string
  /** How the call came that needed the account; `undefined` where a browser cannot show again who made it, or that takes too many words. */
  readonly asked: Asked | undefined
}

/** What rules may speak of besides the person: people come to the link without their client and its token. */
export interface Asked {
  /** Server, or the virtual server it was called through, whose rules judged the call. */
  readonly at: string
  readonly client: string | undefined
  readonly scopes: readonly string[]
  /** The API token it came with, by the name that rules know. */
  readonly apiToken: string | undefined
}

/** Of a caller whom an issuer, a proxy or a certificate vouches for only they know what rules go by. */
export function askedBy({ method, client, scopes, family }: Principal, at: string): Asked | undefined {
  if (method !== 'access_token' && method !== 'api_token') return undefined
  if ([at, client, ...scopes].join(' ').length > LONGEST) return undefined
  return { at, client, scopes, apiToken: method === 'api_token' ? family : undefined }
}

/** Clients and scopes have names of any length; the link has to fit through the sign-in pages. */
const LONGEST = 400

/** Who would make that call now: the person as they are, with what they came by then. */
export const askingAgain = (person: Principal, { client, scopes, apiToken }: Asked): Principal => ({
  ...person,
  client,
  scopes,
  method: apiToken === undefined ? 'access_token' : 'api_token',
  family: apiToken,
})

export interface ConnectionRequests {
  seal(request: ConnectionRequest): string
  /** `undefined`: forged, altered or too old. */
  open(sealed: string): ConnectionRequest | undefined
  isSpent(sealed: string): Promise<boolean>
  /** `true` for the first caller. */
  spend(sealed: string): Promise<boolean>
}

/** People come back to a question after a break. */
const LIFE = 3600_000
const BINDING = 'connection-request'

interface Needs {
  sealKeys(): readonly SealKey[]
  readonly marks: Marks
  readonly clock: Clock
}

export function connectionRequests({ sealKeys, marks, clock }: Needs): ConnectionRequests {
  const notes = sealedNotes({ sealKeys, clock, life: LIFE })
  const markOf = (sealed: string): string =>
    `connection-request:${createHash('sha256').update(sealed).digest('base64url')}`
  return {
    seal: ({ subject, server, asked }) =>
      notes.seal(BINDING, {
        s: subject,
        u: server,
        ...(asked && { a: asked.at, c: asked.client, k: asked.scopes.join(' '), t: asked.apiToken }),
      }),
    open(sealed) {
      const { s, u, a, c, k, t } = notes.open(BINDING, sealed)?.said ?? {}
      if (typeof s !== 'string' || typeof u !== 'string') return undefined
      if (typeof a !== 'string') return { subject: s, server: u, asked: undefined }
      const scopes = typeof k === 'string' && k !== '' ? k.split(' ') : []
      return { subject: s, server: u, asked: { at: a, client: textOf(c), scopes, apiToken: textOf(t) } }
    },
    isSpent: (sealed) => marks.isSeen(markOf(sealed), clock()),
    spend: (sealed) => marks.markSeen(markOf(sealed), clock() + LIFE, clock()),
  }
}

const textOf = (said: unknown): string | undefined => (typeof said === 'string' ? said : undefined)
