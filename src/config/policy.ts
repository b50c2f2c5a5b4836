// Who may call what: plain rules, deny wins, no rule no access.
import { z } from 'zod'
import { unique } from './units.ts'

const subjects = z
  .array(
    z
      .string()
      .regex(
        /^(\*|anonymous|(user|group|role|team|client):.+)$/,
        'Write *, anonymous, user:…, group:…, role:…, team:… or client:….',
      ),
  )
  .min(1)
const targets = z
  .array(
    z
      .string()
      .regex(
        /^(?:(?:prompt|resource|method):)?[^/\s]+\/\S+$/,
        'Write server/tool, prompt:server/name, resource:server/uri or method:server/method; * is a wildcard.',
      ),
  )
  .min(1)

export const rule = z.union([
  z.strictObject({ id: z.string().optional(), allow: targets, to: subjects }),
  z.strictObject({ id: z.string().optional(), deny: targets, to: subjects }),
])
export type RuleConfig = z.output<typeof rule>

export const policy = z.strictObject({
  rules: z
    .array(rule)
    .default([])
    .describe('`{ allow: [server/tool …], to: [subject …] }` or `{ deny: …, to: … }`.')
    .check(unique('id', 'rules')),
})
export type PolicyConfig = z.output<typeof policy>
