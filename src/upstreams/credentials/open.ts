// Which kind of credential a server has. A failure of one is never met with another.
import type { CredentialsOf } from '../../config/credentials.ts'
import type { UpstreamConfig } from '../../config/servers.ts'
import { OperatorError } from '../../protocol/errors.ts'
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
import type { TokenEndpoint } from './token-endpoint.ts'
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

/** Throws OperatorError: a value that is not there, a key that is none. */
export async function openCredential(server: UpstreamConfig, needs: CredentialNeeds): Promise<Credential> {
  try {
    return await open(server, needs)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new OperatorError(`servers.${server.id}.credentials: ${cause.message}`, { cause })
  }
}

function open(server: UpstreamConfig, needs: CredentialNeeds): Credential | Promise<Credential> {
  const { id, name = id, credentials } = server
  switch (credentials.type) {
    case 'none':
      return noCredential
    case 'headers':
      return headersCredential(id, credentials, needs)
    case 'query':
      return queryCredential(id, credentials, needs)
    case 'client-credentials':
      return clientCredentials(credentials, needs)
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
  }
}

/** RFC 8707 §2: an address without a fragment. A child process has none, and its `resource` is written. */
function addressOf(server: UpstreamConfig): string | undefined {
  return 'url' in server ? server.url : undefined
}
