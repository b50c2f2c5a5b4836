// How much of a server a principal sees at all, from the rules that speak of the two.
import { firstRule } from './match.ts'
import type { Ranked } from './name-index.ts'
import type { Bucket } from './rule-index.ts'

/** `all`: every tool, prompt and resource, so that lists need no filter. `none`: the server does not exist for the principal. */
export function viewOf(allows: readonly Bucket[], denies: readonly Bucket[]): 'all' | 'some' | 'none' {
  if (openingRule(allows, denies) === undefined) return 'none'
  const filtered = denies.some((bucket) => bucket.patterns.some(({ kind }) => kind !== 'method'))
  return !filtered && allows.some((bucket) => bucket.everything) ? 'all' : 'some'
}

/** A rule that lets the principal see something of the server; `undefined` where denials leave nothing of any. */
export function openingRule(allows: readonly Bucket[], denies: readonly Bucket[]): Ranked | undefined {
  if (denies.some((bucket) => bucket.everything)) return undefined
  const whole = allows.find((bucket) => bucket.everything)?.everything
  if (whole) return whole
  for (const bucket of allows) {
    // A deny that matches the pattern itself, star and all, matches every name of it.
    const alive = bucket.patterns.find(({ kind, name }) => !firstRule(denies, kind, name.pattern))
    if (alive) return alive.ranked
  }
  return undefined
}
