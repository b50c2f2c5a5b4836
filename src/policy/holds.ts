// Whether a rule with a condition holds, as far as the call is known.
import type { Facts, Outcome } from '../protocol/condition/language.ts'
import type { Call } from '../protocol/decision.ts'
import { factsOf, type Knowing } from './facts.ts'
import type { Ranked } from './name-index.ts'
import type { Target } from './target.ts'

/** `error`: its condition cannot be evaluated. `unknown`: for some arguments or answers it may hold, for others not. */
export type Holds = 'yes' | 'no' | 'unknown' | 'error'

/** Of one call, as far as it is known. */
export type HoldsFor = (ranked: Ranked) => Holds

export function holdsFor(call: Call, knowing: Knowing): HoldsFor {
  let told: { readonly facts: Facts; readonly target: Target } | undefined
  return ({ rule, target }) => {
    // Only of a resource do the rules' targets say different things.
    if (told === undefined || (call.kind === 'resource' && told.target !== target))
      told = { facts: factsOf(call, knowing, target), target }
    const { facts } = told
    const parts = [
      ...(rule.when === undefined ? [] : [rule.when.evaluate(facts)]),
      ...(rule.unless === undefined ? [] : [not(rule.unless.evaluate(facts))]),
      ...(rule.consult === undefined ? [] : [answer(rule.effect, rule.id, { call, knowing })]),
    ]
    if (parts.includes(false)) return 'no'
    // An allow with an error among its parts never holds, a deny may still not hold for what is unknown.
    const [first, second] = rule.effect === 'allow' ? SURE_FIRST : OPEN_FIRST
    return parts.includes(first) ? first : parts.includes(second) ? second : 'yes'
  }
}

const SURE_FIRST = ['error', 'unknown'] as const
const OPEN_FIRST = ['unknown', 'error'] as const

const not = (outcome: Outcome): Outcome => (typeof outcome === 'boolean' ? !outcome : outcome)

/** A decision point is asked whether the call may be made: its yes makes an allow hold, and lifts a deny. */
function answer(effect: 'allow' | 'deny', id: string, { call, knowing }: { call: Call; knowing: Knowing }) {
  if (knowing !== 'call') return 'unknown'
  return (call.answers?.get(id) === true) === (effect === 'allow')
}
