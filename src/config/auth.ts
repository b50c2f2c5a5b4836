// Who may knock, in which ways. More ways (issuers, proxy, mtls) join this section with their doors.
import { z } from 'zod'

export const auth = z.strictObject({
  anonymous: z
    .boolean()
    .default(false)
    .describe('Admit callers without a credential; also needs a rule naming `anonymous`.'),
  tokens: z.boolean().default(true).describe('Accept our own access tokens.'),
  clockTolerance: z
    .int()
    .min(0)
    .max(300)
    .default(60)
    .describe('Seconds of clock skew accepted from identity providers; our own tokens get none.'),
})
export type AuthConfig = z.output<typeof auth>
