// People's own accounts at the servers behind us, of both kinds: over OAuth, and by a secret they paste.
import type { CredentialsOf } from '../config/credentials.ts'
import type { UpstreamConfig } from '../config/servers.ts'
import type { Clock } from '../protocol/clock.ts'
import { type Connectable, type Connection, ConnectionRefused, type Connections } from '../protocol/connections.ts'
import type { ConnectionRecord, ConnectionRecords } from '../store/connections.ts'
import type { Tickets } from '../store/ephemeral.ts'
import { homeOf } from './home.ts'
import type { Lapse } from './lapse.ts'
import { takeAuthorization } from './oauth/authorize.ts'
import type { OAuthConnection } from './oauth/connections.ts'
import type { TokensHeld } from './oauth/tokens-held.ts'
import type { SecretConnections } from './secret-connections.ts'

interface Needs {
  readonly servers: readonly UpstreamConfig[]
  /** By server. */
  readonly oauth: ReadonlyMap<string, Pick<OAuthConnection, 'terms' | 'begin' | 'finish' | 'disconnect'>>
  readonly secrets: SecretConnections
  readonly held: Pick<TokensHeld, 'remove'>
  readonly records: Pick<ConnectionRecords, 'list'>
  readonly lapse: Lapse
  readonly tickets: Pick<Tickets, 'find' | 'take'>
  readonly clock: Clock
}

export function createConnections(needs: Needs): Connections {
  const { servers, oauth, secrets, held, records, lapse, tickets, clock } = needs
  const pasted = new Map(
    servers.flatMap((server) =>
      isSecret(server.credentials)
        ? [[server.id, { id: server.id, home: homeOf(server), prefix: server.credentials.prefix }]]
        : [],
    ),
  )
  const connectable = servers.flatMap(connectableOf)
  const kinds = new Map(connectable.map(({ server, kind }) => [server, kind]))

  /** Of a server that is not there any more: nobody is left to tell. */
  async function forget(principal: string, server: string): Promise<boolean> {
    const removed = await held.remove(principal, server)
    return (await secrets.disconnect(principal, server)) || removed
  }

  /** The configuration has made it a server whose credential is of the other kind: what was connected before is kept no longer. */
  async function checkedKind(found: ConnectionRecord): Promise<ConnectionRecord> {
    if ((kinds.get(found.server) ?? found.kind) === found.kind) return found
    if (found.state === 'connected') await lapse(found, 'kind_changed')
    return { ...found, state: 'needs_reauth' }
  }

  return {
    connectable: () => connectable,
    async list(principal) {
      const all = await records.list(principal)
      return Promise.all(all.map(async (found) => told(await checkedKind(found))))
    },
    async terms(principal, server) {
      return (oauth.get(server) ?? unknown()).terms(principal)
    },
    async begin(principal, server) {
      return (oauth.get(server) ?? unknown()).begin(principal)
    },
    async finish(principal, answer) {
      const pending = await takeAuthorization(principal, answer.searchParams, { tickets, clock })
      return (oauth.get(pending.upstream) ?? unknown()).finish(pending, answer)
    },
    async paste(principal, server, secret) {
      return secrets.paste(principal, pasted.get(server) ?? unknown(), secret)
    },
    async disconnect(principal, server) {
      if (pasted.has(server)) return secrets.disconnect(principal, server)
      return oauth.get(server)?.disconnect(principal) ?? forget(principal, server)
    },
  }
}

const isSecret = (credentials: UpstreamConfig['credentials']): credentials is CredentialsOf<'secret'> =>
  credentials.type === 'secret'

function connectableOf({ id, title = id, credentials }: UpstreamConfig): Connectable[] {
  if (credentials.type === 'oauth') return [{ server: id, title, kind: 'oauth' }]
  if (credentials.type !== 'secret') return []
  const asks = { title: credentials.title ?? `Secret for ${title}`, help: credentials.help }
  return [{ server: id, title, kind: 'secret', asks }]
}

/** What people are told of it, and no more. */
const told = (record: Omit<ConnectionRecord, 'asked' | 'wanted' | 'version'>): Connection => ({
  principal: record.principal,
  server: record.server,
  kind: record.kind,
  state: record.state,
  scopes: record.scopes,
  issuer: record.issuer,
  connectedAt: record.connectedAt,
  usedAt: record.usedAt,
})

function unknown(): never {
  throw new ConnectionRefused('server_not_connectable', 'There is no account to connect for this server.')
}
