// What a server behind the gate is given as credential: one shape a kind. Never the token a caller came with, but under `caller`.
import { z } from 'zod'
import { headerName, headerValue } from './outgoing-headers.ts'
import { duration } from './units.ts'

const url = z.url({ protocol: /^https?$/ })
const scopes = z.array(z.string().min(1)).default([])
const secretText = z.string().min(1)

/** Where a value comes from that is not written here. Read again after `reload`. */
const source = z
  .strictObject({
    file: z.string().min(1).optional().describe('A file with it; a line break at its end does not count.'),
    env: z.string().min(1).optional().describe('A variable with it.'),
    vault: z.string().min(1).optional().describe('Its name in our own vault: `portcullis secrets put NAME`.'),
    prefix: z.string().default('').describe('Written before it, such as `Bearer `.'),
  })
  .refine(({ file, env, vault }) => [file, env, vault].filter((one) => one !== undefined).length === 1, {
    message: 'Write one of file, env and vault.',
  })
export type ValueSource = z.output<typeof source>

const VALUE_FORM = 'Write a value, or { file }, { env } or { vault }.'

const none = z.strictObject({ type: z.literal('none') })

const headers = z.strictObject({
  type: z.literal('headers'),
  headers: z
    .record(headerName, z.union([headerValue, source], VALUE_FORM))
    .meta({ secret: true, description: 'Headers sent to it, by name: a value, or where it is.' }),
  reload: duration('1m').describe('How often files and the vault are looked at again.'),
})

const query = z.strictObject({
  type: z.literal('query'),
  parameter: z
    .string()
    .regex(/^[A-Za-z0-9._~-]+$/, 'Letters, digits, dots, dashes and underscores.')
    .describe(
      'Name of the parameter in its address. Only where a server knows no other way: addresses are logged on the way.',
    ),
  value: z.union([secretText, source], VALUE_FORM).meta({ secret: true, description: 'The key, or where it is.' }),
  reload: duration('1m').describe('How often a file or the vault is looked at again.'),
})

/** RFC 6749 §2.3, RFC 7523 §2.2: how we prove to an authorization server who we are. */
const client = {
  clientId: z.string().min(1).describe('Our client id there.'),
  clientSecret: secretText.optional().meta({ secret: true, description: 'Our secret there.' }),
  privateKey: secretText
    .optional()
    .meta({ secret: true, description: 'Or our private key (PEM or JWK) for `private_key_jwt`.' }),
  clientAuth: z
    .enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'])
    .optional()
    .describe('How we prove who we are. Default: by what is given here and what the server’s metadata names.'),
}
const place = {
  issuer: url.optional().describe('Authorization server; its metadata says where tokens are.'),
  tokenUrl: url.optional().describe('Or its token endpoint itself.'),
}
const onePlace = [
  ({ issuer, tokenUrl }: { issuer?: string | undefined; tokenUrl?: string | undefined }) =>
    issuer !== undefined || tokenUrl !== undefined,
  { message: 'Write issuer or tokenUrl.' },
] as const

const oauth = z.strictObject({
  type: z.literal('oauth'),
  issuer: url
    .optional()
    .describe('Authorization server of the upstream. Default: the one its 401 leads to, kept once it is known.'),
  ...client,
  clientId: client.clientId
    .optional()
    .describe('Our client id there. Default: our metadata document, else registration (RFC 7591).'),
  scopes: scopes.describe('Asked for. Default: what its challenge or its resource document names.'),
  resource: z.string().min(1).optional().describe('`resource` (RFC 8707), where its own document names none.'),
  refreshAhead: duration('60s').describe('How long before its end a token is exchanged.'),
})

const clientCredentials = z
  .strictObject({
    type: z.literal('client-credentials'),
    ...place,
    ...client,
    scopes: scopes.describe('Asked for.'),
    resource: z.string().min(1).optional().describe('`resource` (RFC 8707).'),
    audience: z.string().min(1).optional().describe('`audience`, for servers that know that word.'),
  })
  .refine(...onePlace)

/** RFC 8693. */
const tokenExchange = z
  .strictObject({
    type: z.literal('token-exchange'),
    ...place,
    ...client,
    audience: z
      .string()
      .min(1)
      .optional()
      .describe('For whom the new token is; checked in it (`aud`). Default: the server’s `name`, else its id.'),
    resource: z.string().min(1).optional().describe('`resource` (RFC 8707), beside the audience.'),
    scopes: scopes.describe('Asked for.'),
    subject: z
      .enum(['presented', 'sign-in'])
      .default('presented')
      .describe(
        'Which token of the person is exchanged: the one they came with (from `auth.issuers`), or the one their provider gave at sign-in.',
      ),
    subjectTokenType: z.enum(['access_token', 'id_token', 'jwt']).default('access_token').describe('Its type.'),
    requestedTokenType: z.enum(['access_token', 'id_token', 'jwt']).optional().describe('Type asked for.'),
    checkAudience: z.boolean().default(true).describe('Refuse a new token that does not name the audience.'),
    cache: duration('5m').describe('Longest use of an exchanged token; never past its own end.'),
  })
  .refine(...onePlace)

