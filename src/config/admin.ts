// Who may administer, and the local administrator that the environment can name (BASIC_AUTH_* of ContextForge).
import { z } from 'zod'

export const admin = z.strictObject({
  required: z
    .boolean()
    .default(true)
    .describe('Ask for a sign-in at the administration. `false` is honoured on loopback only.'),
  user: z.string().min(1).optional().describe('Name of a local administrator, for as long as it is set.'),
  password: z.string().optional().meta({ secret: true, description: 'Password of that administrator.' }),
})
export type AdminConfig = z.output<typeof admin>
