// A link for one person to connect an account of theirs: made where a call needs one, opened on our pages. It proves for whom it was made,
// and gives nobody any right: whoever opens it is asked who they are.
import { createHash } from 'node:crypto'
import type { Clock } from '../protocol/clock.ts'
import type { Marks } from '../store/ephemeral.ts'
import type { SealKey } from './seal.ts'
import { sealedNotes } from './sealed-note.ts'

export interface ConnectionRequest {
  readonly subject: string
  readonly server: string
}

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
    seal: ({ subject, server }) => notes.seal(BINDING, { s: subject, u: server }),
    open(sealed) {
      const { s, u } = notes.open(BINDING, sealed)?.said ?? {}
      return typeof s === 'string' && typeof u === 'string' ? { subject: s, server: u } : undefined
    },
    isSpent: (sealed) => marks.isSeen(markOf(sealed), clock()),
    spend: (sealed) => marks.markSeen(markOf(sealed), clock() + LIFE, clock()),
  }
}
