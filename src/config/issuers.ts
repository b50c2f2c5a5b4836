// Other authorization servers whose tokens count here: where their keys are, and what a token of theirs must say.
import { z } from 'zod'
import { duration, optionalDuration, unique } from './units.ts'

/** Signatures only: symmetric ones would make every holder of the key an issuer (RFC 8725 §3.1). */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const

export const ISSUER_TYPES = ['generic', 'keycloak', 'okta', 'entra', 'auth0', 'google'] as const

export const CLAIM_MATCHES = ['exact', 'contains', 'containsAll', 'regex'] as const

const scalar = z.union([z.string(), z.number(), z.boolean()])
const claimValue = z.strictObject({
  values: z.union([scalar.transform((value) => [value]), z.array(scalar).min(1)]).describe('Values to compare with.'),
  matchType: z
    .enum(CLAIM_MATCHES)
    .default('exact')
    .describe('`exact`, `contains` (one of them), `containsAll`, or `regex` (the whole value matches one).'),
})

const introspection = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Introspection endpoint (RFC 7662). Default: the one its discovery names.'),
  clientId: z.string().min(1).describe('Client id registered there.'),
  clientSecret: z.string().min(1).meta({ secret: true, description: 'Its secret.' }),
  cache: duration('30s').describe('How long an answer counts; 0 asks every time. Never past the token’s expiry.'),
})

const issuer = z.strictObject({
  issuer: z.url({ protocol: /^https?$/ }).describe('Issuer identifier, letter by letter as in its tokens (`iss`).'),
  type: z.enum(ISSUER_TYPES).default('generic').describe('Kind of provider: its known departures from the standards.'),
  audience: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe('Audience its tokens must name. Default: the URL of the server that is called.'),
  algorithms: z
    .array(z.enum(ALGORITHMS))
    .min(1)
    .default(['RS256', 'ES256'])
    .describe('Signature algorithms it may use.'),
  jwksUri: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Its key set. Default: the one its discovery names.'),
  jwks: z.string().optional().describe('Its key set itself, as JSON text; nothing is fetched then.'),
  introspection: introspection.optional().describe('Ask it about tokens that are no JWT.'),
  requiredClaims: z.array(z.string().min(1)).default([]).describe('Claim paths that must be there.'),
  claimValues: z
    .record(z.string(), claimValue)
    .default({})
    .describe('Claim paths and what they must say: `{ values, matchType }`.'),
  clockTolerance: duration('5s').describe('Clock skew accepted from it.'),
  maxTokenAge: optionalDuration().describe('Oldest token, by `iat`.'),
  tenants: z
    .array(z.string())
    .default([])
    .describe('Entra: tenant ids (`tid`) that count; needed where the issuer is for many tenants.'),
  mapping: z
    .strictObject({
      groups: z.string().optional().describe('Claim path of the groups. Default: that of the type, else `groups`.'),
      roles: z.string().optional().describe('Claim path of the roles.'),
      teams: z.string().optional().describe('Claim path of the teams.'),
    })
    .prefault({}),
  scopes: z
    .boolean()
    .default(false)
    .describe('Its `scope` claim holds our scopes, which then bound what the token may do.'),
  allowedEmails: z.array(z.string()).optional().describe('As identity.allowedEmails, for its tokens.'),
})
export type IssuerConfig = z.output<typeof issuer>
export type ClaimValue = z.output<typeof claimValue>

export const issuers = z
  .array(issuer)
  .default([])
  .describe('Other authorization servers whose access tokens count here.')
  .check(unique('issuer', 'issuers'))
