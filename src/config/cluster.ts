// More than one replica: where the others reach this one, for what lives in one process alone (a child, a held call).
import { z } from 'zod'

export const cluster = z
  .strictObject({
    advertise: z
      .url({ protocol: /^http$/ })
      .optional()
      .describe('Where the other replicas reach this one, such as http://10.0.3.7:4446. Default: nobody relays to it.'),
    listen: z
      .string()
      .optional()
      .describe('HOST:PORT of the listener for replicas alone. Default: the port of `advertise` on all addresses.'),
  })
  .describe('Requests that belong to a process of another replica are handed to it.')
export type ClusterConfig = z.output<typeof cluster>
