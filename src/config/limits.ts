// How much of what: rates, quotas and concurrency.
import { z } from 'zod'

export const limits = z
  .array(z.strictObject({ id: z.string().optional() }))
  .default([])
  .describe('`{ to: [subject …], match: server/tool, rate: 120/min }`.')
export type LimitConfig = z.output<typeof limits>[number]
