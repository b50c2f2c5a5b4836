// Decision points outside: other systems that rules ask before they allow (`consult:` of a rule).
import { z } from 'zod'
import { headerName, headerValue } from './outgoing-headers.ts'
import { duration } from './units.ts'

const point = z.strictObject({
  type: z.enum(['opa', 'authzen']).describe('Open Policy Agent’s data API, or AuthZEN Authorization API 1.0.'),
  url: z
    .url({ protocol: /^https?$/ })
    .refine((url) => !/^https?:\/\/[^/?#]*@/.test(url), 'Write its secret under headers, not into its address.')
    .describe(
      'OPA: the rule’s own address, such as http://127.0.0.1:8181/v1/data/mcp/allow. AuthZEN: the access evaluation endpoint.',
    ),
  timeout: duration('500ms')
    .refine((ms) => ms > 0, 'Longer than 0, such as 500ms.')
    .describe('Longest wait for its answer; what comes later is a no.'),
  cache: duration('5s').describe('How long an answer counts for the same question; 0 asks every time.'),
  headers: z
    .record(headerName, headerValue)
    .default({})
    .meta({ secret: true, description: 'Sent with every question, such as `Authorization: Bearer ${OPA_TOKEN}`.' }),
})
export type DecisionPointConfig = z.output<typeof point>

export const decisionPoints = z
  .record(
    z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'Small letters, digits, dashes and underscores, at most 64.'),
    point,
  )
  .default({})
  .describe('Other systems that rules may ask: `{ NAME: { type: opa, url } }`. No answer is a no.')
export type DecisionPointsConfig = z.output<typeof decisionPoints>
