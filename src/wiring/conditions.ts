// The language of conditions, loaded with the first rule that has one: it is a quarter of the idle memory.
import type { Config } from '../config/schema.ts'
import type { CompileCondition } from '../protocol/condition/language.ts'

export async function loadConditions({
  policy: { rules },
}: Pick<Config, 'policy'>): Promise<CompileCondition | undefined> {
  if (rules.every(({ when, unless }) => (when ?? unless) === undefined)) return undefined
  const { compileCondition } = await import('../protocol/condition/compile.ts')
  return compileCondition
}
