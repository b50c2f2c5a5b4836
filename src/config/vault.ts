// The vault: which keys its secrets are sealed with, and where those are kept.
import { z } from 'zod'
import { unique } from './units.ts'

const id = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'Letters, digits, dots, dashes and underscores, at most 64.')
  .describe('Its name in the store, for ever: another key has another name.')

const WHICH =
  'Which key: ARN or alias (AWS), resource name (Google), identifier with its version (Azure), name (transit).'

/** Base64 or base64url of 32 bytes. */
const KEY = /^\s*[A-Za-z0-9+/_-]{43}=?\s*$/

const file = z.strictObject({
  id,
  type: z.literal('file'),
  path: z.string().min(1).describe('File with 32 random bytes in base64, as `openssl rand -base64 32` prints.'),
})

const env = z.strictObject({
  id,
  type: z.literal('env'),
  value: z
    .string()
    .check(({ value, issues }) => {
      // Without the input: a message must not repeat a secret.
      const message = 'Write 32 random bytes in base64, as `openssl rand -base64 32` prints.'
      if (!KEY.test(value)) issues.push({ code: 'custom', message, input: undefined })
    })
    .meta({ secret: true, description: 'The key itself, from a variable: `${NAME}`.' }),
})

const aws = z.strictObject({
  id,
  type: z.literal('aws-kms'),
  key: z.string().min(1).describe(WHICH),
  region: z.string().optional().describe('Default: as the SDK finds it.'),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Address of the service, where it is not the public one.'),
})

const gcp = z.strictObject({
  id,
  type: z.literal('gcp-kms'),
  key: z
    .string()
    .regex(
      /^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/,
      'Write projects/P/locations/L/keyRings/R/cryptoKeys/K.',
    )
    .describe(WHICH),
})

const azure = z.strictObject({
  id,
  type: z.literal('azure-key-vault'),
  key: z.url({ protocol: /^https$/ }).describe(WHICH),
  algorithm: z
    .enum(['RSA-OAEP-256', 'A256KW'])
    .default('RSA-OAEP-256')
    .describe('How it wraps; `A256KW` for a symmetric key of a managed HSM.'),
})

const transit = z
  .strictObject({
    id,
    type: z.literal('vault-transit'),
    url: z.url({ protocol: /^https?$/ }).describe('Address of HashiCorp Vault.'),
    mount: z
      .string()
      .regex(/^[A-Za-z0-9._/-]+$/, 'The path of the engine, such as transit.')
      .default('transit')
      .describe('Where the engine is mounted.'),
    key: z.string().min(1).describe(WHICH),
    namespace: z.string().optional().describe('Namespace of Vault Enterprise.'),
    token: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: 'Token that may encrypt and decrypt with the key; write `${NAME}`.' }),
    tokenFile: z.string().min(1).optional().describe('Or a file with it, read at each use: an agent may renew it.'),
  })
  .refine(({ token, tokenFile }) => (token === undefined) !== (tokenFile === undefined), {
    message: 'Write one of token and tokenFile.',
  })

export const vault = z.strictObject({
  keys: z
    .array(z.discriminatedUnion('type', [file, env, aws, gcp, azure, transit]))
    .default([])
    .describe(
      'Keys that wrap what is sealed: the first wraps, all unwrap. Default: `vault.key` beside the database file (else in `store.directory`), made at the first start.',
    )
    .check(unique('id', 'keys')),
})
export type VaultConfig = z.output<typeof vault>
export type VaultKeyConfig = VaultConfig['keys'][number]
