// API tokens: how long they may live and how they are replaced.
import { z } from 'zod'
import { duration, optionalDuration } from './units.ts'

/** Longest life a preset allows, as the seeds advise. */
export const TOKEN_PRESETS = { development: '30d', production: '7d', ci: '24h' } as const

export const tokens = z.strictObject({
  preset: z
    .enum(['development', 'production', 'ci'])
    .default('production')
    .describe('Longest life of an API token: development 30 d, production 7 d, ci 24 h.'),
  maxTtl: optionalDuration().describe('Longest life of an API token, in place of the preset’s.'),
  expiresSoon: duration('24h').describe('An event is recorded this long before a token ends.'),
  transition: duration('30m').describe(
    'After a rotation the old secret works this long, unless the request says otherwise.',
  ),
  perPrincipal: z.int().min(1).default(50).describe('Most live tokens of one person or service.'),
  failures: z
    .int()
    .min(1)
    .default(60)
    .describe('Unknown or wrong tokens per client network and minute, before it has to wait.'),
})
export type TokensConfig = z.output<typeof tokens>
