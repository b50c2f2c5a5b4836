// What the pages and their endpoints work with; the wiring hands it in whole, each endpoint takes its part.
import type { ActEvent, Recorder } from '../../audit/event.ts'
import type { Exchange } from '../../http/exchange.ts'
import { shown } from '../../http/html.ts'
import { requestIds } from '../../http/request-id.ts'
import type { IdentityProviders } from '../../identity/provider.ts'
import type { People } from '../../identity/users.ts'
import type { Log } from '../../observe/log.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { UserRecord } from '../../store/durable.ts'
import type { Ephemeral } from '../../store/ephemeral.ts'
import type { Interactions } from './flow.ts'

export interface InteractionNeeds {
  readonly interactions: Interactions
  readonly users: People
  readonly idps: IdentityProviders
  readonly serverUrl: string
  /** Secret of the forms' tokens. */
  csrfKey(): string
  readonly tickets: Ephemeral['tickets']
  /** Those of people on their way to a provider and back, which hold the secrets of that way: sealed. */
  readonly departures: Ephemeral['tickets']
  readonly counters: Ephemeral['counters']
  readonly recorder: Recorder
  readonly clock: Clock
  readonly log: Pick<Log, 'warn' | 'error'>
  readonly limits: { readonly bodyTimeout: number }
}

interface About {
  readonly subject?: string | undefined
  readonly email?: string | undefined
  readonly client?: string | undefined
  readonly resource?: string | undefined
}

const nextId = requestIds()
const acted = new WeakSet<Exchange>()

/** A record's id is its key: the first act of a request bears the request's own, so that explain finds it; a later one must not replace it. */
function actId(exchange: Exchange): string {
  if (acted.has(exchange)) return nextId(exchange.at)
  acted.add(exchange)
  return exchange.id
}

export function actOf(
  exchange: Exchange,
  act: { act: string; decision: 'allow' | 'deny'; reason: string },
  { subject, email, client, resource }: About = {},
): ActEvent {
  return {
    kind: 'act',
    id: actId(exchange),
    time: new Date(exchange.at).toISOString(),
    ...act,
    ...(subject !== undefined && { subject }),
    ...(email !== undefined && { email }),
    ...(client !== undefined && { client }),
    ...(resource !== undefined && { resource }),
    address: exchange.address,
  }
}

/** How a person is called on the pages. */
export const personName = (user: Pick<UserRecord, 'email' | 'name' | 'identity'> | undefined): string | undefined =>
  user && shown(user.email ?? user.name ?? user.identity, 120)

export const hostOf = (serverUrl: string): string => new URL(serverUrl).host
