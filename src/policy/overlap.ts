// How patterns, targets and subjects of rules lie to each other: for finding rules that say nothing.
import type { Subject } from './subject.ts'
import type { Target } from './target.ts'

/** Some text may match both. Variables of a URI count as `*`: rather too often than too seldom. */
export function mayOverlap(one: string, other: string): boolean {
  const [left, right] = [globOf(one), globOf(other)]
  const reached = new Set<string>()
  const walk = (a: number, b: number): boolean => {
    const at = `${a} ${b}`
    if (reached.has(at)) return false
    reached.add(at)
    if (a === left.length && b === right.length) return true
    if (left[a] === '*') return walk(a + 1, b) || (b < right.length && walk(a, b + 1))
    if (right[b] === '*') return walk(a, b + 1) || (a < left.length && walk(a + 1, b))
    return left[a] !== undefined && left[a] === right[b] && walk(a + 1, b + 1)
  }
  return walk(0, 0)
}

const globOf = (pattern: string): string => pattern.replace(/\{\+?\w+\}/g, '*').replace(/\*+/g, '*')

export const targetsOverlap = (one: Target, other: Target): boolean =>
  mayOverlap(one.server.pattern, other.server.pattern) &&
  (one.kind === 'everything' ||
    other.kind === 'everything' ||
    (one.kind === other.kind && mayOverlap(one.name.pattern, other.name.pattern)))

/** Whatever the other speaks of, this one does. */
export const targetCovers = (one: Target, other: Target): boolean =>
  one.server.covers(other.server.pattern) &&
  (one.kind === 'everything' || (one.kind === other.kind && one.name.covers(other.name.pattern)))

/** Whomever the other is for, this one is for. */
export function subjectCovers(one: Subject, other: Subject): boolean {
  if (one.type === 'signed_in') return other.type !== 'anonymous'
  if (one.type !== other.type) return false
  if (!('value' in one && 'value' in other)) return true
  return one.value === other.value && (one.type !== 'claim' || other.type !== 'claim' || one.path === other.path)
}
