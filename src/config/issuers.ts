// Other authorization servers whose tokens count here: where their keys are, and what a token of theirs must say.
import { z } from 'zod'
import { KeySetError, parsePublicKeys } from '../protocol/public-keys.ts'
import { patternFlaw } from '../protocol/simple-pattern.ts'
import { allowedEmails } from './identity.ts'
import { issuerFlaw } from './issuer-form.ts'
import { duration, optionalDuration, unique } from './units.ts'

/** Signatures only: symmetric ones would make every holder of the key an issuer (RFC 8725 §3.1). */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const

const ISSUER_TYPES = ['generic', 'keycloak', 'okta', 'entra', 'auth0', 'google'] as const

const CLAIM_MATCHES = ['exact', 'contains', 'containsAll', 'regex'] as const

const algorithm = z.enum(ALGORITHMS, {
  error: `Write some of ${ALGORITHMS.join(', ')}. A shared key (HS256 and its like) is refused: whoever can check a token with it can make one.`,
})

const scalar = z.union([z.string(), z.number(), z.boolean()])
const claimValue = z
  .strictObject({
    values: z.union([scalar.transform((value) => [value]), z.array(scalar).min(1)]).describe('Values to compare with.'),
    matchType: z
      .enum(CLAIM_MATCHES)
      .default('exact')
      .describe(
        '`exact` (it says nothing but these), `contains` (one of these), `containsAll`, or `regex` (one of its values matches as a whole).',
      ),
  })
  .check(({ value: { values, matchType }, issues }) => {
    if (matchType !== 'regex') return
    const flaw = values.map((pattern) => patternFlaw(String(pattern))).find((found) => found !== undefined)
    if (flaw !== undefined) issues.push({ code: 'custom', message: flaw, input: values, path: ['values'] })
  })

const keySet = z.string().check(({ value, issues }) => {
  const message = keySetFlaw(value)
  if (message !== undefined) issues.push({ code: 'custom', message, input: value })
})

function keySetFlaw(text: string): string | undefined {
  try {
    const { size, flaws } = parsePublicKeys(text)
    if (size > 0) return undefined
    return `No key in it counts${flaws.length === 0 ? '' : ` (${flaws.join('; ')})`}. ${KEY_SET_REMEDY}`
  } catch (error) {
    if (!(error instanceof KeySetError)) throw error
    return `This is no key set: ${error.message}. ${KEY_SET_REMEDY}`
  }
}
const KEY_SET_REMEDY =
  'Write a JWK Set as JSON, or public keys as PEM; or take it out, and the keys are fetched from the issuer.'

const introspection = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Introspection endpoint (RFC 7662). Default: the one its discovery names.'),
  clientId: z.string().min(1).describe('Client id registered there.'),
  clientSecret: z.string().min(1).meta({ secret: true, description: 'Its secret.' }),
  cache: duration('30s').describe('How long an answer counts; 0 asks every time. Never past the token’s expiry.'),
})

/** One path, or several whose values are joined. */
const claimPaths = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional()

const issuer = z.strictObject({
  issuer: z
    .string()
    .min(1)
    .max(1024)
    .describe(
      'Issuer identifier, letter by letter as in its tokens (`iss`). A URL, unless `jwks` or `jwksUri` says where its keys are.',
    ),
  type: z.enum(ISSUER_TYPES).default('generic').describe('Kind of provider: its known departures from the standards.'),
  audience: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe('Audience its tokens must name. Default: the URL of the server that is called.'),
  algorithms: z.array(algorithm).min(1).default(['RS256', 'ES256']).describe('Signature algorithms it may use.'),
  jwksUri: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Its key set. Default: the one its discovery names.'),
  jwks: keySet
    .optional()
    .describe('Its key set itself, as JSON text, or its public keys as PEM; nothing is fetched then.'),
  jwksFile: z.string().optional().describe('File of the same.'),
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
      groups: claimPaths.describe('Claim path of the groups, or several. Default: identity.mapping, else the type’s.'),
      roles: claimPaths.describe('Claim path of the roles, or several, such as `realm_access.roles`.'),
      teams: claimPaths.describe('Claim path of the teams, or several.'),
      organisation: z.string().min(1).optional().describe('Claim path of the organisation.'),
    })
    .prefault({}),
  scopes: z
    .boolean()
    .default(false)
    .describe('Its `scope` claim holds our scopes, which then bound what the token may do.'),
  allowedEmails: allowedEmails.optional().describe('As identity.allowedEmails, for its tokens.'),
})
export type IssuerConfig = z.output<typeof issuer>
export type ClaimValue = z.output<typeof claimValue>

type Entries = { value: readonly IssuerConfig[]; issues: z.core.$ZodRawIssue[] }

function checkForms({ value, issues }: Entries): void {
  value.forEach((entry, index) => {
    const flaw = issuerFlaw(entry)
    if (flaw !== undefined)
      issues.push({ code: 'custom', message: flaw.message, input: entry[flaw.key], path: [index, flaw.key] })
  })
}

/** A token that only its issuer can read does not say whose it is; shown to the wrong one it would be given away. */
function checkOneIsAsked({ value, issues }: Entries): void {
  const asked = value.flatMap(({ introspection }, index) => (introspection === undefined ? [] : [index]))
  const message = 'Only one issuer can be asked about tokens: these do not say whose they are. Take this one out.'
  for (const index of asked.slice(1))
    issues.push({ code: 'custom', message, input: value[index], path: [index, 'introspection'] })
}

export const issuers = z
  .array(issuer)
  .default([])
  .describe('Other authorization servers whose access tokens count here.')
  .check(unique('issuer', 'issuers'))
  .check(checkForms)
  .check(checkOneIsAsked)
