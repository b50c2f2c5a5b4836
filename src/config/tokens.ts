// API tokens: how long they may live and how they are replaced.
import { z } from 'zod'
import { DECIDE_SCOPE } from '../protocol/resource.ts'
import { duration, optionalDuration } from './units.ts'

const DAY = 86_400_000
/** Longest life a preset allows, as the Portkey documentation advises. */
const PRESETS = { development: 30 * DAY, production: 7 * DAY, ci: DAY } as const

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

/** Scopes that a token can be bound to: those that a client could be granted, and the one for services that ask for decisions. */
export function tokenScopes({
  scopes,
  oauth,
}: {
  scopes: object
  oauth: { allowedScopes: readonly string[] }
}): string[] {
  const all = Object.keys(scopes)
  const allowed = all.filter((scope) => oauth.allowedScopes.includes(scope))
  // A list that names none of them speaks of identity alone.
  return [...(allowed.length === 0 ? all : allowed), DECIDE_SCOPE]
}

/** Milliseconds. */
export const longestTokenTtl = ({ maxTtl, preset }: TokensConfig): number => maxTtl ?? PRESETS[preset]
