// A token of our own for everybody: RFC 6749 §4.4, MCP's client credentials extension.
import type { CredentialsOf } from '../../config/credentials.ts'
import { type TokenNeeds, tokenEndpoint } from '../authorization-server/token-endpoint.ts'
import type { Credential } from '../credential.ts'
import { type Had, held } from '../held.ts'
import type { Given } from '../upstream.ts'
import { bearerUntil } from './bearer.ts'

export function clientCredentials(config: CredentialsOf<'client-credentials'>, needs: TokenNeeds): Credential {
  const endpoint = tokenEndpoint(config, needs)
  const { scopes, resource, audience } = config
  const token = held<Given>(needs)
  async function ask(): Promise<Had<Given>> {
    const form = { grant_type: 'client_credentials', scope: scopes.join(' '), resource, audience }
    return bearerUntil(await endpoint.ask(form), needs.clock())
  }
  return { personal: false, given: () => token.get(ask), renewed: (_caller, given) => token.replace(given, ask) }
}
