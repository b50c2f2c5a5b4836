// Who may call what: rules with or without conditions, deny wins, no rule no access.
import { z } from 'zod'
import { methodFlaw, SUBJECT, SUBJECT_FORM, TARGET, TARGET_FORM, uriFlaw } from '../protocol/rule-words.ts'
import { decisionPoints } from './decision-points.ts'
import { distinctIds, withIds } from './entry-ids.ts'

const subjects = z.array(z.string().regex(SUBJECT, SUBJECT_FORM)).min(1)
const targetsOf = (effect: 'allow' | 'deny') =>
  z
    .array(
      z
        .string()
        .regex(TARGET, TARGET_FORM)
        .check(({ value, issues }) => {
          const message = methodFlaw(value, effect) ?? uriFlaw(value)
          if (message !== undefined) issues.push({ code: 'custom', message, input: value })
        }),
    )
    .min(1)

// Judged by the loader, with the language (rule-conditions.ts).
const condition = z.string().optional()
const common = {
  id: z.string().min(1).optional().describe('What log and record call it. Default: `rule-N`, by its place.'),
  to: subjects.describe('Whom it is for.'),
  when: condition.describe('Condition in CEL that must be true for the rule to hold.'),
  unless: condition.describe('Condition in CEL that must not be true.'),
  consult: z
    .string()
    .min(1)
    .optional()
    .describe('Decision point of `policy.decisionPoints` whose yes the call also needs.'),
}
const rule = z.union([
  z.strictObject({ ...common, allow: targetsOf('allow').describe('What it opens.') }),
  z.strictObject({ ...common, deny: targetsOf('deny').describe('What it closes.') }),
])

/** A rule that asks nobody would deny for ever. */
function checkPoints(context: {
  value: {
    readonly rules: readonly { readonly consult?: string | undefined }[]
    readonly decisionPoints: Readonly<Record<string, unknown>>
  }
  issues: z.core.$ZodRawIssue[]
}): void {
  const { rules, decisionPoints: points } = context.value
  rules.forEach(({ consult }, index) => {
    if (consult === undefined || Object.hasOwn(points, consult)) return
    const known = Object.keys(points)
    const remedy = known.length === 0 ? 'None is configured.' : `There are ${known.join(', ')}.`
    const message = `There is no decision point ${consult} in policy.decisionPoints. ${remedy}`
    context.issues.push({ code: 'custom', message, input: consult, path: ['rules', index, 'consult'] })
  })
}

export const policy = z
  .strictObject({
    files: z
      .array(z.string().min(1))
      .default([])
      .describe('Further rules: YAML files with `rules:`, or folders of them, read in the order of their names.'),
    rules: z
      .array(rule)
      .default([])
      .describe('`{ allow: [server/tool …], to: [subject …] }` or `{ deny: …, to: … }`, with `when` and `unless`.')
      .check(distinctIds('rule'))
      .transform(withIds('rule')),
    resourceAccess: z
      .strictObject({
        claim: z.string().min(1).default('resource_access').describe('Path of the claim.'),
      })
      .optional()
      .describe('Allows what a claim lists by server: `{ NAME: { roles: [tool:NAME, prompt:NAME] } }`.'),
    denials: z
      .enum(['hidden', 'explicit'])
      .default('hidden')
      .describe('What a refusal by policy looks like: as if the thing did not exist, or 403.'),
    decisionPoints,
  })
  .check(checkPoints)
export type PolicyConfig = z.output<typeof policy>
export type RuleConfig = PolicyConfig['rules'][number]
