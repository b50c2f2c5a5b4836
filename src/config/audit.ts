// The record, the log and the numbers.
import { z } from 'zod'
import { isAddressRange } from './address-range.ts'
import { size } from './units.ts'

export const audit = z.strictObject({
  sink: z
    .array(z.enum(['store', 'stdout']))
    .min(1, 'Name store, stdout or both: a gate that records nothing does not run.')
    .default(['store', 'stdout'])
    .describe('Where every decision is written; `store` is what `portcullis audit` reads.'),
  spool: size('256mb').describe(
    'Most bytes of the record waiting for disk or store; beyond it calls are refused, never unrecorded.',
  ),
})
export type AuditConfig = z.output<typeof audit>

export const log = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least severe operational line that is written.'),
})
export type LogConfig = z.output<typeof log>

const READERS = ['loopback', 'private', 'trustedProxies']

export const metrics = z.strictObject({
  allow: z
    .array(
      z
        .string()
        .refine(
          (text) => READERS.includes(text) || isAddressRange(text),
          'Write loopback, private, trustedProxies, or a range such as 10.1.0.0/16.',
        ),
    )
    .default(READERS)
    .describe('Who may read /metrics: `loopback`, `private`, `trustedProxies` or CIDR ranges; others get 404.'),
  users: z
    .enum(['plain', 'hashed', 'off'])
    .default('plain')
    .describe('The `user` label of mcp_authenticated_requests_total; capped at 1,000 values, then `other`.'),
})
export type MetricsConfig = z.output<typeof metrics>
