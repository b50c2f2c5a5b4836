// What the pages and their endpoints work with; the wiring hands it in whole, each endpoint takes its part.
import type { ActEvent, Recorder } from '../../audit/event.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { IdentityProviders } from '../../identity/provider.ts'
import type { People } from '../../identity/users.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { UserRecord } from '../../store/durable.ts'
import type { Ephemeral } from '../../store/ephemeral.ts'
import type { Interactions } from './flow.ts'
import { shown } from './html.ts'

export interface InteractionNeeds {
  readonly interactions: Interactions
  readonly users: People
  readonly idps: IdentityProviders
  readonly serverUrl: string
  /** Secret of the forms' tokens. */
  csrfKey(): string
  readonly tickets: Ephemeral['tickets']
  readonly counters: Ephemeral['counters']
  readonly recorder: Recorder
  readonly clock: Clock
  readonly log: PageLog
  readonly limits: { readonly bodyTimeout: number }
}

export interface PageLog {
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

interface About {
  readonly subject?: string | undefined
  readonly email?: string | undefined
  readonly client?: string | undefined
  readonly resource?: string | undefined
}

export function actOf(
  exchange: Exchange,
  act: { act: string; decision: 'allow' | 'deny'; reason: string },
  { subject, email, client, resource }: About = {},
): ActEvent {
  return {
    kind: 'act',
    id: exchange.id,
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

export const baseOf = (serverUrl: string): string => serverUrl.replace(/\/+$/, '')
export const hostOf = (serverUrl: string): string => new URL(serverUrl).host
