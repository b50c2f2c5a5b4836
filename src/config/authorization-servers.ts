// Which authorization servers a protected resource names to clients (RFC 9728 §2), and what the address /mcp is called. Pure.
import type { Config } from './schema.ts'
import { type McpServerConfig, upstreamsOf } from './servers.ts'
import { waysAt } from './ways.ts'

type Settings = Pick<Config, 'oauth' | 'auth' | 'doors'>

/** Nothing to say where ours gives out the tokens. */
export function authorizationServersOf(
  { oauth, auth, doors }: Settings,
  server?: McpServerConfig,
): { readonly authorizationServers?: readonly string[] } {
  if (oauth.authorizationServers.length > 0) return { authorizationServers: oauth.authorizationServers }
  const { tokens, issuers } = waysAt(auth, server?.auth)
  if (doors.oauth && tokens) return {}
  return { authorizationServers: issuers.map(({ issuer }) => issuer).filter((issuer) => /^https?:\/\//.test(issuer)) }
}

/** Whether clients are told of our scopes (`scopes:`): only where who gives out the tokens knows them. */
export function namesOurScopes(config: Settings, server?: McpServerConfig): boolean {
  const { authorizationServers } = authorizationServersOf(config, server)
  return authorizationServers === undefined || waysAt(config.auth, server?.auth).issuers.some(({ scopes }) => scopes)
}

/** `/mcp` answers for all servers at once, where it is not the address of the only one. At most one. */
export function aggregateAddress(config: Config): readonly { readonly url: string; readonly path: '/mcp' }[] {
  const { oauth, server, servers, aggregate } = config
  if (!aggregate.enabled || upstreamsOf(servers).length === 0 || mcpAddress(config) !== undefined) return []
  return [{ url: oauth.resource ?? `${server.url}/mcp`, path: '/mcp' }]
}

/** `/mcp` answers for the one server there is, under the identity that is written. */
export function mcpAddress({ oauth, servers }: Config): { readonly url: string; readonly path: '/mcp' } | undefined {
  return oauth.resource === undefined || servers.length !== 1 ? undefined : { url: oauth.resource, path: '/mcp' }
}
