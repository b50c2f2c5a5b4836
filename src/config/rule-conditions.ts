// Conditions of rules, judged where they are written. Their language is loaded where a rule has one, and not before.
import { type Input, isTree } from './input.ts'
import { pathText } from './origins.ts'
import { type Problem, placeOf } from './problems.ts'

const RULES: readonly (string | number)[] = ['policy', 'rules']
const CONDITIONS = ['when', 'unless'] as const

export async function conditionProblems(input: Input): Promise<Problem[]> {
  const written = conditionsIn(input.get(RULES))
  if (written.length === 0) return []
  const { conditionFlaw } = await import('../protocol/condition/compile.ts')
  return written.flatMap(({ index, key, text }): Problem[] => {
    const message = conditionFlaw(text)
    const path = [...RULES, index, key]
    return message === undefined ? [] : [{ place: placeOf(input.find(path)), setting: pathText(path), message }]
  })
}

/** As far as it can be read; what is wrong with the rest the schema says. */
function conditionsIn(rules: unknown): readonly { index: number; key: string; text: string }[] {
  if (!Array.isArray(rules)) return []
  return rules.flatMap((rule: unknown, index) =>
    CONDITIONS.flatMap((key) => {
      const text = isTree(rule) && Object.hasOwn(rule, key) ? rule[key] : undefined
      return typeof text === 'string' ? [{ index, key, text }] : []
    }),
  )
}
