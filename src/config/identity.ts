// The company's identity providers, and what of their claims becomes the principal.
import { z } from 'zod'
import { parseEmailPattern } from '../protocol/email.ts'
import { duration, unique } from './units.ts'

const claimPath = z.string().min(1).optional()
// Without defaults: only so is a path that was written told from one that was not, and the kind of a provider has its own.
const mapping = z.strictObject({
  groups: claimPath.describe('Claim path of the groups. Default: `groups`.'),
  roles: claimPath.describe('Claim path of the roles. Default: `roles`; `realm_access.roles` for Keycloak.'),
  teams: claimPath.describe('Claim path of the teams. Default: `teams`.'),
})

const allowedEmails = z.array(
  z
    .string()
    .refine((text) => parseEmailPattern(text) !== undefined, 'Write an address, or a domain such as *@example.com.'),
)

const providerId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'Small letters, digits and dashes, at most 32.')
  .describe('Our name for it; part of its callback address `/callback/{id}`.')

const openid = z.strictObject({
  id: providerId,
  type: z
    .enum(['oidc', 'entra', 'okta', 'auth0', 'google', 'keycloak'])
    .describe('Kind of provider; all are reached by OpenID discovery.'),
  title: z.string().optional().describe('What the sign-in button says. Default: the id.'),
  issuer: z.url({ protocol: /^https?$/ }).describe('Issuer identifier; discovery starts here.'),
  clientId: z.string().min(1).describe('Client id registered there.'),
  clientSecret: z.string().optional().meta({ secret: true, description: 'Client secret registered there.' }),
  scopes: z.array(z.string()).default(['openid', 'email', 'profile']).describe('Scopes asked of it.'),
  groupsClaim: claimPath.describe('Short for mapping.groups of this provider.'),
  mapping: mapping.optional().describe('Claim paths of this provider, over identity.mapping.'),
  allowedEmails: allowedEmails.optional().describe('As identity.allowedEmails, for this provider.'),
})
const github = z.strictObject({
  id: providerId,
  type: z.literal('github'),
  title: z.string().optional().describe('What the sign-in button says. Default: the id.'),
  issuer: z
    .url({ protocol: /^https?$/ })
    .default('https://github.com')
    .describe('GitHub or a GitHub Enterprise host.'),
  api: z
    .url({ protocol: /^https?$/ })
    .default('https://api.github.com')
    .describe('Its REST API.'),
  clientId: z.string().min(1).describe('Client id of the OAuth app.'),
  clientSecret: z.string().meta({ secret: true, description: 'Client secret of the OAuth app.' }),
  scopes: z.array(z.string()).default(['read:user', 'user:email', 'read:org']).describe('Scopes asked of it.'),
  allowedEmails: allowedEmails.optional().describe('As identity.allowedEmails, for this provider.'),
})
const local = z.strictObject({
  type: z.literal('local'),
  title: z.string().optional().describe('What the sign-in form says.'),
})
export type OpenidProviderConfig = z.output<typeof openid>
export type GithubProviderConfig = z.output<typeof github>

type Entries = { value: readonly { readonly type: string; readonly id?: string }[]; issues: z.core.$ZodRawIssue[] }
const uniqueIds = (context: Entries): void => unique('id', 'identity providers')(context)

/** There is one list of local accounts: a second entry would be ignored. */
function onlyOneLocal({ value, issues }: Entries): void {
  const locals = value.flatMap(({ type }, index) => (type === 'local' ? [index] : []))
  const message = 'Local accounts are listed already: take this entry out.'
  for (const index of locals.slice(1)) issues.push({ code: 'custom', message, input: 'local', path: [index, 'type'] })
}

export const identity = z.strictObject({
  providers: z
    .array(z.discriminatedUnion('type', [openid, github, local]))
    .default([{ type: 'local' }])
    .describe('Ways to sign in, in the order shown. Default: local accounts.')
    .check(onlyOneLocal)
    .check(uniqueIds),
  allowedEmails: allowedEmails
    .default([])
    .describe('Who may sign in: addresses, or `*@example.com`. Empty: anyone the providers know.'),
  mapping: mapping.prefault({}),
  sessionTtl: duration('8h').describe('Lifetime of a browser sign-in.'),
})
export type IdentityConfig = z.output<typeof identity>
