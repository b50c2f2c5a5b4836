// Protected resource metadata, RFC 9728 §2 and §3.1.
import { firstScopes, type Resource } from './resource.ts'

export const PROTECTED_RESOURCE_PATH = '/.well-known/oauth-protected-resource'

/** Where the document of a resource stands: the well-known path, inserted between host and path (RFC 9728 §3.1). */
export function metadataUrl(resource: string): string {
  const { origin, pathname } = new URL(resource)
  return `${origin}${PROTECTED_RESOURCE_PATH}${pathname === '/' ? '' : pathname}`
}

export interface ProtectedResourceMetadata {
  readonly resource: string
  readonly resource_name: string
  readonly authorization_servers?: readonly string[]
  /** RFC 6750 §2.1 only: a token in a body or query is refused. */
  readonly bearer_methods_supported: readonly ['header']
  readonly scopes_supported?: readonly string[]
}

/** `issuer`: ours, which gives out the tokens where nobody else does. */
export function protectedResourceMetadata(resource: Resource, issuer: string): ProtectedResourceMetadata {
  const servers = resource.authorizationServers ?? [issuer]
  const scopes = firstScopes(resource)
  return {
    resource: resource.url,
    resource_name: resource.title,
    // RFC 9728 §3.2: parameters with zero values MUST be omitted.
    ...(servers.length === 0 ? {} : { authorization_servers: servers }),
    bearer_methods_supported: ['header'],
    ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
  }
}
