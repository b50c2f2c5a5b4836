// Conditions as rules hold them. The language itself is loaded with the first rule that has one: it is a quarter of the idle memory.
import type { Variable } from './vocabulary.ts'

/** Stands for what is not known of a call: for some values a condition may hold, for others not. */
export const UNKNOWN: unique symbol = Symbol('unknown')
/** What a known call does not have: an error of the condition, whatever else is unknown. */
export const MISSING: unique symbol = Symbol('missing')

/** Of a tool that nobody has listed only the name is known; of the rest nobody can say whether it is there. */
export class PartlyKnown {
  readonly known: Readonly<Record<string, unknown>>

  constructor(known: Readonly<Record<string, unknown>>) {
    this.known = known
  }
}

export type Fact = Readonly<Record<string, unknown>> | PartlyKnown | typeof UNKNOWN | typeof MISSING

/** What a condition is evaluated with, as JSON; a `time` is a Date. Asked for when a condition reads it. */
export type Facts = { readonly [variable in Variable]: Fact }

export interface Reads {
  readonly variables: ReadonlySet<Variable>
  /** Members of the arguments, step by step; an empty path is all of them. */
  readonly args: readonly (readonly string[])[]
  /** All names that members of the arguments may be asked for by, at any depth and in any way; none where arguments are not read. */
  readonly names: ReadonlySet<string>
  /** Claims of the principal by name; `undefined` is all of them. */
  readonly claims: readonly string[] | undefined
}

export type Outcome = boolean | 'unknown' | 'error'

export interface Condition {
  readonly text: string
  readonly reads: Reads
  /** Never throws. Costs what the meter allows; `unknown` where something that it reads is. */
  evaluate(facts: Facts): Outcome
}

/** Throws ConditionFlaw. */
export type CompileCondition = (text: string) => Condition

/** What is wrong with a condition, in words for whoever wrote it. */
export class ConditionFlaw extends Error {
  override readonly name = 'ConditionFlaw'
}
