// What each person's own account at one server gives at this moment: made once for a version of its secret; its use is noted now and then.
import type { Clock } from '../../protocol/clock.ts'
import type { ConnectionRecords } from '../../store/connections.ts'
import type { Given } from '../upstream.ts'

export interface InUse {
  /** Of its secret, in the vault. */
  readonly version: number
  /** The same object for the same secret: what is made of it can be kept. */
  readonly given: Given
  touchedAt: number
}

interface Needs {
  readonly records: Pick<ConnectionRecords, 'touch'>
  readonly clock: Clock
  /** The store did not take a note of its use, for which nobody waits. */
  onError(error: unknown): void
}

/** By person; whoever's was made longest ago gives way. */
export interface InUseByPerson<Kept extends InUse> {
  find(person: string): Kept | undefined
  keep(person: string, made: Kept): Kept
  forget(person: string): void
  touch(person: string, own: Kept): void
}

const MOST_KEPT = 10_000
/** `usedAt` is exact to so much. */
const TOUCH_EVERY = 5 * 60_000

export function inUseAt<Kept extends InUse>(server: string, { records, clock, onError }: Needs): InUseByPerson<Kept> {
  const kept = new Map<string, Kept>()
  return {
    find: (person) => kept.get(person),
    keep(person, made) {
      kept.delete(person)
      kept.set(person, made)
      const [oldest] = kept.keys()
      if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest)
      return made
    },
    forget: (person) => void kept.delete(person),
    touch(person, own) {
      const now = clock()
      if (Math.abs(now - own.touchedAt) < TOUCH_EVERY) return
      own.touchedAt = now
      records.touch(person, server, now).catch(onError)
    },
  }
}
