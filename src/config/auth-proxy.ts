// Identity from an authenticating proxy or an edge: which header says who is calling, and what proves it.
import { z } from 'zod'
import { duration, fieldName } from './units.ts'

/** Edges that sign what they say. */
export const SIGNING_PRESETS = ['cloudflare-access', 'aws-alb', 'google-iap', 'pomerium'] as const
const PLAIN_PRESETS = ['istio', 'oauth2-proxy', 'authelia', 'kong', 'azure-easyauth', 'tailscale'] as const
export const PRESETS = [...SIGNING_PRESETS, ...PLAIN_PRESETS] as const
export type EdgePreset = (typeof PRESETS)[number]
export type SigningPreset = (typeof SIGNING_PRESETS)[number]

export const proxy = z.strictObject({
  preset: z
    .enum(PRESETS, {
      // A list of presets is a misunderstanding that words can clear up: one place believes one edge.
      error: ({ input }) =>
        Array.isArray(input) || (typeof input === 'string' && /[\s,+]/.test(input))
          ? 'One preset only: two edges at once would let a caller choose who is believed. Give a server its own in servers[].auth.proxy.'
          : undefined,
    })
    .optional()
    .describe(
      'A known proxy or edge: its headers, and its signature where it makes one. For proxies that do not sign own header names go over it.',
    ),
  userHeader: fieldName
    .optional()
    .describe('Header that names the caller. Default: that of the preset, else X-Authenticated-User.'),
  emailHeader: fieldName.optional().describe('Header with the e-mail address, which the proxy has verified.'),
  nameHeader: fieldName.optional().describe('Header with the display name.'),
  groupsHeader: fieldName.optional().describe('Header with the groups.'),
  groupsSeparator: z.string().min(1).max(3).default(',').describe('What stands between two groups.'),
  issuer: z
    .string()
    .optional()
    .describe(
      'Issuer that the edge signs as (`iss`). Cloudflare: the team domain; Pomerium: the host of the route; AWS: the identity provider behind it.',
    ),
  audience: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe(
      'Audience that the signed assertion must name, or one of them. Cloudflare: the application tag (AUD); AWS: the client id of the load balancer.',
    ),
  signer: z.string().optional().describe('AWS ALB: ARN of the load balancer that must have signed.'),
  keys: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'Where the edge publishes its keys; AWS: the address under which they are. Default: where the preset’s edge does.',
    ),
  groupsClaim: z
    .string()
    .optional()
    .describe('Claim path of the groups. Default: `groups`; Cloudflare: `custom.groups`; Google: none.'),
  clockTolerance: duration('30s').describe('Clock skew accepted from the edge.'),
})
export type ProxyConfig = z.output<typeof proxy>
