// How long a server that ends by itself stays down: 1 s, 2 s, 4 s … 60 s, each a little less. Pure but for its count and the dice.

const FIRST = 1_000
const LONGEST = 60_000

export interface Backoff {
  /** Milliseconds until the next start may be tried; 0 when now. */
  wait(now: number): number
  failed(startedAt: number, now: number): void
  /** What it failed for is no more. */
  forgive(): void
}

/** A quarter less at most: what fell together does not all come back in the same moment. */
const JITTER = 0.25

export interface Life {
  /** Having run for so long it is no longer the same trouble. Having started is not enough: some fail at their first call. */
  readonly goodRun: number
  readonly waitAfterGoodRun: number
}

const OF_A_PROGRAM: Life = { goodRun: LONGEST, waitAfterGoodRun: FIRST }

export function createBackoff(life: Life = OF_A_PROGRAM, random: () => number = Math.random): Backoff {
  let failures = 0
  let until = 0
  return {
    wait: (now) => Math.max(0, until - now),
    failed(startedAt, now) {
      const good = now - startedAt >= life.goodRun
      failures = good ? 1 : failures + 1
      const wait = good ? life.waitAfterGoodRun : Math.min(FIRST * 2 ** (failures - 1), LONGEST)
      until = now + Math.round(wait * (1 - JITTER * random()))
    },
    forgive() {
      failures = 0
      until = 0
    },
  }
}
