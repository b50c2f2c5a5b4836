// The company's identity providers, and what of their claims becomes the principal.
import { z } from 'zod'
import { parseEmailPattern } from '../protocol/email.ts'
import { USER_ID_CLAIMS } from '../protocol/user-id-claims.ts'
import { clientSecret } from './client-secret.ts'
import { duration, unique } from './units.ts'

const claimPath = z.string().min(1).optional()
// Without defaults: only so is a path that was written told from one that was not, and the kind of a provider has its own.
const mapping = z.strictObject({
  groups: claimPath.describe('Claim path of the groups. Default: `groups`.'),
  roles: claimPath.describe('Claim path of the roles. Default: `roles`; `realm_access.roles` for Keycloak.'),
  teams: claimPath.describe('Claim path of the teams. Default: `teams`.'),
  organisation: claimPath.describe(
    'Claim path of the organisation, kept as the claim `organisation`. Default: not kept.',
  ),
})

export const allowedEmails = z.array(
  z
    .string()
    .refine((text) => parseEmailPattern(text) !== undefined, 'Write an address, or a domain such as *@example.com.'),
)

const providerId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'Small letters, digits and dashes, at most 32.')
  .describe('Our name for it; part of its callback address `/callback/{id}`.')

const callback = z
  .enum(['/callback', '/oauth/callback'])
  .optional()
  .describe('Callback address registered there, where it is not `/callback/{id}`. For one provider only.')

const openid = z.strictObject({
  id: providerId,
  type: z
    .enum(['oidc', 'entra', 'okta', 'auth0', 'google', 'keycloak'])
    .describe('Kind of provider; all are reached by OpenID discovery.'),
  title: z.string().optional().describe('What the sign-in button says. Default: the id.'),
  issuer: z.url({ protocol: /^https?$/ }).describe('Issuer identifier; discovery starts here.'),
  clientId: z.string().min(1).describe('Client id registered there.'),
  clientSecret: clientSecret.optional().meta({ secret: true, description: 'Client secret registered there.' }),
  scopes: z.array(z.string()).default(['openid', 'email', 'profile']).describe('Scopes asked of it.'),
  callback,
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
  clientSecret: clientSecret.meta({ secret: true, description: 'Client secret of the OAuth app.' }),
  scopes: z.array(z.string()).default(['read:user', 'user:email', 'read:org']).describe('Scopes asked of it.'),
  callback,
  allowedEmails: allowedEmails.optional().describe('As identity.allowedEmails, for this provider.'),
})
const delegated = z.strictObject({
  id: providerId,
  type: z.literal('delegated').describe('A server that signs people in for gateways (`/login?gateway_uri`).'),
  title: z.string().optional().describe('What the sign-in button says. Default: `provider`.'),
  url: z
    .url({ protocol: /^https?$/ })
    .refine((text) => !/[?#]/.test(text), 'Write the address without query and fragment.')
    .describe('Its base address, as browsers reach it.'),
  provider: z.string().min(1).describe('Identity provider to name there.'),
  userIdClaim: z
    .enum(USER_ID_CLAIMS)
    .optional()
    .describe('Claim of its /user_info that says who somebody is. Default: the first there is.'),
  callback,
  groupsClaim: claimPath.describe('Short for mapping.groups of this provider.'),
  mapping: mapping.optional().describe('Claim paths of this provider, over identity.mapping.'),
  allowedEmails: allowedEmails.optional().describe('As identity.allowedEmails, for this provider.'),
})
const local = z.strictObject({
  type: z.literal('local'),
  title: z.string().optional().describe('What the sign-in form says.'),
})
export type OpenidProviderConfig = z.output<typeof openid>
export type GithubProviderConfig = z.output<typeof github>
export type DelegatedProviderConfig = z.output<typeof delegated>

type Entries = {
  value: readonly {
    readonly type: string
    readonly id?: string
    readonly callback?: z.output<typeof callback>
  }[]
  issues: z.core.$ZodRawIssue[]
}
const uniqueIds = (context: Entries): void => unique('id', 'identity providers')(context)

/** There is one list of local accounts: a second entry would be ignored. */
function onlyOneLocal({ value, issues }: Entries): void {
  const locals = value.flatMap(({ type }, index) => (type === 'local' ? [index] : []))
  const message = 'Local accounts are listed already: take this entry out.'
  for (const index of locals.slice(1)) issues.push({ code: 'custom', message, input: 'local', path: [index, 'type'] })
}

/** RFC 9700 §4.4.2.2: an answer is told from another provider's by the address it comes to. */
function oneACallback({ value, issues }: Entries): void {
  const taken = new Map<string, string>()
  value.forEach(({ id = '', callback: address }, index) => {
    if (address === undefined) return
    const other = taken.get(address)
    const message = `The provider ${other} has ${address} already. Leave callback out and register /callback/${id} there: two providers at one address could be taken for each other.`
    if (other !== undefined) issues.push({ code: 'custom', message, input: address, path: [index, 'callback'] })
    taken.set(address, other ?? id)
  })
}

export const identity = z.strictObject({
  providers: z
    .array(z.discriminatedUnion('type', [openid, github, delegated, local]))
    .default([{ type: 'local' }])
    .describe('Ways to sign in, in the order shown. Default: local accounts.')
    .check(onlyOneLocal)
    .check(uniqueIds)
    .check(oneACallback),
  allowedEmails: allowedEmails
    .default([])
    .describe('Who may sign in: addresses, or `*@example.com`. Empty: anyone the providers know.'),
  mapping: mapping.prefault({}),
  claims: z
    .array(z.string().min(1).max(256))
    .max(50)
    .default([])
    .describe(
      'Claim paths kept of people and tokens as `principal.claims`, beside those that rules name. `org.unit` keeps no more of `org`.',
    ),
  sessionTtl: duration('8h').describe('Lifetime of a browser sign-in.'),
})
export type IdentityConfig = z.output<typeof identity>
