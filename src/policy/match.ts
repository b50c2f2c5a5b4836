// Which of the rules that speak of a principal speaks of a name.
import type { TargetKind } from '../protocol/decision.ts'
import { earlier, type Ranked } from './name-index.ts'
import type { Bucket } from './rule-index.ts'

/** The first written of those without a condition. */
export function firstRule(buckets: readonly Bucket[], kind: TargetKind, name: string): Ranked | undefined {
  let best: Ranked | undefined
  for (const { plain } of buckets)
    if (plain) best = earlier(earlier(best, plain.everything[0]), plain.names[kind].first(name))
  return best
}

/** The first without a condition that speaks of all that the pattern does. */
export function coveringRule(buckets: readonly Bucket[], kind: TargetKind, pattern: string): Ranked | undefined {
  let best: Ranked | undefined
  for (const { plain } of buckets)
    if (plain) best = earlier(earlier(best, plain.everything[0]), plain.names[kind].covering(pattern))
  return best
}

/** Those with a condition, as they are written. */
export function conditionalRules(buckets: readonly Bucket[], kind: TargetKind, name: string): readonly Ranked[] {
  let found: Ranked[] | undefined
  for (const { conditional } of buckets) {
    if (conditional === undefined) continue
    found ??= []
    found.push(...conditional.everything)
    conditional.names[kind].collect(name, found)
  }
  // A rule for two groups of one person is found twice.
  return found === undefined ? NONE : [...new Set(found)].sort((one, other) => one.rank - other.rank)
}

const NONE: readonly Ranked[] = []
