// Our public URLs as RFC 8707 resources: one for each server, written exactly as people type it.

export interface Resource {
  /** `resource` of RFC 8707 and RFC 9728, `aud` of our tokens: no trailing slash, no query, no fragment. */
  readonly url: string
  readonly title: string
  /** Id of the server behind it, `*` for all of them as one; `undefined` for our own administration. */
  readonly server: string | undefined
  /** What clients may be granted; without `offline_access` (MCP 2026-07-28, Authorization). */
  readonly scopes: readonly string[]
  /** Those of them that only some calls need, and a client asks for when it is told so. */
  readonly stepUpScopes?: readonly string[]
  /** Where its document stands (RFC 9728), for a resource on another origin than ours. */
  readonly document?: string
  /** Path at which it answers here, where that is not the one of its identifier. */
  readonly path?: string
  /** Whose tokens are for it, where they are not ours. */
  readonly authorizationServers?: readonly string[]
}

/**
 * What clients are told to ask for at first. MCP 2026-07-28, Authorization, scope minimisation: documents and first challenges name what
 * is usual, the challenge of a call that needs more names all that it needs.
 */
export function firstScopes({ scopes, stepUpScopes = [] }: Resource): readonly string[] {
  return stepUpScopes.length === 0 ? scopes : scopes.filter((name) => !stepUpScopes.includes(name))
}

export interface Resources {
  /** What people reach through the gate. */
  list(): readonly Resource[]
  /** Found and documented like the others, never meant by a request that names none: channels of older clients, the administration. */
  further(): readonly Resource[]
  find(url: string): Resource | undefined
  ofServer(id: string): Resource | undefined
  /** The one that answers at a path of ours. */
  at(path: string): Resource | undefined
  /** Identifiers of one server, at whichever of its addresses: a token for one of them is good at the others. */
  audiences(id: string): readonly string[]
  /** What is meant where none is named: the only server there is, else `/mcp`. */
  main(): Resource | undefined
}

/**
 * MCP 2026-07-28, Authorization, canonical server URI: upper case in scheme and host SHOULD be accepted, since it means the same there
 * (RFC 3986 §6.2.2.1). All else is compared as it is written.
 */
export const withLowerCaseOrigin = (uri: string): string =>
  uri.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, (origin) => origin.toLowerCase())

/** Everything behind the gate at one address; under the identity of `OAUTH_RESOURCE`, the only server there is. */
export const MCP_PATH = '/mcp'
/** In place of a server's id: all of them as one. No server can have it. */
export const AGGREGATE = '*'

export function serverPath(id: string): string {
  return id === AGGREGATE ? MCP_PATH : `/servers/${id}/mcp`
}

/** HTTP+SSE of MCP 2024-11-05 and WebSocket; at the root, of the only server there is. */
export const EVENTS_PATH = '/sse'
export const MESSAGES_PATH = '/messages'
export const SOCKET_PATH = '/ws'
export const channelPaths = (id: string): string[] =>
  [EVENTS_PATH, MESSAGES_PATH, SOCKET_PATH].map((path) => `/servers/${id}${path}`)
export const ROOT_CHANNELS: readonly string[] = [EVENTS_PATH, MESSAGES_PATH, SOCKET_PATH]

/** `own` are at addresses of ours, `foreign` elsewhere; `findForeign` also finds what is not listed, such as one host of many. */
export function createResources(
  own: readonly Resource[],
  foreign: readonly Resource[] = [],
  findForeign: (url: string) => Resource | undefined = () => undefined,
  further: readonly Resource[] = [],
): Resources {
  const byUrl = new Map([...own, ...further].map((resource) => [resource.url, resource]))
  // Of several addresses the first is the server's own.
  const byServer = new Map(own.toReversed().map((resource) => [resource.server, resource]))
  const byPath = new Map(
    [...further, ...own].map((resource) => [resource.path ?? new URL(resource.url).pathname, resource]),
  )
  const all = [...own, ...foreign]
  const servers = all.filter(({ server }) => server !== AGGREGATE)
  const atMcp = byPath.get(MCP_PATH)
  const isAlias = atMcp !== undefined && atMcp.server !== AGGREGATE
  const main = isAlias || servers.length !== 1 ? atMcp : servers[0]
  return {
    list: () => all,
    further: () => further,
    find: (url) => byUrl.get(url) ?? findForeign(url),
    ofServer: (id) => byServer.get(id),
    at: (path) => byPath.get(path),
    audiences: (id) => [...own, ...further].flatMap(({ server, url }) => (server === id ? [url] : [])),
    main: () => main,
  }
}

/** Where the administration answers, and what its tokens are for. */
export const ADMIN_PATH = '/api/v1'
/** Acts for everybody, and acts for oneself. */
export const ADMIN_SCOPE = 'portcullis:admin'
export const OWN_TOKENS_SCOPE = 'portcullis:tokens'

/** Where services ask for decisions (AuthZEN Authorization API 1.0), and what their tokens are for. */
export const DECISION_PATH = '/access/v1'
export const DECIDE_SCOPE = 'portcullis:decide'

export const decisionResource = (serverUrl: string): Resource => ({
  url: serverUrl + DECISION_PATH,
  title: 'Portcullis decisions',
  server: undefined,
  scopes: [DECIDE_SCOPE],
})

export const adminResource = (serverUrl: string): Resource => ({
  url: serverUrl + ADMIN_PATH,
  title: 'Portcullis administration',
  server: undefined,
  scopes: [OWN_TOKENS_SCOPE, ADMIN_SCOPE],
})