const onBehalfOf = z
  .strictObject({
    type: z.literal('on-behalf-of'),
    ...place,
    ...client,
    scopes: scopes.describe('Such as `api://…/.default`.'),
    subject: z.enum(['presented', 'sign-in']).default('presented').describe('As under token-exchange.'),
    cache: duration('5m').describe('Longest use of a token; never past its own end.'),
  })
  .refine(...onePlace)

/** Identity Assertion JWT Authorization Grant: at the provider for an assertion, at the upstream’s server for a token. */
const idJag = z.strictObject({
  type: z.literal('id-jag'),
  provider: z
    .string()
    .min(1)
    .optional()
    .describe('Which of `identity.providers` gives the assertion. Default: the only one.'),
  issuer: url.describe('Authorization server of the upstream: audience of the assertion, and who gives the token.'),
  tokenUrl: url.optional().describe('Its token endpoint. Default: from its metadata.'),
  ...client,
  resource: z.string().min(1).optional().describe('The upstream as resource. Default: its address.'),
  scopes: scopes.describe('Asked for.'),
})

const secret = z.strictObject({
  type: z.literal('secret'),
  header: headerName.default('Authorization').describe('Header it is sent in.'),
  prefix: z.string().default('Bearer ').describe('Written before it.'),
  title: z.string().optional().describe('What people are asked for, such as `GitHub personal access token`.'),
  help: z.string().optional().describe('Where they find it; a sentence or a link.'),
})

/** HashiCorp Vault, a secret of each person’s. */
const hashicorpVault = z.strictObject({
  type: z.literal('vault'),
  url: url.describe('Address of HashiCorp Vault.'),
  namespace: z.string().optional().describe('Namespace of Vault Enterprise.'),
  login: z
    .union([
      z.strictObject({
        role: z.string().min(1).describe('Role of the JWT auth method.'),
        mount: z.string().default('jwt').describe('Where that method is mounted.'),
        with: z
          .enum(['assertion', 'presented'])
          .default('assertion')
          .describe('Our own signed assertion about the person, or the token they came with.'),
      }),
      z.strictObject({ token: secretText.meta({ secret: true, description: 'One token for all.' }) }),
      z.strictObject({ tokenFile: z.string().min(1).describe('A file with that token, read at each use.') }),
    ])
    .describe('How we may read there: as the person (JWT login), or with a token of ours.'),
  path: z
    .string()
    .regex(/^(?:[^{}]|\{(?:subject|email|identity|server)\})+$/, 'In braces: subject, email, identity or server.')
    .describe('Where it is, such as `secret/data/mcp-gateway/{subject}`; also {email}, {identity}, {server}.'),
  field: z.string().min(1).describe('Member of the secret’s data.'),
  header: headerName.default('Authorization').describe('Header it is sent in.'),
  prefix: z.string().default('Bearer ').describe('Written before it.'),
  cache: duration('5m').describe('How long what was read counts; refused by the server, it is read again at once.'),
})

const caller = z.strictObject({
  type: z.literal('caller'),
  header: headerName
    .default('X-Upstream-Authorization')
    .describe('Where callers write what this server gets as Authorization.'),
})

export const credentials = z
  .discriminatedUnion('type', [
    none,
    headers,
    query,
    oauth,
    clientCredentials,
    tokenExchange,
    onBehalfOf,
    idJag,
    secret,
    hashicorpVault,
    caller,
  ])
  .default({ type: 'none' })
  .describe(
    'What it is given; never the token a caller came with. `oauth` and `secret`: each person connects an account of their own.',
  )
export type CredentialsConfig = z.output<typeof credentials>
export type CredentialsOf<Type extends CredentialsConfig['type']> = Extract<CredentialsConfig, { type: Type }>

/** Those whose answer is another for each person. */
const PERSONAL: ReadonlySet<CredentialsConfig['type']> = new Set([
  'oauth',
  'token-exchange',
  'on-behalf-of',
  'id-jag',
  'secret',
  'vault',
  'caller',
])
export const isPersonal = ({ type }: Pick<CredentialsConfig, 'type'>): boolean => PERSONAL.has(type)
/** Those that whoever is nobody cannot have. What a caller sends along needs no name. */
export const needsPerson = (credentials: Pick<CredentialsConfig, 'type'>): boolean =>
  isPersonal(credentials) && credentials.type !== 'caller'
/** Those that a person connects on our pages. */
export const isConnected = ({ type }: Pick<CredentialsConfig, 'type'>): boolean => type === 'oauth' || type === 'secret'
