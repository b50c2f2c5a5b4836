// What strangers can cause is told now and then: a log that anybody can fill tells nothing.
import type { Clock } from '../protocol/clock.ts'

interface Needs {
  /** Milliseconds in which one thing is told once. */
  readonly every: number
  /** Most different things told in that time. */
  readonly most: number
  readonly clock: Clock
}

/** Whether it is time to tell of this again. */
export function rarely({ every, most, clock }: Needs): (about: string) => boolean {
  const told = new Set<string>()
  let since = clock()
  return (about) => {
    const now = clock()
    // Since later than now: the clock was set back.
    if (now - since >= every || now < since) {
      told.clear()
      since = now
    }
    if (told.has(about) || told.size >= most) return false
    told.add(about)
    return true
  }
}
