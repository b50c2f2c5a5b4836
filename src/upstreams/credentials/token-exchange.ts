// Token exchange at the company's own authorization server: RFC 8693, with the form that the sample of Kuadrant's gateway sends.
import type { CredentialsOf } from '../../config/credentials.ts'
import { type TokenNeeds, tokenEndpoint } from '../authorization-server/token-endpoint.ts'
import { type Credential, CredentialFailed } from '../credential.ts'
import { unverifiedClaims } from '../unverified-claims.ts'
import { bearerUntil } from './bearer.ts'
import { exchangedCredential } from './exchanged.ts'
import { type SubjectNeeds, subjectToken } from './subject-token.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
/** RFC 8693 §3. */
export const tokenType = (name: string) => `urn:ietf:params:oauth:token-type:${name}`

/** `name`: what the server is called in claims and audiences. */
export function tokenExchange(
  name: string,
  config: CredentialsOf<'token-exchange'>,
  needs: TokenNeeds & SubjectNeeds,
): Credential {
  const endpoint = tokenEndpoint(config, needs)
  const { audience = name, resource, scopes, subject, subjectTokenType, requestedTokenType, checkAudience } = config
  const type = subjectTokenType === 'id_token' ? 'id_token' : 'access_token'
  const subjectOf = subjectToken({ subject, type, issuer: config.issuer }, needs)
  return exchangedCredential(needs, subjectOf, async (token) => {
    const answer = await endpoint.ask({
      grant_type: TOKEN_EXCHANGE,
      subject_token: token,
      subject_token_type: tokenType(subjectTokenType),
      requested_token_type: requestedTokenType && tokenType(requestedTokenType),
      audience,
      resource,
      scope: scopes.join(' '),
    })
    if (checkAudience) checkNames(answer.accessToken, audience)
    return bearerUntil(answer, needs.clock(), config.cache)
  })
}

/** A server that ignores `audience` gives a token that is good elsewhere, too: it goes nowhere. */
function checkNames(token: string, audience: string): void {
  const claims = unverifiedClaims(token)
  if (claims === undefined)
    throw new CredentialFailed(
      'opaque_token',
      'The new token is no JWT, so nobody can see whom it is for. Set checkAudience: false to send it on all the same.',
    )
  const { aud } = claims
  const named = Array.isArray(aud) ? aud.includes(audience) : aud === audience
  if (!named) throw new CredentialFailed('audience_mismatch', `The new token does not name the audience ${audience}.`)
}
