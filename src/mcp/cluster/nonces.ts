// Envelopes that have been taken: each is taken once. Two generations, so that nothing is taken out one by one.

export interface Nonces {
  /** `false`: it has been taken before. */
  take(nonce: string, now: number): boolean
}

/** A nonce is remembered for at least `life` milliseconds. */
export function createNonces(life: number): Nonces {
  let [young, old] = [new Set<string>(), new Set<string>()]
  let since = Number.NEGATIVE_INFINITY
  return {
    take(nonce, now) {
      if (Math.abs(now - since) >= life) {
        // After a silence that is longer, or a clock that was set, both are older than anything that could still be taken.
        old = young
        young = new Set()
        since = now
      }
      if (young.has(nonce) || old.has(nonce)) return false
      young.add(nonce)
      return true
    },
  }
}
