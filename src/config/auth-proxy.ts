// Identity from an authenticating proxy or an edge: which header says who is calling, and what proves it.
import { z } from 'zod'
import { duration, fieldName } from './units.ts'

/** Edges that sign what they say; each also in `SIGNING_PRESETS`. */
export const SIGNING_PRESETS = ['cloudflare-access', 'aws-alb', 'google-iap', 'pomerium'] as const
export const PLAIN_PRESETS = ['istio', 'oauth2-proxy', 'authelia', 'kong', 'azure-easyauth', 'tailscale'] as const
export const PRESETS = [...SIGNING_PRESETS, ...PLAIN_PRESETS] as const
export type EdgePreset = (typeof PRESETS)[number]

export const proxy = z.strictObject({
  preset: z
    .enum(PRESETS)
    .optional()
    .describe('A known edge: its headers, and its signature where it makes one. Own header names go over it.'),
  userHeader: fieldName
    .optional()
    .describe('Header that names the caller. Default: that of the preset, else X-Authenticated-User.'),
  emailHeader: fieldName.optional().describe('Header with the e-mail address, which the proxy has verified.'),
  nameHeader: fieldName.optional().describe('Header with the display name.'),
  groupsHeader: fieldName.optional().describe('Header with the groups.'),
  groupsSeparator: z.string().min(1).max(3).default(',').describe('What stands between two groups.'),
  issuer: z.string().optional().describe('Issuer that the edge signs as (`iss`); Cloudflare: the team domain.'),
  audience: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe('Audience that the signed assertion must name; Cloudflare: the application tag (AUD).'),
  signer: z.string().optional().describe('AWS ALB: ARN of the load balancer that must have signed.'),
  keys: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Where the edge publishes its keys. Default: where the preset’s edge does.'),
  groupsClaim: z.string().optional().describe('Claim path of the groups in a signed assertion.'),
  clockTolerance: duration('30s').describe('Clock skew accepted from the edge.'),
})
export type ProxyConfig = z.output<typeof proxy>
