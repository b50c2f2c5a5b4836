// What does not work through the gate, by decision or by nature: each with its reason, which the page prints. One that begins to work fails
// the test until it is struck out here.
import type { Feature } from './features.ts'

export interface Limit {
  readonly servers: readonly string[]
  readonly clients: 'all' | readonly string[]
  readonly features: readonly Feature[]
  readonly why: string
}

export const LIMITS: readonly Limit[] = [
  {
    servers: ['server-everything'],
    clients: ['SDK, 2026-07-28'],
    features: ['logging'],
    why: '*logging* of server-everything for a client of 2026-07-28: this server logs outside of any call, which that revision has no stream for (a log message belongs to a request).',
  },
]

export const limitOf = (server: string, client: string, feature: Feature): Limit | undefined =>
  LIMITS.find(
    ({ servers, clients, features }) =>
      servers.includes(server) && (clients === 'all' || clients.includes(client)) && features.includes(feature),
  )
