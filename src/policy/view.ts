// How much of a server a principal sees at all, from the rules that speak of the two.
import type { TargetKind } from '../protocol/decision.ts'
import { RESOURCE_ACCESS } from './access.ts'
import type { Holds, HoldsFor } from './holds.ts'
import { coveringRule } from './match.ts'
import type { Bucket } from './rule-index.ts'

/** What is known here is who asks, and where; not which tool, nor with which arguments. */
export interface Seen {
  readonly allows: readonly Bucket[]
  readonly denies: readonly Bucket[]
  readonly holds: HoldsFor
  /** What the caller's own claims allow (`policy.resourceAccess`). */
  readonly claimed: readonly Named[]
}

interface Named {
  readonly kind: TargetKind
  readonly name: string
}

/** `all`: every tool, prompt and resource, so that lists need no filter. `none`: the server does not exist for the principal. */
export function viewOf(seen: Seen): 'all' | 'some' | 'none' {
  if (openingRule(seen) === undefined) return 'none'
  return isWhole(seen) && !isFiltered(seen) ? 'all' : 'some'
}

const may = (outcome: Holds): boolean => outcome === 'yes' || outcome === 'unknown'
const denies = (outcome: Holds): boolean => outcome === 'yes' || outcome === 'error'

function isWhole({ allows, holds }: Seen): boolean {
  return allows.some(
    ({ plain, conditional }) =>
      (plain?.everything.length ?? 0) > 0 || conditional?.everything.some((ranked) => holds(ranked) === 'yes'),
  )
}

/** Something may be denied of what is allowed. */
function isFiltered({ denies: closing, holds }: Seen): boolean {
  return closing.some(
    ({ plain, conditional }) =>
      plain?.patterns.some(({ kind }) => kind !== 'method') ||
      conditional?.everything.some((ranked) => holds(ranked) !== 'no') ||
      conditional?.patterns.some(({ kind, ranked }) => kind !== 'method' && holds(ranked) !== 'no'),
  )
}

/** Id of a rule that lets the principal see something of the server; `undefined` where denials leave nothing of any. */
export function openingRule(seen: Seen): string | undefined {
  if (isClosed(seen)) return undefined
  const { allows, holds } = seen
  for (const { plain } of allows) if (plain?.everything[0]) return plain.everything[0].rule.id
  for (const { conditional } of allows) {
    const whole = conditional?.everything.find((ranked) => may(holds(ranked)))
    if (whole) return whole.rule.id
  }
  for (const { plain, conditional } of allows) {
    const alive =
      plain?.patterns.find((pattern) => isAlive(pattern, seen)) ??
      conditional?.patterns.find((pattern) => may(holds(pattern.ranked)) && isAlive(pattern, seen))
    if (alive) return alive.ranked.rule.id
  }
  return seen.claimed.some(({ kind, name }) => isUncovered(kind, name, seen)) ? RESOURCE_ACCESS : undefined
}

const isClosed = ({ denies: closing, holds }: Seen): boolean =>
  closing.some(
    ({ plain, conditional }) =>
      (plain?.everything.length ?? 0) > 0 || conditional?.everything.some((ranked) => denies(holds(ranked))),
  )

type Pattern = NonNullable<Bucket['plain']>['patterns'][number]

const isAlive = ({ kind, name }: Pattern, seen: Seen): boolean => isUncovered(kind, name.pattern, seen)

/** No deny covers all that the pattern matches. One with a condition is taken to leave something. */
const isUncovered = (kind: TargetKind, pattern: string, { denies: closing }: Seen): boolean =>
  coveringRule(closing, kind, pattern) === undefined
