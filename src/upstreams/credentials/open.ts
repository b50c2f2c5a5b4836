// Which kind of credential a server has. A failure of one is never met with another.
import type { CredentialsOf } from '../../config/credentials.ts'
import type { UpstreamConfig } from '../../config/servers.ts'
import { OperatorError } from '../../protocol/errors.ts'
import type { TokenEndpoint, TokenNeeds } from '../authorization-server/token-endpoint.ts'
import type { Credential } from '../credential.ts'
import { callerCredential } from './caller.ts'
import { clientCredentials } from './client-credentials.ts'
import { hashicorpVault, type VaultNeeds } from './hashicorp-vault.ts'
import { headersCredential } from './headers.ts'
import { idJag } from './id-jag.ts'
import { noCredential } from './none.ts'
import { onBehalfOf } from './on-behalf-of.ts'
import { queryCredential } from './query.ts'
import type { SubjectNeeds } from './subject-token.ts'
import { tokenExchange } from './token-exchange.ts'
import type { SourceNeeds } from './value-source.ts'

export interface CredentialNeeds extends VaultNeeds, SubjectNeeds, SourceNeeds {
  /** Token endpoint of an identity provider, as its client; without an id that of the only one. */
  providerOf(id: string | undefined): readonly [id: string, endpoint: TokenEndpoint]
  /** An account that each person connects. */
  oauth(server: UpstreamConfig, config: CredentialsOf<'oauth'>): Credential
  /** A secret that each person pastes. */
  secret(server: UpstreamConfig, config: CredentialsOf<'secret'>): Credential
}

type Opening<Opened> = Opened | Promise<Opened>

/** Throws OperatorError: a value that is not there, a key that is none. */
export const openCredential = (server: UpstreamConfig, needs: CredentialNeeds): Promise<Credential> =>
  withPlace(server, async () => (await openShared(server, needs)) ?? openPersonal(server, needs))

/** As `openCredential`, of the kinds that are one for everybody; `undefined` for the others. */
export const openSharedCredential = (
  server: UpstreamConfig,
  needs: TokenNeeds & SourceNeeds,
): Promise<Credential | undefined> => withPlace(server, async () => openShared(server, needs))

async function withPlace<Opened>({ id }: UpstreamConfig, open: () => Promise<Opened>): Promise<Opened> {
  try {
    return await open()
  } catch (cause) {
    throw credentialMistake(id, cause)
  }
}

/** A mistake in the configuration (TypeError) as the operator is told it, with its place; another error stays what it is. */
export const credentialMistake = (server: string, cause: unknown): unknown =>
  cause instanceof TypeError ? new OperatorError(`servers.${server}.credentials: ${cause.message}`, { cause }) : cause

function openShared(
  { id, credentials }: UpstreamConfig,
  needs: TokenNeeds & SourceNeeds,
): Opening<Credential | undefined> {
  switch (credentials.type) {
    case 'none':
      return noCredential
    case 'headers':
      return headersCredential(id, credentials, needs)
    case 'query':
      return queryCredential(id, credentials, needs)
    case 'client-credentials':
      return clientCredentials(credentials, needs)
    default:
      return undefined
  }
}

function openPersonal(server: UpstreamConfig, needs: CredentialNeeds): Credential {
  const { id, name = id, credentials } = server
  switch (credentials.type) {
    case 'token-exchange':
      return tokenExchange(name, credentials, needs)
    case 'on-behalf-of':
      return onBehalfOf(credentials, needs)
    case 'id-jag':
      return idJag(addressOf(server), credentials, { ...needs, provider: needs.providerOf(credentials.provider) })
    case 'vault':
      return hashicorpVault(name, credentials, needs)
    case 'caller':
      return callerCredential(credentials)
    case 'oauth':
      return needs.oauth(server, credentials)
    case 'secret':
      return needs.secret(server, credentials)
    default:
      throw new TypeError(`${credentials.type} is one for everybody`)
  }
}

/** RFC 8707 §2: an address without a fragment. A child process has none, and its `resource` is written. */
function addressOf(server: UpstreamConfig): string | undefined {
  return 'url' in server ? server.url : undefined
}
