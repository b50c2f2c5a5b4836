// More than one replica: where the others reach this one, for what lives in one process alone (a child, a held call).
import { z } from 'zod'
import { parseListen } from './listen.ts'
import type { StoreConfig } from './store.ts'

/** The listener has one address, and nobody signs in there. */
const isOrigin = (text: string): boolean => URL.parse(text)?.origin === text.replace(/\/$/, '')

export const cluster = z
  .strictObject({
    advertise: z
      .url({ protocol: /^http$/ })
      .refine(isOrigin, 'Write http://HOST:PORT and nothing behind it, such as http://10.0.3.7:4446.')
      .optional()
      .describe('Where the other replicas reach this one, such as http://10.0.3.7:4446. Default: nobody relays to it.'),
    listen: z
      .string()
      .refine((text) => parseListen(text) !== undefined, 'Write HOST:PORT, such as 10.0.3.7:4446.')
      .optional()
      .describe('HOST:PORT of the listener for replicas alone. Default: the port of `advertise` on all addresses.'),
  })
  .refine(({ advertise, listen }) => listen === undefined || advertise !== undefined, {
    path: ['listen'],
    message: 'Nobody finds this listener without `advertise`, the address that other replicas reach it at.',
  })
  .describe('Requests that belong to a process of another replica are handed to it.')
export type ClusterConfig = z.output<typeof cluster>

/** Replicas know each other, and everything else, from the store. */
export function clusterWarnings({
  cluster,
  store,
}: {
  cluster: ClusterConfig
  store: Pick<StoreConfig, 'url'>
}): string[] {
  if (cluster.advertise === undefined || !store.url.startsWith('sqlite:')) return []
  return [
    'cluster.advertise is set and store.url is SQLite: a database file serves one gate, so that no other replica will ever find this one. Give all replicas one PostgreSQL (store.url: postgres://…), or take cluster.advertise away.',
  ]
}
