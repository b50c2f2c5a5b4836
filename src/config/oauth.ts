// The authorization server: clients, scopes, lifetimes.
import { z } from 'zod'
import { checkRedirectUri, RedirectUriError } from '../protocol/redirect-uri.ts'
import { clientSecret } from './client-secret.ts'
import { gatewayCallbacks } from './gateway-callbacks.ts'
import { duration, unique } from './units.ts'

function redirectUriFlaw(uri: string): string | undefined {
  try {
    checkRedirectUri(uri)
    return undefined
  } catch (error) {
    if (!(error instanceof RedirectUriError)) throw error
    // Said in the words of RFC 7591 elsewhere; here there is one URI, under its own line.
    return error.message.replace(/^redirect_uris: each /, 'A redirect URI ')
  }
}

const redirectUri = z.string().check(({ value, issues }) => {
  const message = redirectUriFlaw(value)
  if (message !== undefined) issues.push({ code: 'custom', message, input: value })
})

const client = z.strictObject({
  clientId: z.string().min(1).describe('Its client_id.'),
  clientSecret: clientSecret
    .optional()
    .meta({ secret: true, description: 'Secret of a confidential client; without one the client is public.' }),
  name: z.string().optional().describe('Name shown at consent. Default: the clientId.'),
  redirectUris: z.array(redirectUri).min(1).describe('Exact redirect URIs; on loopback the port is free.'),
})

export const oauth = z.strictObject({
  registration: z
    .strictObject({
      dynamic: z.boolean().default(true).describe('Dynamic client registration (RFC 7591).'),
      metadataDocuments: z.boolean().default(true).describe('Client ID metadata documents (CIMD).'),
      trustedHosts: z
        .array(z.string())
        .default([])
        .describe(
          'Hosts that may be redirect targets or hold client documents, `*.example.com` allowed. Empty: any. Loopback is always allowed.',
        ),
      perAddress: z.int().min(1).default(30).describe('Registrations per client address and hour.'),
      total: z.int().min(1).default(600).describe('Registrations in all per hour.'),
      clients: z.int().min(1).default(20_000).describe('Most registered clients at one time.'),
      neverUsedTtl: duration('24h').describe('A registered client that was never given a token expires after this.'),
    })
    .prefault({}),
  clients: z
    .array(client)
    .default([])
    .describe('Clients known from the start; they win over registered ones.')
    .check(unique('clientId', 'clients')),
  resource: z
    .url({ protocol: /^https?$/ })
    .refine((text) => !/[?#]/.test(text), 'A resource has no query and no fragment.')
    .optional()
    .describe(
      'Resource identity of the address `/mcp` (RFC 8707), also on another origin. `/mcp` then answers for the server, where exactly one is configured.',
    ),
  resourceName: z
    .string()
    .optional()
    .describe("`resource_name` of the protected-resource documents (RFC 9728). Default: each server's title."),
  scopesSupported: z
    .array(z.string())
    .default([])
    .describe('Scopes the protected-resource documents name beside those that cover the server.'),
  allowedScopes: z
    .array(z.string())
    .default([])
    .describe('Scopes a client may ask for; others are dropped from its request. Empty: all known ones.'),
  requiredScopes: z
    .array(z.string())
    .default([])
    .describe('Scopes every token must hold; missing ones are 403 insufficient_scope, and they are advertised.'),
  accessTokenTtl: duration('10m').describe('Lifetime of an access token (`expires_in`, RFC 6749 §5.1).'),
  codeTtl: duration('60s').describe('Lifetime of an authorization code.'),
  refreshToken: z
    .strictObject({
      idle: duration('30d').describe('A refresh token unused for this long ends.'),
      absolute: duration('90d').describe('No family outlives this.'),
      retryWindow: duration('30s').describe(
        'How long the previous refresh token, replayed while its successor is unused, gets the same successor again.',
      ),
    })
    .prefault({}),
  authorizationServers: z
    .array(z.url({ protocol: /^https?$/ }))
    .default([])
    .describe(
      'Authorization servers that the protected-resource documents name. Default: ours; those of auth.issuers where ours is closed (doors.oauth) or its tokens do not count (auth.tokens). Their tokens count when auth.issuers lists them.',
    ),
  gatewayCallbacks,
  signingKeyRotation: duration('30d').describe('A new signing key is published this often, one day before it signs.'),
})
export type OAuthConfig = z.output<typeof oauth>
