// Which client we are at an authorization server, and our registration there (RFC 7591) where it takes no document of ours.
import { createHash } from 'node:crypto'
import type { CredentialsOf } from '../../config/credentials.ts'
import type { Clock } from '../../protocol/clock.ts'
import { ConnectionRefused } from '../../protocol/connections.ts'
import { parseRecord } from '../../protocol/json.ts'
import type { SecretPlace, Vault } from '../../protocol/vault.ts'
import type { UpstreamClient, UpstreamClients } from '../../store/connections.ts'
import { type ClientConfig, clientProof, type ProveClient } from '../authorization-server/client-proof.ts'
import type { Fetch } from '../authorization-server/fetch.ts'
import { CLIENT_NAME, clientMetadata } from './client-document.ts'
import type { AuthorizationServer } from './metadata.ts'
import type { RedirectAddresses } from './redirect-addresses.ts'

export interface OAuthClient {
  readonly id: string
  readonly prove: ProveClient
}

/** As whom people are sent there, and where they come back to. */
export interface AuthorizingClient {
  readonly id: string
  readonly redirectUri: string
}

interface Needs {
  /** Id of the server behind us. */
  readonly id: string
  readonly config: CredentialsOf<'oauth'>
  readonly clients: UpstreamClients
  readonly vault: Pick<Vault, 'put' | 'get' | 'remove'>
  readonly ask: Fetch
  readonly addresses: RedirectAddresses
  /** Address of our metadata document; `undefined` where it could not be fetched, over plain http. */
  readonly document: string | undefined
  readonly clock: Clock
}

export interface ClientRegistry {
  /** The client for this authorization server; registers where there is none. Throws ConnectionRefused. */
  clientAt(server: AuthorizationServer): Promise<AuthorizingClient>
  /** The authorization server does not know it any more. `false`: it is not one that registering anew would mend. */
  forget(server: AuthorizationServer, clientId: string): Promise<boolean>
  /** The client a connection was made with, where it is still known. */
  findClient(server: AuthorizationServer, clientId: string): Promise<OAuthClient | undefined>
}

// A colon is in no server's id; none of the principals that have secrets is called like this.
const placeOf = (server: string, issuer: string, clientId: string): SecretPlace => ({
  principal: 'portcullis',
  upstream: `:client:${server}`,
  field: createHash('sha256').update(`${issuer} ${clientId}`).digest('base64url'),
})

/** Whose client the configured one is, where nobody wrote it. */
const ownerPlaceOf = (server: string, clientId: string): SecretPlace => ({
  principal: 'portcullis',
  upstream: `:client:${server}`,
  field: `issuer of ${clientId}`,
})

export function clientRegistry(needs: Needs): ClientRegistry {
  const { id, config, clients, vault, addresses, document, clock } = needs
  const running = new Map<string, Promise<AuthorizingClient>>()
  const { clientId } = config
  const configured = clientId === undefined ? undefined : clientOf({ ...config, clientId })
  const published = document === undefined ? undefined : clientOf({ clientId: document, clientAuth: 'none' })

  function clientOf(known: ClientConfig): OAuthClient {
    return { id: known.clientId, prove: clientProof(known, clock) }
  }

  const oursCalled = (clientId: string): OAuthClient | undefined =>
    [configured, published].find((client) => client?.id === clientId)

  /** `undefined`: our document would be safe at no address, or it takes none. */
  function documentAddress(server: AuthorizationServer): string | undefined {
    if (published === undefined || server.client_id_metadata_document_supported !== true) return undefined
    if (config.issuer !== undefined) return addresses.own
    return server.authorization_response_iss_parameter_supported === true ? addresses.shared : undefined
  }

  async function opened({ issuer, clientId, authMethod }: UpstreamClient): Promise<OAuthClient> {
    const secret = await vault.get(placeOf(id, issuer, clientId))
    return clientOf({ clientId, clientSecret: secret?.secret.toString(), clientAuth: methodOf(authMethod) })
  }

  async function registered(server: AuthorizationServer): Promise<AuthorizingClient> {
    const redirectUri = addresses.at(server.issuer)
    const kept = await clients.find(id, server.issuer, redirectUri)
    if (kept !== undefined && (kept.secretExpiresAt ?? Number.POSITIVE_INFINITY) > clock())
      return { id: kept.clientId, redirectUri }
    const { clientSecret, ...made } = await register(server, { ...needs, redirectUri })
    // The secret first: a row whose secret is not there yet would be used.
    if (clientSecret !== undefined)
      await vault.put(placeOf(id, server.issuer, made.clientId), Buffer.from(clientSecret))
    const record = { server: id, issuer: server.issuer, redirectUri, ...made, createdAt: clock() }
    const { clientId } = await clients.keep(record, kept?.clientId)
    return { id: clientId, redirectUri }
  }

  /** MCP 2026-07-28 (B18): what is known to one authorization server is for no other. The first one it was used at stays the only one. */
  async function checkOwner({ issuer }: AuthorizationServer, client: OAuthClient): Promise<void> {
    if (config.issuer !== undefined) return
    const place = ownerPlaceOf(id, client.id)
    await vault.put(place, Buffer.from(issuer), { expectedVersion: 0 })
    const owner = await vault.get(place)
    if (owner?.secret.toString() !== issuer)
      throw refused(
        'client_of_another',
        'This server leads to another authorization server than before. Tell whoever runs the gateway.',
      )
  }

  return {
    async clientAt(server) {
      if (configured !== undefined) {
        await checkOwner(server, configured)
        return { id: configured.id, redirectUri: addresses.own }
      }
      const address = documentAddress(server)
      if (address !== undefined && published !== undefined) return { id: published.id, redirectUri: address }
      // Many people who connect at once are one client.
      const underWay = running.get(server.issuer)
      if (underWay !== undefined) return underWay
      const begun = registered(server).finally(() => running.delete(server.issuer))
      running.set(server.issuer, begun)
      return begun
    },
    async forget({ issuer }, clientId) {
      if (oursCalled(clientId) !== undefined) return false
      await clients.forget({ server: id, issuer, clientId })
      await vault.remove(placeOf(id, issuer, clientId))
      return true
    },
    async findClient(server, clientId) {
      const ours = oursCalled(clientId)
      if (ours !== undefined) return ours
      const kept = await clients.findById(id, server.issuer, clientId)
      return kept && opened(kept)
    },
  }
}

