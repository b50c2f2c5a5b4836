// The signed list of what a caller may use, which Kuadrant's Authorino puts into a header: where it stands, and whose signature counts.
import { z } from 'zod'
import { capabilityKeyFlaw, isKeyText } from '../protocol/capability-key.ts'
import { duration, fieldName } from './units.ts'

const publicKey = z.string().check(({ value, issues }) => {
  const flaw = isKeyText(value) ? capabilityKeyFlaw(value) : undefined
  if (flaw !== undefined) issues.push({ code: 'custom', message: flaw, input: value })
})

export const capabilities = z.strictObject({
  header: fieldName
    .default('X-Mcp-Authorized')
    .describe(
      'Header with the list, a JWT signed with ES256, from `server.trustedProxies`. Its older name X-Authorized-Tools is read beside the default.',
    ),
  publicKey: publicKey
    .optional()
    .describe(
      'Public key that checks it: PEM text of an EC P-256 key, or the path of its file. Without one no list counts.',
    ),
  issuer: z.string().min(1).default('authorino').describe('Issuer that the list must name (`iss`).'),
  audience: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe('Audience that it must name, or one of them. Default: any.'),
  required: z
    .boolean()
    .default(false)
    .describe('Callers without a list may use no tool and no prompt. Default: they are not narrowed.'),
  clockTolerance: duration('5s').describe('Clock skew accepted from whoever signs.'),
})
export type CapabilitiesConfig = z.output<typeof capabilities>
