// Decisions of the past made again by another policy: what would be refused now that was allowed, and the other way round, by person.
import type { Verdict } from './weigh.ts'

/** One decision of the record, and what another policy says of it. */
export interface Replayed {
  readonly id: string
  readonly time: string
  readonly person: string
  /** `server/tool`, as rules name it. */
  readonly what: string
  readonly effect: 'allow' | 'deny'
  readonly verdict: Verdict
}

export interface Difference {
  readonly count: number
  /** The newest of them. */
  readonly examples: readonly Example[]
}

export interface Example {
  readonly id: string
  readonly time: string
  readonly what: string
  readonly rule: string | undefined
}

export interface PersonDifferences {
  readonly person: string
  readonly newlyDenied: Difference
  readonly newlyAllowed: Difference
}

export interface ReplayReport {
  readonly same: number
  readonly newlyDenied: number
  readonly newlyAllowed: number
  readonly undecidable: number
  /** No decision of policy: refused for another reason, before it or after it. */
  readonly apart: number
  readonly people: readonly PersonDifferences[]
  /** More people differ than are told apart. */
  readonly othersDiffer: number
  /** How often each thing was not known, the most frequent first. */
  readonly missing: readonly { readonly what: string; readonly count: number; readonly example: string }[]
}

/** Of a record of any length only so much is kept. */
const MOST_PEOPLE = 5_000
const MOST_EXAMPLES = 3
const MOST_MISSING = 100

type Kept = { count: number; examples: Example[] }

export interface Tally {
  add(replayed: Replayed): void
  addApart(): void
  report(): ReplayReport
}

export function createTally(): Tally {
  const people = new Map<string, { newlyDenied: Kept; newlyAllowed: Kept }>()
  const missing = new Map<string, { count: number; example: string }>()
  const counts = { same: 0, newlyDenied: 0, newlyAllowed: 0, undecidable: 0, apart: 0 }
  let othersDiffer = 0

  function addDifference(kind: 'newlyDenied' | 'newlyAllowed', { person, id, time, what, verdict }: Replayed): void {
    counts[kind]++
    const known = people.get(person) ?? { newlyDenied: nothing(), newlyAllowed: nothing() }
    if (!people.has(person)) {
      if (people.size >= MOST_PEOPLE) {
        othersDiffer++
        return
      }
      people.set(person, known)
    }
    known[kind].count++
    known[kind].examples.unshift({ id, time, what, rule: verdict.rule })
    known[kind].examples.splice(MOST_EXAMPLES)
  }

  function addMissing({ verdict, id }: Replayed): void {
    counts.undecidable++
    for (const what of verdict.missing) {
      const known = missing.get(what)
      if (known !== undefined) known.count++
      else if (missing.size < MOST_MISSING) missing.set(what, { count: 1, example: id })
    }
  }

  return {
    add(replayed) {
      const { effect, verdict } = replayed
      if (verdict.effect === 'unknown') addMissing(replayed)
      else if (verdict.effect === effect) counts.same++
      else addDifference(effect === 'allow' ? 'newlyDenied' : 'newlyAllowed', replayed)
    },
    addApart() {
      counts.apart++
    },
    report: () => ({
      ...counts,
      people: [...people]
        .map(([person, differences]) => ({ person, ...differences }))
        .sort((one, other) => sizeOf(other) - sizeOf(one)),
      othersDiffer,
      missing: [...missing].map(([what, told]) => ({ what, ...told })).sort((one, other) => other.count - one.count),
    }),
  }
}

const nothing = (): Kept => ({ count: 0, examples: [] })
const sizeOf = ({ newlyDenied, newlyAllowed }: PersonDifferences): number => newlyDenied.count + newlyAllowed.count
