// Who may call what: plain rules, deny wins, no rule no access.
import { z } from 'zod'
import { methodFlaw, SUBJECT, SUBJECT_FORM, TARGET, TARGET_FORM } from '../protocol/rule-words.ts'

const subjects = z.array(z.string().regex(SUBJECT, SUBJECT_FORM)).min(1)
const targetsOf = (effect: 'allow' | 'deny') =>
  z
    .array(
      z
        .string()
        .regex(TARGET, TARGET_FORM)
        .check(({ value, issues }) => {
          const message = methodFlaw(value, effect)
          if (message !== undefined) issues.push({ code: 'custom', message, input: value })
        }),
    )
    .min(1)

export const rule = z.union([
  z.strictObject({ id: z.string().optional(), allow: targetsOf('allow'), to: subjects }),
  z.strictObject({ id: z.string().optional(), deny: targetsOf('deny'), to: subjects }),
])
export type RuleConfig = z.output<typeof rule>

/** An id names one rule in log and audit; a rule without one is called by its place, `rule-1` and so on. */
function checkIds(context: { value: readonly RuleConfig[]; issues: z.core.$ZodRawIssue[] }): void {
  const seen = new Set<string>()
  context.value.forEach(({ id }, index) => {
    const name = id ?? `rule-${index + 1}`
    if (seen.has(name))
      context.issues.push({
        code: 'custom',
        message: `Two rules are called ${name}${id === undefined ? ', which this one is by its place' : ''}.`,
        input: name,
        path: id === undefined ? [index] : [index, 'id'],
      })
    seen.add(name)
  })
}

export const policy = z.strictObject({
  rules: z
    .array(rule)
    .default([])
    .describe('`{ allow: [server/tool …], to: [subject …] }` or `{ deny: …, to: … }`.')
    .check(checkIds),
})
export type PolicyConfig = z.output<typeof policy>
