// Scopes in words, and what each covers; roles in terms of groups and users.
import { z } from 'zod'
import { MEMBER, MEMBER_FORM, TARGET, TARGET_FORM } from '../protocol/rule-words.ts'

export const scopes = z
  .record(
    z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'Not a scope token (RFC 6749 §3.3).'),
    z.strictObject({
      title: z.string().describe('What the consent page says.'),
      covers: z.array(z.string().regex(TARGET, TARGET_FORM)).default(['*/*']).describe('`server/tool` globs it opens.'),
    }),
  )
  .default({
    'mcp:tools': { title: 'Use the tools, prompts and resources of this server on your behalf', covers: ['*/*'] },
  })
  .describe('Scopes by name: `{ title, covers }`. Given here, they replace the default.')
export type ScopesConfig = z.output<typeof scopes>

export const roles = z
  .record(z.string(), z.array(z.string().regex(MEMBER, MEMBER_FORM)))
  .default({})
  .describe('Roles by name, each a list of `group:NAME`, `team:NAME` or `user:EMAIL`.')
export type RolesConfig = z.output<typeof roles>
