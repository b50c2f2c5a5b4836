// Our public URLs as RFC 8707 resources: one for each server, written exactly as people type it.

export interface Resource {
  /** `resource` of RFC 8707 and RFC 9728, `aud` of our tokens: no trailing slash, no query, no fragment. */
  readonly url: string
  readonly title: string
  /** Id of the server behind it. */
  readonly server: string
  /** What clients are told to ask for; without `offline_access` (MCP 2026-07-28, Authorization). */
  readonly scopes: readonly string[]
}

export interface Resources {
  list(): readonly Resource[]
  find(url: string): Resource | undefined
  ofServer(id: string): Resource | undefined
}

export function serverPath(id: string): string {
  return `/servers/${id}/mcp`
}

export function createResources(resources: readonly Resource[]): Resources {
  const byUrl = new Map(resources.map((resource) => [resource.url, resource]))
  const byServer = new Map(resources.map((resource) => [resource.server, resource]))
  return { list: () => resources, find: (url) => byUrl.get(url), ofServer: (id) => byServer.get(id) }
}
