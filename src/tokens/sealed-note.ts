// A sealed text that is good for a time: what is handed out for a moment, to come back to whoever made it. Its end is sealed with it.
import type { Clock } from '../protocol/clock.ts'
import { type SealKey, seal, unseal } from './seal.ts'

export interface SealedNotes {
  /** `binding`: see seal. Good for the life of these notes. */
  seal(binding: string, payload: object): string
  /** `undefined` for what was not sealed for this binding, and for what is too old. */
  open(binding: string, note: string): OpenNote | undefined
}

interface OpenNote {
  readonly said: Readonly<Record<string, unknown>>
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

interface Needs {
  sealKeys(): readonly SealKey[]
  readonly clock: Clock
  /** Milliseconds. */
  readonly life: number
  /** Of a note, where that is more than of other sealed texts. */
  readonly longest?: number
}

export function sealedNotes({ sealKeys, clock, life, longest }: Needs): SealedNotes {
  return {
    seal: (binding, payload) => seal(sealKeys(), binding, { ...payload, e: clock() + life }),
    open(binding, note) {
      const { e: expiresAt, ...said } = unseal(sealKeys(), binding, note, longest) ?? {}
      return typeof expiresAt === 'number' && expiresAt > clock() ? { said, expiresAt } : undefined
    },
  }
}
