// What is counted of whom, in bounded memory. Only what would count as unused is forgotten: whoever comes with ever new names must not get
// a fresh start for an old one. Where nothing can be forgotten, newcomers share one count.

export interface Counts<Count> {
  at(key: string, now: number): Count
  readonly size: number
}

interface Needs<Count> {
  make(key: string): Count
  /** It says no more than a new one would. */
  isSpent(count: Count, now: number): boolean
  /** Newcomers begin to share one count. */
  onCrowded(): void
  readonly most?: number
}

const MOST = 100_000
/** Looked at for each newcomer, so that room is found at a small and even price. */
const LOOKED_AT = 16

export function boundedCounts<Count>({ make, isSpent, onCrowded, most = MOST }: Needs<Count>): Counts<Count> {
  const counts = new Map<string, Count>()
  const shared = make('')

  /** The first go, or behind all others: after a while everyone has been looked at. */
  function makeRoom(now: number): void {
    let looked = 0
    for (const [key, count] of counts) {
      counts.delete(key)
      if (!isSpent(count, now)) counts.set(key, count)
      looked += 1
      if (looked === LOOKED_AT) return
    }
  }

  return {
    at(key, now) {
      const known = counts.get(key)
      if (known !== undefined) return known
      if (counts.size >= most) makeRoom(now)
      if (counts.size >= most) {
        onCrowded()
        return shared
      }
      const made = make(key)
      counts.set(key, made)
      return made
    },
    get size() {
      return counts.size
    },
  }
}
