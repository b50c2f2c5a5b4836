// The address /mcp: all servers as one.
import { z } from 'zod'
import { duration } from './units.ts'

export const aggregate = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether /mcp shows all servers that the caller may see as one.'),
  naming: z
    .enum(['prefix', 'conflict', 'none'])
    .default('prefix')
    .describe(
      'Names of tools and prompts there: always with the prefix of their server, only where two servers have the same name, or as they are (the same name twice is then left out).',
    ),
  separator: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,4}$/, 'One to four of letters, digits, _, . and -.')
    .default('__')
    .describe('Between the prefix and the name, where `servers[].prefix` does not say otherwise.'),
  timeout: duration('5s').describe('Longest wait for the list of one server; who is later is left out, and told of.'),
  ttl: duration('60s').describe('How long the list of a server counts when the server itself does not say.'),
})
export type AggregateConfig = z.output<typeof aggregate>
