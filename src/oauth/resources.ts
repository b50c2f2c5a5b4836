// Resource indicators, RFC 8707: every token is for exactly one of our resources, and says so in `aud`.
import { type Client, errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider'
import type { Resource } from '../protocol/resource.ts'
import { grantableScopes } from './scopes.ts'

interface Needs {
  readonly resources: { main(): Resource | undefined }
  /** What this client may name. */
  findFor(clientId: string, url: string): Pick<Resource, 'url' | 'scopes' | 'stepUpScopes'> | undefined
  readonly allowedScopes: readonly string[]
  readonly accessTokenTtl: number
  /** Id of the key that signs now. */
  signingKey(): string | undefined
}

export function resourceIndicators({ resources, findFor, allowedScopes, accessTokenTtl, signingKey }: Needs) {
  return {
    enabled: true,
    /** A request without `resource` means `/mcp`, or the only resource there is; where there are several it cannot mean one of them. */
    defaultResource(_ctx: KoaContextWithOIDC, _client: unknown, oneOf?: readonly string[]): string | readonly string[] {
      if (oneOf) return oneOf
      const main = resources.main()
      if (!main) throw new errors.InvalidTarget()
      return main.url
    },
    /** At the token endpoint too an absent `resource` means the granted one, also beside `openid`. */
    useGrantedResource: () => true,
    getResourceServerInfo(ctx: KoaContextWithOIDC, indicator: string, client: Client): ResourceServer {
      const resource = findFor(client.clientId, indicator)
      if (!resource) throw new errors.InvalidTarget()
      if (ctx.oidc.route === 'authorization') keepGrantable(ctx, resource)
      const kid = signingKey()
      return {
        scope: resource.scopes.join(' '),
        audience: resource.url,
        accessTokenFormat: 'jwt',
        accessTokenTTL: Math.floor(accessTokenTtl / 1000),
        jwt: { sign: kid === undefined ? { alg: 'ES256' } : { alg: 'ES256', kid } },
      }
    },
  }

  /** The first place where client, redirect URI and resource are all known, so that a refusal can be sent to the client. */
  function keepGrantable({ oidc }: KoaContextWithOIDC, resource: Pick<Resource, 'scopes' | 'stepUpScopes'>): void {
    const asked = oidc.params?.['scope']
    const scopes = grantableScopes(typeof asked === 'string' ? asked : undefined, resource, allowedScopes)
    if (scopes.length === 0)
      throw new errors.InvalidScope('none of the requested scopes can be granted', String(asked ?? ''))
    if (oidc.params) oidc.params['scope'] = scopes.join(' ')
  }
}
