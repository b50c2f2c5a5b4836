// Which of the rules that speak of a principal speaks of a name.
import type { TargetKind } from '../protocol/decision.ts'
import { earlier, type Ranked } from './name-index.ts'
import type { Bucket } from './rule-index.ts'

/** The first written of them. */
export function firstRule(buckets: readonly Bucket[], kind: TargetKind, name: string): Ranked | undefined {
  let best: Ranked | undefined
  for (const bucket of buckets) best = earlier(earlier(best, bucket.everything), bucket.names[kind].first(name))
  return best
}
