// How much of what: rates, quotas and concurrency.
import { z } from 'zod'
import { parseRate, RATE, RATE_FORM } from '../protocol/rate.ts'
import { SUBJECT, SUBJECT_FORM, TARGET, TARGET_FORM } from '../protocol/rule-words.ts'
import { distinctIds, withIds } from './entry-ids.ts'

/** What a limit is counted for. */
const COUNTED = ['principal', 'client', 'token', 'server', 'tool'] as const
export type Counted = (typeof COUNTED)[number]

const YEAR = 365 * 86_400_000

const COUNTED_FORM = `Write one or more of ${COUNTED.join(', ')}.`
const counted = z.enum(COUNTED, { error: COUNTED_FORM })

const limit = z
  .strictObject({
    id: z.string().min(1).max(255).optional().describe('Its name in log and record. Default: `limit-N`, by its place.'),
    to: z
      .array(z.string().regex(SUBJECT, SUBJECT_FORM))
      .min(1)
      .default(['*', 'anonymous'])
      .describe('Whose calls count: subjects as in `policy.rules`. Default: everybody’s.'),
    match: z
      .string()
      .regex(TARGET, TARGET_FORM)
      .default('*/*')
      .describe(
        'What counts: `server/tool`, `prompt:server/name`, `resource:server/uri`; `server/*` for all three; `method:server/method` for messages by their JSON-RPC method.',
      ),
    rate: z
      .string()
      .regex(RATE, RATE_FORM)
      .transform(parseRate)
      .optional()
      .describe('Calls in a time, evenly: `120/min`; times are s, min, h and day.'),
    burst: z
      .int()
      .min(1)
      .max(999_999_999)
      .optional()
      .describe('Calls of `rate` that may come at once. Default: all of one time.'),
    quota: z
      .string()
      .regex(/^[1-9]\d{0,8}\/(?:h|d|day)$/, 'Write a number and h or day, such as 5000/day.')
      .transform(parseRate)
      .optional()
      .describe('Calls in an hour or day of UTC: `5000/day`. Kept in the store.'),
    concurrent: z.int().min(1).optional().describe('Calls under way at once, on one replica.'),
    per: z
      .union([counted.transform((one) => [one]), z.array(counted).min(1)], { error: COUNTED_FORM })
      .default(['principal'])
      .describe(
        'Each of these, or of their combinations, has its own count: `principal`, `client`, `token`, `server`, `tool`.',
      ),
  })
  .refine(({ rate, quota, concurrent }) => (rate ?? quota ?? concurrent) !== undefined, {
    message: 'It limits nothing. Write rate, quota or concurrent.',
  })
  .refine(({ rate, burst }) => burst === undefined || rate !== undefined, {
    path: ['burst'],
    message: 'It says how much of a rate may come at once. Write rate.',
  })
  .refine(({ rate, burst = 0 }) => rate === undefined || (burst * rate.window) / rate.most <= YEAR, {
    path: ['burst'],
    message: 'It is more than the rate brings in a year.',
  })

export const limits = z
  .array(limit)
  .default([])
  .describe(
    'How much of what: `{ to: [subject …], match: server/tool, rate: 120/min }`. All that speak of a call must hold.',
  )
  .check(distinctIds('limit'))
  .transform(withIds('limit'))
export type LimitConfig = z.output<typeof limits>[number]
