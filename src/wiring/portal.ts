// People's own connections in a browser, on the ground of the gateway; and the sign-in pages alone where no authorization server is open.
import { portal } from '../admin/portal/portal.ts'
import type { Visitor } from '../admin/portal/visitor.ts'
import { isConnected } from '../config/credentials.ts'
import { upstreamsOf } from '../config/servers.ts'
import type { Endpoint } from '../http/exchange.ts'
import { parseForm } from '../http/form.ts'
import { sessionCaller } from '../identity/browser-session.ts'
import { forPeople } from '../oauth/interaction/endpoints.ts'
import { vouchedName } from '../protocol/principal.ts'
import { CONNECTIONS_PATH, SIGN_IN_CLIENT, SIGNED_IN_PATH } from '../protocol/sign-in-client.ts'
import { connectionRequests } from '../tokens/connection-request.ts'
import type { Callers } from './callers.ts'
import type { Ground } from './ground.ts'
import type { McpDoor } from './mcp.ts'
import type { OAuthDoor } from './oauth.ts'

/** Nobody's session is longer than this look at it. */
const LOOK = 60_000

/** The person has another account there now, or none. */
export type ConnectionChanged = (subjects: readonly string[], server: string) => Promise<void>

export const connectionChanged =
  ({ vouching }: Pick<Callers, 'vouching'>, { forgetPrincipal }: Pick<McpDoor, 'forgetPrincipal'>): ConnectionChanged =>
  async (subjects, server) => {
    // What an issuer vouches for is looked up again: from now on it is this account.
    vouching.forget()
    for (const subject of subjects) await forgetPrincipal(server, subject)
  }

export function openPortal(
  ground: Ground,
  callers: Callers,
  oauth: OAuthDoor,
  onChanged: ConnectionChanged,
): (path: string) => Endpoint | undefined {
  const { config, clock, keyring, log, policy, recorder, store } = ground
  const { server, servers, doors } = config
  const isWanted = upstreamsOf(servers).some(({ credentials }) => isConnected(credentials))
  // Nobody can sign in here, unless for accounts.
  if (!isWanted && !doors.oauth) return () => undefined
  const { sealKeys } = keyring
  const { tickets, counters, marks } = store.ephemeral
  // The session was looked up a moment ago: what remains to be asked is whether the account may still come in.
  const callerOf = sessionCaller({ attributes: callers.attributes, isRevoked: () => false })

  async function findVisitor(subject: string): Promise<Visitor> {
    const now = clock()
    const principal = await callerOf({ subject, id: '', issuedAt: now, expiresAt: now + LOOK })
    const account = await callers.users.find(subject)
    // Before somebody has signed in here, an issuer of ours vouches for them under the name that it knows them by.
    return {
      principal,
      called: account?.identity ?? subject,
      subjects: account === undefined ? [subject] : [subject, vouchedName(account.issuer, account.identity)],
    }
  }

  const pages = portal({
    serverUrl: server.url,
    connections: ground.connections,
    requests: connectionRequests({ sealKeys, marks, clock }),
    tickets,
    counters,
    sealKeys,
    csrfKey: keyring.formSecret,
    clock,
    bodyTimeout: server.limits.bodyTimeout,
    findAccount: oauth.findAccount,
    findVisitor,
    sees: (principal, id) => policy.view(principal, id) !== 'none',
    onChanged,
    forPeople: (endpoint) => forPeople(endpoint, { serverUrl: server.url, recorder, log }),
  })
  const signIn = doors.oauth ? () => undefined : signInAlone(oauth, callers)
  return (path) => (isWanted || FOR_LEFT_OVERS.has(path) ? pages(path) : undefined) ?? signIn(path)
}

/** Accounts may be there from when some server wanted them. */
const FOR_LEFT_OVERS: ReadonlySet<string> = new Set([
  CONNECTIONS_PATH,
  `${CONNECTIONS_PATH}/disconnect`,
  SIGNED_IN_PATH,
])

const AUTHORIZE = '/oauth/authorize'

/** What brings a person to the sign-in pages and back, for our own client and no other. */
function signInAlone({ match }: OAuthDoor, { idps }: Callers): (path: string) => Endpoint | undefined {
  const fixed = new Set(['/logout', ...idps.offered.map(({ callback }) => callback)])
  const isPage = (path: string): boolean =>
    fixed.has(path) || path.startsWith('/interaction/') || path.startsWith(`${AUTHORIZE}/`)
  const authorize = match(AUTHORIZE)
  const ours: Endpoint = (exchange) => {
    const client = exchange.req.method === 'GET' && parseForm(Buffer.from(exchange.query)).get('client_id')
    if (client === SIGN_IN_CLIENT && authorize !== undefined) return authorize(exchange)
    exchange.res.writeHead(303, { Location: CONNECTIONS_PATH, 'Content-Length': 0 }).end()
  }
  return (path) => (path === AUTHORIZE ? ours : isPage(path) ? match(path) : undefined)
}
