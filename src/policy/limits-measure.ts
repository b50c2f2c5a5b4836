// A rate or a quota as a level that rises with every call, between a floor and a ceiling. Of a rate (the generic cell rate algorithm) the
// level is the time at which the bucket would be full again, so that it fills by the clock alone; of a quota it is the calls of an hour or day.
import type { Rate } from '../protocol/rate.ts'

export interface Measure {
  readonly reason: 'rate_limited' | 'quota_exhausted'
  /** Calls that can come at once while nothing is used. */
  readonly most: number
  /** What a call costs. */
  readonly unit: number
  /** From the floor to the ceiling. */
  readonly room: number
  floor(now: number): number
  /** When nothing of what is used now counts any more. */
  endsAt(now: number): number
  /** Milliseconds until there is room for so many calls above this level; 0: there is. */
  wait(level: number, calls: number, now: number): number
}

/** Whole microseconds: a store's sums stay exact, and a rate is never a little more than was written. */
export function measureRate({ most, window }: Rate, burst = most): Measure {
  const unit = Math.ceil((window * 1000) / most)
  const room = burst * unit
  const floor = (now: number): number => Math.floor(now) * 1000
  return {
    reason: 'rate_limited',
    most: burst,
    unit,
    room,
    floor,
    endsAt: (now) => now + Math.ceil(room / 1000),
    wait: (level, calls, now) => Math.max(0, Math.ceil((level + calls * unit - floor(now) - room) / 1000)),
  }
}

/** Above every quota, so that what one hour or day used lies below the floor of the next, whatever the quota is by then. */
const STRIDE = 1_000_000_000

/** Hours and days are those of UTC: every replica and every start means the same. */
export function measureQuota({ most, window }: Rate): Measure {
  const floor = (now: number): number => Math.floor(now / window) * STRIDE
  const endsAt = (now: number): number => (Math.floor(now / window) + 1) * window
  return {
    reason: 'quota_exhausted',
    most,
    unit: 1,
    room: most,
    floor,
    endsAt,
    wait: (level, calls, now) => (level + calls <= floor(now) + most ? 0 : endsAt(now) - now),
  }
}

/** A level that a clock set back, or a limit lowered since, has left above the ceiling counts as the ceiling. */
export function levelAt(level: number, { floor, room }: Measure, now: number): number {
  const lowest = floor(now)
  return Math.min(Math.max(level, lowest), lowest + room)
}
