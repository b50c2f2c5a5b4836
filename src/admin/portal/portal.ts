// The portal: a person's own connections, in a browser. Its addresses, by exact match.
import { assetEndpoints } from '../../http/assets.ts'
import type { Endpoint } from '../../http/exchange.ts'
import { formCookie } from '../../http/form-cookie.ts'
import { shown } from '../../http/html.ts'
import { postGuard } from '../../http/post-guard.ts'
import type { Connections } from '../../protocol/connections.ts'
import type { Principal } from '../../protocol/principal.ts'
import {
  CONNECT_PATH,
  CONNECTION_CALLBACK_PATH,
  CONNECTIONS_PATH,
  SIGNED_IN_PATH,
  TOKENS_PATH,
} from '../../protocol/sign-in-client.ts'
import type { Counters, Tickets } from '../../store/ephemeral.ts'
import type { ConnectionRequests } from '../../tokens/connection-request.ts'
import { connectEndpoint } from './connect.ts'
import { departures } from './departure.ts'
import { listEndpoints } from './list.ts'
import type { About } from './pages.ts'
import { returnEndpoints } from './return.ts'
import { type Visitor, type VisitorNeeds, visitors } from './visitor.ts'

export interface PortalNeeds extends VisitorNeeds {
  readonly connections: Connections
  readonly requests: ConnectionRequests
  readonly tickets: Tickets
  readonly counters: Counters
  /** Secret of the forms' tokens. */
  csrfKey(): string
  readonly bodyTimeout: number
  sees(principal: Principal, server: string): boolean
  /** The person has another account there now, or none. */
  onChanged(subjects: readonly string[], server: string): Promise<void>
  /** Under the gate's own name, and with refusals that are pages. */
  forPeople(endpoint: Endpoint): Endpoint
}

/** That of all servers, of one, and of one at an authorization server: upstreams/oauth/redirect-addresses.ts. */
const CALLBACK = new RegExp(`^${CONNECTION_CALLBACK_PATH}(?:/[a-z0-9][a-z0-9_-]{0,63}(?:/[A-Za-z0-9_-]{43})?)?$`)

export function portal(needs: PortalNeeds): (path: string) => Endpoint | undefined {
  const { serverUrl, csrfKey, bodyTimeout, tickets, clock, forPeople } = needs
  const host = new URL(serverUrl).host
  const about = ({ principal: { email, name }, called }: Visitor): About => ({
    host,
    person: shown(email ?? name ?? called, 120),
  })
  const parts = {
    ...needs,
    about,
    visitors: visitors(needs),
    departures: departures({ serverUrl, path: CONNECTION_CALLBACK_PATH, tickets, clock }),
    guard: postGuard({ csrfKey: () => csrfKey(), serverUrl, bodyTimeout }),
    cookie: formCookie(serverUrl),
  }
  const connect = connectEndpoint(parts)
  const { list, disconnect } = listEndpoints(parts)
  const { callback, connected, failed } = returnEndpoints(parts)
  const pages = new Map<string, Endpoint>([
    [CONNECTIONS_PATH, list],
    [CONNECT_PATH, connect],
    [TOKENS_PATH, connect],
    [`${CONNECTIONS_PATH}/disconnect`, disconnect],
    [`${CONNECTIONS_PATH}/connected`, connected],
    [`${CONNECTIONS_PATH}/failed`, failed],
    [SIGNED_IN_PATH, parts.visitors.signedIn],
  ])
  const all = new Map([...assetEndpoints, ...[...pages].map(([path, page]) => [path, forPeople(page)] as const)])
  const back = forPeople(callback)
  return (path) => all.get(path) ?? (CALLBACK.test(path) ? back : undefined)
}
