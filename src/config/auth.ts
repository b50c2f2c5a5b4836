// Who may knock, in which ways. `servers[].auth` may say otherwise for one server.
import { z } from 'zod'
import { proxy } from './auth-proxy.ts'
import { capabilities } from './capabilities.ts'
import { issuers } from './issuers.ts'
import { staticToken } from './static-token.ts'
import { fieldName } from './units.ts'

const MTLS_IDENTITIES = ['san-uri', 'san-dns', 'san-email', 'subject-cn', 'subject'] as const

export const mtls = z.strictObject({
  identity: z
    .enum(MTLS_IDENTITIES)
    .default('san-uri')
    .describe('Which name of a client certificate says who is calling.'),
  allow: z
    .array(z.string().min(1))
    .default([])
    .describe('Names that may call, `*` for any run of letters without a slash. Empty: any the client CA vouches for.'),
  header: z
    .enum(['none', 'xfcc', 'client-cert'])
    .default('none')
    .describe(
      'Where a trusted proxy that ends TLS puts the certificate: `xfcc` (X-Forwarded-Client-Cert) or `client-cert` (RFC 9440).',
    ),
  groups: z.array(z.string().min(1)).default([]).describe('Groups that every caller with a certificate belongs to.'),
})
export type MtlsConfig = z.output<typeof mtls>

export const auth = z.strictObject({
  anonymous: z
    .boolean()
    .default(false)
    .describe('Admit callers without a credential; also needs a rule naming `anonymous`.'),
  tokens: z.boolean().default(true).describe('Accept our own access tokens and API tokens.'),
  staticToken: staticToken.optional(),
  header: fieldName
    .default('Authorization')
    .describe('Header that carries the bearer token; another name leaves `Authorization` to whoever else needs it.'),
  issuers,
  proxy: proxy.optional().describe('Identity from an authenticating proxy in `server.trustedProxies`.'),
  mtls: mtls.optional().describe('Identity from client certificates.'),
  capabilities: capabilities.optional().describe('Signed lists of what a caller may use, from trusted proxies.'),
  clockTolerance: z
    .int()
    .min(0)
    .max(300)
    .default(60)
    .describe('Seconds of clock skew accepted from identity providers; our own tokens get none.'),
})
export type AuthConfig = z.output<typeof auth>

/** What one server may say otherwise. A way that is not named stays as `auth` has it. */
export const serverAuth = z.strictObject({
  anonymous: z.boolean().optional().describe('As auth.anonymous, for this server.'),
  tokens: z.boolean().optional().describe('As auth.tokens, for this server.'),
  issuers: z.array(z.string()).optional().describe('Which of auth.issuers count here, by issuer. Empty: none of them.'),
  proxy: z.union([z.boolean(), proxy]).optional().describe('`false`: no proxy identity here; an object: another one.'),
  mtls: z.union([z.boolean(), mtls]).optional().describe('`false`: no certificates here; an object: read otherwise.'),
  audience: z
    .string()
    .optional()
    .describe('Audience that tokens of other issuers must name here, in place of that of the issuer.'),
})
export type ServerAuthConfig = z.output<typeof serverAuth>
