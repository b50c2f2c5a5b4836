// The authorization server with its pages, on the ground of the gateway.
import type { Endpoint, Exchange } from '../http/exchange.ts'
import { outboundFetch } from '../http/outbound.ts'
import { openAuthorizationServer } from '../oauth/authorization-server.ts'
import { interactionEndpoints } from '../oauth/interaction/endpoints.ts'
import { sealedTickets } from '../tokens/sealed-tickets.ts'
import type { Callers } from './callers.ts'
import type { Ground, Opened } from './ground.ts'

export interface OAuthDoor {
  match(path: string): Endpoint | undefined
  /** Account of the sign-in session in this browser. */
  findAccount(exchange: Exchange): Promise<string | undefined>
}

export function openOAuthDoor(ground: Ground, { isAdmitted, users, idps }: Callers, opened: Opened): OAuthDoor {
  const { config, store, keyring, recorder, clock, log } = ground
  const { durable, ephemeral } = store
  const authorization = openAuthorizationServer({
    config,
    durable,
    ephemeral,
    keyring,
    verifyOwnToken: ground.tokens.find,
    onRevocation: ground.revocations.poll,
    startedAt: ground.startedAt,
    resources: ground.resources,
    recorder,
    clock,
    log,
    isAdmitted,
    fetchPublic: outboundFetch({ allowLoopback: config.server.development, resolve: ground.names.resolvePublic }),
  })
  opened.push(authorization.close)
  const pages = interactionEndpoints({
    interactions: authorization.interactions,
    users,
    idps,
    serverUrl: config.server.url,
    csrfKey: keyring.formSecret,
    tickets: ephemeral.tickets,
    departures: sealedTickets(ephemeral.tickets, keyring.sealKeys),
    counters: ephemeral.counters,
    recorder,
    clock,
    log,
    limits: { bodyTimeout: config.server.limits.bodyTimeout },
  })
  return {
    match: (path) => authorization.match(path) ?? pages.match(path),
    findAccount: authorization.interactions.findAccount,
  }
}
