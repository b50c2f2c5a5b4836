// MCP's enterprise-managed authorization, as its client: an identity assertion from the person's own identity provider (RFC 8693), shown
// to the authorization server of the upstream for a token (RFC 7523 §2.1). Extension of MCP 2026-07-28, Identity Assertion JWT Grant.
import type { CredentialsOf } from '../../config/credentials.ts'
import { type TokenEndpoint, type TokenNeeds, tokenEndpoint } from '../authorization-server/token-endpoint.ts'
import { type Credential, CredentialFailed } from '../credential.ts'
import { bearerUntil } from './bearer.ts'
import { exchangedCredential } from './exchanged.ts'
import { JWT_BEARER } from './on-behalf-of.ts'
import { subjectOf } from './person.ts'
import type { SignIns } from './sign-in-tokens.ts'
import { TOKEN_EXCHANGE, tokenType } from './token-exchange.ts'

const ID_JAG = tokenType('id-jag')

interface Needs extends TokenNeeds {
  readonly signIns: SignIns
  /** Id of the provider, and its token endpoint. */
  readonly provider: readonly [id: string, endpoint: TokenEndpoint]
}

/** `url`: address of the upstream, if it has one. */
export function idJag(url: string | undefined, config: CredentialsOf<'id-jag'>, needs: Needs): Credential {
  const upstream = tokenEndpoint(config, needs)
  const [providerId, provider] = needs.provider
  const { issuer, resource = url, scopes } = config
  const scope = scopes.join(' ')

  async function assertionFor(idToken: string): Promise<string> {
    const { accessToken, issuedTokenType } = await provider.ask({
      grant_type: TOKEN_EXCHANGE,
      requested_token_type: ID_JAG,
      audience: issuer,
      resource,
      scope,
      subject_token: idToken,
      subject_token_type: tokenType('id_token'),
    })
    if (issuedTokenType !== ID_JAG)
      throw new CredentialFailed('bad_answer', 'The identity provider gave something else than an identity assertion.')
    return accessToken
  }

  return exchangedCredential(
    needs,
    (caller) => {
      const subject = subjectOf(caller)
      return { key: subject, read: () => needs.signIns.tokenOf(subject, providerId, 'id_token') }
    },
    async (idToken) => {
      const assertion = await assertionFor(idToken)
      return bearerUntil(await upstream.ask({ grant_type: JWT_BEARER, assertion, scope }), needs.clock())
    },
  )
}
