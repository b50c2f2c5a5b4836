// Scopes in words, and what each covers; roles in terms of groups and users.
import { z } from 'zod'
import { MEMBER, MEMBER_FORM, TARGET, TARGET_FORM } from '../protocol/rule-words.ts'

const targets = z.array(z.string().regex(TARGET, TARGET_FORM))
const scope = z
  .strictObject({
    title: z.string().describe('What the consent page says.'),
    covers: targets
      .optional()
      .describe('`server/tool` globs it opens. Default: everything, and nothing where `requiredFor` is given.'),
    requiredFor: targets
      .default([])
      .describe('`server/tool` globs of calls that need this scope, too, beside one that covers them.'),
  })
  .transform(({ title, covers, requiredFor }) => ({
    title,
    covers: covers ?? (requiredFor.length === 0 ? ['*/*'] : []),
    requiredFor,
  }))

export const scopes = z
  .record(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'Not a scope token (RFC 6749 §3.3).'), scope)
  .default({
    'mcp:tools': {
      title: 'Use the tools, prompts and resources of this server on your behalf',
      covers: ['*/*'],
      requiredFor: [],
    },
  })
  .describe('Scopes by name: `{ title, covers, requiredFor }`. Given here, they replace the default.')
export type ScopesConfig = z.output<typeof scopes>

export const roles = z
  .record(z.string(), z.array(z.string().regex(MEMBER, MEMBER_FORM)))
  .default({})
  .describe('Roles by name, each a list of `group:NAME`, `team:NAME` or `user:EMAIL`.')
export type RolesConfig = z.output<typeof roles>
