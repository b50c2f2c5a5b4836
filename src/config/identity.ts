// The company's identity providers, and what of their claims becomes the principal.
import { z } from 'zod'
import { duration, unique } from './units.ts'

const mapping = z.strictObject({
  groups: z.string().default('groups').describe('Claim path of the groups.'),
  roles: z.string().default('roles').describe('Claim path of the roles; `realm_access.roles` for Keycloak.'),
  teams: z.string().default('teams').describe('Claim path of the teams.'),
  organisation: z.string().default('org').describe('Claim path of the organisation.'),
})
export type ClaimMapping = z.output<typeof mapping>

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
  groupsClaim: z.string().optional().describe('Short for mapping.groups of this provider.'),
  mapping: mapping.partial().optional().describe('Claim paths of this provider, over identity.mapping.'),
  allowedEmails: z.array(z.string()).optional().describe('As identity.allowedEmails, for this provider.'),
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
  allowedEmails: z.array(z.string()).optional().describe('As identity.allowedEmails, for this provider.'),
})
const local = z.strictObject({
  id: providerId.default('local'),
  type: z.literal('local'),
  title: z.string().optional().describe('What the sign-in form says.'),
})
export type OpenidProviderConfig = z.output<typeof openid>
export type GithubProviderConfig = z.output<typeof github>

export const identity = z.strictObject({
  providers: z
    .array(z.discriminatedUnion('type', [openid, github, local]))
    .default([{ id: 'local', type: 'local' }])
    .describe('Ways to sign in, in the order shown. Default: local accounts.')
    .check(unique('id', 'identity providers')),
  allowedEmails: z
    .array(z.string())
    .default([])
    .describe('Who may sign in: addresses, or `*@example.com`. Empty: anyone the providers know.'),
  mapping: mapping.prefault({}),
  sessionTtl: duration('8h').describe('Lifetime of a browser sign-in.'),
})
export type IdentityConfig = z.output<typeof identity>
