// The decision door: forward-auth, Envoy ext_authz and AuthZEN for ingresses people already own.
import { z } from 'zod'
import { parseListen } from './listen.ts'
import { duration, fieldName } from './units.ts'

/** Addresses that answer everybody in their own way; those of MCP servers are told apart by who asks. */
const RESERVED =
  /^\/(?:oauth|api|admin|connections|health|healthz|livez|readyz|ready|metrics|callback|login|logout|interaction|setup|assets|authorize|token|register|gateway-oauth|exchange-code|refresh_token|user_info|is_token_valid|authz|access)(?:\/|$)/

const UNAUTHENTICATED = ['auto', 'challenge', 'redirect'] as const

const resource = z.strictObject({
  host: z
    .string()
    .regex(
      /^(?:\*\.)?[a-z0-9.-]+(?::\d+)?$/,
      'Write a host name in small letters, such as mcp.example.com or *.example.com.',
    )
    .describe('Host the ingress serves it under; `*.example.com` for every name one label below.'),
  path: z
    .string()
    .regex(/^\//, 'A path starts with a slash.')
    .default('/')
    .describe('Path it starts at, whole segments.'),
  server: z.string().optional().describe('Server whose rules hold there. Default: a name of its own, the host.'),
  scopes: z.array(z.string()).default([]).describe('Scopes a token must hold there.'),
  allowedEmails: z.array(z.string()).optional().describe('As identity.allowedEmails, there.'),
  unauthenticated: z.enum(UNAUTHENTICATED).optional().describe('As forwardAuth.unauthenticated, there.'),
})

export const forwardAuth = z.strictObject({
  path: z
    .string()
    .regex(/^(?:\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$/, 'Write a plain path with its slash, such as /sse.')
    .refine((path) => !RESERVED.test(path), 'This path is an address of the gate itself.')
    .optional()
    .describe('A second address of the check beside /auth (PROTECTED_PATH of mcpauth).'),
  resources: z
    .array(resource)
    .default([])
    .describe('What an ingress protects with the check: `{ host, path, server, scopes, … }`.'),
  unauthenticated: z
    .enum(UNAUTHENTICATED)
    .default('auto')
    .describe(
      'Without a credential: `auto` sends browsers to the sign-in and others a 401, `challenge` always 401, `redirect` always 302.',
    ),
  sessionTtl: duration('8h').describe('Lifetime of a browser’s cookie on a protected host.'),
  cookieName: fieldName.default('portcullis_forward').describe('Name of that cookie, without its `__Host-` prefix.'),
  grpc: z
    .string()
    .refine((text) => parseListen(text) !== undefined, 'Write HOST:PORT, such as 127.0.0.1:4445.')
    .optional()
    .describe(
      '`host:port` for Envoy ext_authz over gRPC (envoy.service.auth.v3), such as 127.0.0.1:4445; with TLS where `server.tls` is set. Default: closed.',
    ),
})
export type ForwardAuthResource = z.output<typeof resource>

export const doors = z.strictObject({
  oauth: z.boolean().default(true).describe('The authorization server.'),
  mcp: z.boolean().default(true).describe('The MCP servers behind the gate.'),
  decision: z.boolean().default(true).describe('Forward-auth, ext_authz, AuthZEN.'),
  admin: z.boolean().default(true).describe('The administration, /api.'),
})
