// People's accounts at the servers behind us, on the ground of the gateway; and our document as a client of theirs.
import { setTimeout as pause } from 'node:timers/promises'
import type { Recorder } from '../audit/event.ts'
import type { CredentialsOf } from '../config/credentials.ts'
import type { Config } from '../config/schema.ts'
import { type UpstreamConfig, upstreamsOf } from '../config/servers.ts'
import type { Endpoint } from '../http/exchange.ts'
import { leadsInside } from '../http/outbound.ts'
import { publicDocument } from '../http/public-document.ts'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Connections } from '../protocol/connections.ts'
import type { Tickets } from '../store/ephemeral.ts'
import type { Store } from '../store/store.ts'
import type { SealKey } from '../tokens/seal.ts'
import { sealedTickets } from '../tokens/sealed-tickets.ts'
import type { ConnectionAct } from '../upstreams/connection-act.ts'
import { createConnections } from '../upstreams/connections.ts'
import type { Credential } from '../upstreams/credential.ts'
import { oauthCredential } from '../upstreams/credentials/oauth.ts'
import { credentialMistake } from '../upstreams/credentials/open.ts'
import { secretCredential } from '../upstreams/credentials/secret.ts'
import { homeOf } from '../upstreams/home.ts'
import { createLapse, type Lapse } from '../upstreams/lapse.ts'
import { type Asks, askFrom } from '../upstreams/oauth/ask.ts'
import { CLIENT_DOCUMENT_PATH, clientDocument, clientDocumentUrl } from '../upstreams/oauth/client-document.ts'
import { type OAuthConnection, oauthConnection } from '../upstreams/oauth/connections.ts'
import { ownOrigin, probeChallenge } from '../upstreams/oauth/own-origin.ts'
import { redirectAddresses } from '../upstreams/oauth/redirect-addresses.ts'
import { tokensHeld } from '../upstreams/oauth/tokens-held.ts'
import { secretConnections } from '../upstreams/secret-connections.ts'
import type { Upstreams } from '../upstreams/upstream.ts'
import type { OpenVault } from '../vault/vault.ts'
import { credentialFetches } from './credential-fetches.ts'
import type { Names } from './names.ts'
import { ownActs } from './own-acts.ts'

interface Needs {
  readonly config: Config
  readonly store: Store
  readonly vault: OpenVault
  readonly keyring: { sealKeys(): readonly SealKey[] }
  readonly upstreams: Pick<Upstreams, 'get'>
  readonly names: Names
  readonly recorder: Pick<Recorder, 'act'>
  readonly clock: Clock
  readonly log: Log
}

export interface OpenConnections {
  readonly connections: Connections
  /** One that each person connects. */
  oauth(server: UpstreamConfig, config: CredentialsOf<'oauth'>): Credential
  secret(server: UpstreamConfig, config: CredentialsOf<'secret'>): Credential
}

/** Throws OperatorError with what has to be changed. */
export function openConnections(needs: Needs): OpenConnections {
  const { config, store, vault, clock, log } = needs
  const { connections: records } = store.durable
  const tickets = sealedTickets(store.ephemeral.tickets, needs.keyring.sealKeys)
  const servers = upstreamsOf(config.servers)
  const held = tokensHeld(vault)
  const record = ownActs(needs.recorder, clock)
  const warn = (detail: Record<string, unknown>, message: string) => log.warn(detail, message)
  const lapse = createLapse({ vault, records, record, warn })
  const open = connectionOpener({ ...needs, held, tickets, record, lapse, warn })
  const oauth = new Map<string, OAuthConnection>()
  for (const server of servers) {
    const { id, credentials } = server
    if (credentials.type === 'oauth')
      oauth.set(
        id,
        settled(id, () => open(server, credentials)),
      )
  }
  const onError = (error: unknown) => log.warn({ error }, 'the last use of a connection could not be noted')
  return {
    connections: createConnections({
      ...{ servers, oauth, held, records, lapse, tickets, clock },
      secrets: secretConnections({ vault, records, clock, record }),
    }),
    oauth(server, { refreshAhead }) {
      const { id } = server
      const connection = oauth.get(id)
      if (connection === undefined) throw new TypeError('its kind is not oauth')
      const home = homeOf(server)
      return oauthCredential({ id, home, refreshAhead, connection, records, held, lapse, clock, pause, onError })
    },
    secret: (server, given) =>
      secretCredential(server.id, given, { home: homeOf(server), vault, records, lapse, clock, onError }),
  }
}

function settled<Result>(server: string, open: () => Result): Result {
  try {
    return open()
  } catch (cause) {
    throw credentialMistake(server, cause)
  }
}

function connectionOpener(
  needs: Needs & {
    held: ReturnType<typeof tokensHeld>
    tickets: Tickets
    lapse: Lapse
    record(act: ConnectionAct): Promise<void>
    warn(detail: Record<string, unknown>, message: string): void
  },
) {
  const { config, store, vault, upstreams, names, clock, held, tickets, record, lapse, warn } = needs
  const { url: serverUrl, development } = config.server
  const asks: Asks = {
    ...credentialFetches(names, { allowLoopback: development }),
    leadsInside: (url) => leadsInside(url, names.resolve),
  }

  return (server: UpstreamConfig, credentials: CredentialsOf<'oauth'>): OAuthConnection => {
    const { id } = server
    const url = 'url' in server ? server.url.replace(/^ws/, 'http') : undefined
    const known = upstreams.get(id)
    const own = known?.kind === 'remote' ? ownOrigin(known.pool) : undefined
    const written = [credentials.issuer].filter((issuer) => issuer !== undefined)
    const addresses = 'url' in server ? server.addresses : undefined
    const ask = askFrom({ upstream: url, addresses, own, written, asks })
    return oauthConnection({
      ...{ id, url, home: homeOf(server), config: credentials, ask, vault, held, tickets, clock, development },
      ...{ record, lapse, warn, pause },
      probe: async () => (url === undefined ? undefined : probeChallenge(url, ask)),
      records: store.durable.connections,
      clients: store.durable.upstreamClients,
      addresses: redirectAddresses(serverUrl, id),
      clientDocument: clientDocumentUrl(serverUrl),
    })
  }
}

/** OAuth Client ID Metadata Document: whoever is asked for access by us reads here who we are. */
export function clientDocumentEndpoint({ servers, server: { url } }: Config): (path: string) => Endpoint | undefined {
  const ours = upstreamsOf(servers).flatMap(({ id, credentials }) =>
    credentials.type === 'oauth' ? [{ id, credentials }] : [],
  )
  const written = ours.flatMap(({ id, credentials: { issuer } }) => (issuer === undefined ? [] : [id]))
  const endpoint = publicDocument(() => clientDocument(url, written))
  return (path) => (ours.length > 0 && path === CLIENT_DOCUMENT_PATH ? endpoint : undefined)
}
