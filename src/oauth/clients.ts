// Registered clients (RFC 7591) as the library reads and writes them, and the configured ones that win over them.
import type { Adapter, AdapterPayload, ClientMetadata } from 'oidc-provider'
import type { OAuthConfig } from '../config/oauth.ts'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import { OperatorError } from '../protocol/errors.ts'
import { checkRedirectUri, RedirectUriError } from '../protocol/redirect-uri.ts'
import type { Durable } from '../store/durable.ts'
import type { Acts } from './acts.ts'
import { temporarilyUnavailable } from './answers.ts'
import { currentCall } from './call.ts'
import { hashClientSecret, storedClientSecret } from './client-secret.ts'
import { parsePayload } from './payload.ts'
import { isSignInClient } from './sign-in-client.ts'

interface Needs {
  readonly clients: Durable['clients']
  readonly revocations: Durable['revocations']
  /** What is a client by the configuration alone. */
  findUnstored(id: string): AdapterPayload | undefined
  readonly clock: Clock
  readonly neverUsedTtl: number
  readonly accessTokenTtl: number
  onRevocation(): Promise<void>
  readonly acts: Acts
  readonly log: Pick<Log, 'error'>
}

export function clientAdapter({
  clients,
  revocations,
  findUnstored,
  clock,
  neverUsedTtl,
  accessTokenTtl,
  onRevocation,
  acts,
  log,
}: Needs): Adapter {
  /** Before the act: what cannot be recorded is not done. */
  async function record(act: 'client_updated' | 'client_deleted', client: string): Promise<void> {
    try {
      await acts.record({ act, decision: 'allow', reason: 'managed_by_client', client })
    } catch (error) {
      log.error({ error }, 'a change of a client could not be recorded and is not made')
      throw temporarilyUnavailable()
    }
  }

  return {
    async upsert(id, metadata) {
      const { client_secret: secret, ...rest } = metadata
      const stored = secret === undefined ? rest : { ...rest, client_secret: storedClientSecret(secret) }
      const known = await clients.find(id)
      if (known) await record('client_updated', id)
      await clients.save({ id, metadata: stored, createdAt: known?.createdAt ?? clock() })
    },
    async find(id) {
      const unstored = findUnstored(id)
      if (unstored) return unstored
      const record = await clients.find(id)
      if (!record) return undefined
      if (record.usedAt === undefined && record.createdAt + neverUsedTtl <= clock()) return undefined
      const call = currentCall()
      if (call) call.client = record
      return parsePayload(record.metadata)
    },
    async destroy(id) {
      await record('client_deleted', id)
      const now = clock()
      await clients.remove(id)
      // RFC 7592 §2.3: its tokens should die with it. Refresh tokens do, since the client is not found any more.
      await revocations.add({ kind: 'client', value: id, at: now, expiresAt: now + accessTokenTtl + 60_000 })
      await onRevocation()
    },
    async consume() {},
    async revokeByGrantId() {},
    async findByUid() {},
    async findByUserCode() {},
  }
}

/** Clients of the configuration. A redirect URI that could not be used stops the start. */
export function configuredClients(clients: OAuthConfig['clients']): ClientMetadata[] {
  return clients.map(({ clientId, clientSecret, name, redirectUris }) => {
    if (isSignInClient(clientId))
      throw new OperatorError(`oauth.clients: ${clientId} is the gate’s own client. Choose another clientId.`)
    for (const uri of redirectUris) checkConfigured(clientId, uri)
    if (clientSecret !== undefined) checkSecret(clientId, clientSecret)
    return {
      client_id: clientId,
      client_name: name ?? clientId,
      redirect_uris: [...redirectUris],
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...(clientSecret === undefined
        ? { token_endpoint_auth_method: 'none' }
        : { token_endpoint_auth_method: 'client_secret_basic', client_secret: hashClientSecret(clientSecret) }),
    }
  })
}

const SHORTEST_SECRET = 16
const FEWEST_CHARACTERS = 8
/** What stands in documentation in place of a secret. */
const PLACEHOLDER = /change[-_ ]?me|placeholder|passw|your[-_ ]|example|^<.*>$|1234567/i

/** RFC 6749 §10.10: whoever guesses it is the client. */
function checkSecret(clientId: string, secret: string): void {
  const varied = new Set(secret).size >= FEWEST_CHARACTERS
  if (secret.trim().length >= SHORTEST_SECRET && varied && !PLACEHOLDER.test(secret)) return
  throw new OperatorError(
    `oauth.clients: the clientSecret of ${clientId} can be guessed. Write at least 16 random characters, such as \`openssl rand -base64 32\` prints.`,
  )
}

function checkConfigured(clientId: string, uri: string): void {
  try {
    checkRedirectUri(uri)
  } catch (error) {
    if (!(error instanceof RedirectUriError)) throw error
    throw new OperatorError(`oauth.clients: ${clientId} cannot use ${uri}: ${error.message}.`)
  }
}
