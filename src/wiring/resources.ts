// The resources of the gate (RFC 8707, RFC 9728), on the configuration: what tokens are for, and what clients are told of it.
import {
  aggregateAddress,
  authorizationServersOf,
  mcpAddress,
  namesOurScopes,
} from '../config/authorization-servers.ts'
import type { Config } from '../config/schema.ts'
import type { McpServerConfig } from '../config/servers.ts'
import type { ProtectedResources } from '../decision/protected.ts'
import type { ScopeGate } from '../policy/scopes.ts'
import {
  AGGREGATE,
  adminResource,
  channelPaths,
  createResources,
  decisionResource,
  type Resource,
  ROOT_CHANNELS,
  serverPath,
} from '../protocol/resource.ts'

export function resourcesOf(config: Config, scopes: ScopeGate, places: ProtectedResources) {
  const { server, servers, oauth, doors } = config
  const scopesAt = (entry?: McpServerConfig): string[] => [
    ...new Set([
      ...(namesOurScopes(config, entry) ? scopes.scopesFor(entry?.id) : scopes.requiredScopesFor(entry?.id)),
      ...oauth.scopesSupported,
    ]),
  ]
  const listed = servers.map((entry) => ({
    url: server.url + serverPath(entry.id),
    title: entry.title ?? entry.id,
    server: entry.id,
    scopes: scopesAt(entry),
    stepUpScopes: scopes.stepUpScopesFor(entry.id),
    ...authorizationServersOf(config, entry),
  }))
  const address = mcpAddress(config)
  const alias = listed.flatMap((resource) => (address === undefined ? [] : [{ ...resource, ...address }]))
  const all = aggregateAddress(config).map((at) => ({
    ...at,
    title: oauth.resourceName ?? 'All servers',
    server: AGGREGATE,
    scopes: scopesAt(),
    stepUpScopes: scopes.stepUpScopesFor(),
    ...authorizationServersOf(config),
  }))
  const administration = doors.admin ? [adminResource(server.url)] : []
  const decisions = doors.decision ? [decisionResource(server.url)] : []
  return createResources([...listed, ...alias, ...all], places.list(), places.findByUrl, [
    ...listed.flatMap((resource) => channelsOf(resource, server.url, servers.length === 1)),
    ...all.flatMap((resource) => (servers.length === 1 ? [] : rootChannelsOf(resource, server.url))),
    ...administration,
    ...decisions,
  ])
}

/** A server's addresses for older clients, each a resource with a document of its own. */
function channelsOf(resource: Resource, serverUrl: string, isOnly: boolean): Resource[] {
  const own = channelPaths(resource.server ?? '').map((path) => ({ ...resource, url: serverUrl + path }))
  return isOnly ? [...own, ...rootChannelsOf(resource, serverUrl)] : own
}

/** At the root there is the only server, else all of them. */
const rootChannelsOf = ({ path: _, ...resource }: Resource, serverUrl: string): Resource[] =>
  ROOT_CHANNELS.map((path) => ({ ...resource, url: serverUrl + path }))
