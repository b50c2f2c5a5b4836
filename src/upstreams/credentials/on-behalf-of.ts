// Microsoft Entra's on-behalf-of: the person's token as assertion (RFC 7523 §2.1) with a word of its own beside it.
import type { CredentialsOf } from '../../config/credentials.ts'
import { type TokenNeeds, tokenEndpoint } from '../authorization-server/token-endpoint.ts'
import type { Credential } from '../credential.ts'
import { bearerUntil } from './bearer.ts'
import { exchangedCredential } from './exchanged.ts'
import { type SubjectNeeds, subjectToken } from './subject-token.ts'

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

export function onBehalfOf(config: CredentialsOf<'on-behalf-of'>, needs: TokenNeeds & SubjectNeeds): Credential {
  const endpoint = tokenEndpoint({ clientAuth: bodyAuth(config), ...config }, needs)
  const subjectOf = subjectToken({ subject: config.subject, type: 'access_token', issuer: config.issuer }, needs)
  return exchangedCredential(needs, subjectOf, async (token) => {
    const answer = await endpoint.ask({
      grant_type: JWT_BEARER,
      assertion: token,
      requested_token_use: 'on_behalf_of',
      scope: config.scopes.join(' '),
    })
    return bearerUntil(answer, needs.clock(), config.cache)
  })
}

/** Its documentation knows the secret in the body alone. */
const bodyAuth = ({ privateKey, clientSecret }: CredentialsOf<'on-behalf-of'>) =>
  privateKey !== undefined || clientSecret === undefined ? undefined : 'client_secret_post'
