// Asks the decision points outside that rules about a call name, and only where their answers make a difference.
import type { Call, Decision } from '../protocol/decision.ts'
import type { Ranked } from './name-index.ts'

/** May this call be made? Never rejects: no answer is a no. */
export type AskOutside = (point: string, call: Call) => Promise<boolean>

interface Needs {
  readonly ask: AskOutside
  /** Those about this call that name a decision point. */
  askedFor(call: Call): readonly Ranked[]
  decide(call: Call): Decision
}

export function consulting({ ask, askedFor, decide }: Needs): (call: Call) => Promise<Call> | undefined {
  return function consult(call) {
    const rules = askedFor(call)
    if (rules.length === 0) return undefined
    const all = (answer: boolean) => decide({ ...call, answers: new Map(rules.map(({ rule }) => [rule.id, answer])) })
    // A yes only ever opens: what is denied with every yes, or allowed with every no, needs nobody's word.
    if (all(true).effect === 'deny' || all(false).effect === 'allow') return undefined
    return answersTo(rules, call, ask)
  }
}

async function answersTo(rules: readonly Ranked[], call: Call, ask: AskOutside): Promise<Call> {
  const points = [...new Set(rules.flatMap(({ rule }) => rule.consult ?? []))]
  const answered = new Map(await Promise.all(points.map(async (point) => [point, await ask(point, call)] as const)))
  const answers = new Map(rules.map(({ rule }) => [rule.id, answered.get(rule.consult ?? '') === true]))
  return { ...call, answers }
}
