// Tokens that were proved lately, by the token itself: bounded, and each only for a time.
import type { Clock } from '../protocol/clock.ts'

const MOST_HELD = 20_000
/** Enough of a token's end to tell tokens apart (a signature, or all of it); the whole is compared before anything is believed. */
const TAIL = 86

export interface ProvedTokens<Outcome> {
  recall(token: string): Outcome | undefined
  /** `until`: in milliseconds since the epoch. */
  keep(token: string, outcome: Outcome, until: number): void
}

/** `most`: fewer where each token is seen once or twice. */
export function provedTokens<Outcome>(clock: Clock, most = MOST_HELD): ProvedTokens<Outcome> {
  const held = new Map<string, { readonly token: string; readonly outcome: Outcome; readonly until: number }>()
  return {
    recall(token) {
      const known = held.get(token.slice(-TAIL))
      return known?.token === token && known.until > clock() ? known.outcome : undefined
    },
    keep(token, outcome, until) {
      if (until <= clock()) return
      if (held.size >= most) held.delete(held.keys().next().value ?? '')
      held.set(token.slice(-TAIL), { token, outcome, until })
    },
  }
}