type Registered = Pick<UpstreamClient, 'clientId' | 'authMethod' | 'secretExpiresAt'> & {
  readonly clientSecret: string | undefined
}

const METHODS = ['client_secret_basic', 'client_secret_post', 'none'] as const
type Method = (typeof METHODS)[number]

const isMethod = (value: unknown): value is Method => METHODS.some((method) => method === value)

function methodOf(stored: string): Method {
  if (isMethod(stored)) return stored
  throw new TypeError(`A stored registration has the unknown method ${stored}.`)
}

async function register(
  server: AuthorizationServer,
  { ask, document, redirectUri }: Needs & { readonly redirectUri: string },
): Promise<Registered> {
  const { registration_endpoint: endpoint } = server
  if (endpoint === undefined) {
    if (document !== undefined && server.client_id_metadata_document_supported === true) throw unsafeDocument()
    throw refused(
      'registration_unsupported',
      'The authorization server registers nobody: a client id has to be configured.',
    )
  }
  // RFC 8414 §2, RFC 7591 §2: a server that lists no methods takes `client_secret_basic`.
  const asked = server.token_endpoint_auth_methods_supported?.find(isMethod) ?? 'client_secret_basic'
  const body = JSON.stringify({
    ...clientMetadata({ name: CLIENT_NAME, redirectUris: [redirectUri] }),
    token_endpoint_auth_method: asked,
  })
  const answer = await ask(endpoint, { headers: { 'content-type': 'application/json' }, body })
  if (answer.status !== 201 && answer.status !== 200)
    throw refused('registration_refused', 'The authorization server did not register the gateway.')
  return parseRegistration(answer.body, asked)
}

/** RFC 7591 §3.2.1. */
function parseRegistration(body: Buffer, asked: Method): Registered {
  const answer = parseRecord(body.toString()) ?? {}
  const { client_id: id, client_secret: secret, token_endpoint_auth_method: given = asked } = answer
  const { client_secret_expires_at: expires } = answer
  if (typeof id !== 'string' || id === '' || !isSecret(secret) || !isMethod(given))
    throw refused('registration_malformed', 'The authorization server registered the gateway, and did not say as whom.')
  return {
    clientId: id,
    clientSecret: secret,
    // A method that needs a secret, and none was given: a public client.
    authMethod: secret === undefined ? 'none' : given,
    secretExpiresAt: typeof expires === 'number' && expires > 0 ? expires * 1000 : undefined,
  }
}

const isSecret = (value: unknown): value is string | undefined => value === undefined || typeof value === 'string'

/** RFC 9700 §4.4: its answers could not be told from those of others that take the same document. */
const unsafeDocument = () =>
  refused(
    'document_unsafe',
    'The authorization server does not say in its answers whose they are. Whoever runs the gateway has to write its address there.',
  )

const refused = (reason: string, message: string) => new ConnectionRefused(reason, message)
