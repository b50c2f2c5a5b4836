// Where a server's authorization server is, and what it can do: RFC 9728, RFC 8414, OpenID Connect Discovery, and the rules of
// MCP 2025-03-26 for servers that publish nothing. MCP 2026-07-28, Authorization.
import { ConnectionRefused } from '../../protocol/connections.ts'
import { PROTECTED_RESOURCE_PATH } from '../../protocol/protected-resource.ts'
import type { Fetch } from '../authorization-server/fetch.ts'
import { askForDocument } from './ask.ts'
import { type BearerChallenge, checkScopes } from './challenge.ts'
import { type AuthorizationServer, defaultEndpoints, findAuthorizationServer } from './metadata.ts'

export interface Discovered {
  readonly server: AuthorizationServer
  /** `resource` of RFC 8707, exactly as published. */
  readonly resource: string | undefined
  /** `scopes_supported` of its resource document. */
  readonly scopes: readonly string[]
}

interface Needs {
  /** The server's address, as configured; none of a child process. */
  readonly url: string | undefined
  readonly ask: Fetch
  /** As configured, in place of what is found. */
  readonly issuer: string | undefined
  readonly resource: string | undefined
  readonly challenge: BearerChallenge | undefined
}

export interface ResourceDocument {
  readonly resource: string
  readonly issuers: readonly string[]
  readonly scopes: readonly string[]
}

export async function discover({ url, ask, issuer, resource, challenge }: Needs): Promise<Discovered> {
  const document = url === undefined ? undefined : await findResourceDocument(url, ask, challenge)
  const found = {
    resource: document?.resource ?? resource ?? url,
    scopes: document?.scopes ?? [],
  }
  const named = issuer ?? document?.issuers[0]
  if (named !== undefined) return { ...found, server: await serverCalled(named, ask) }
  if (document !== undefined) throw refused('authorization_server_missing', 'The server names no authorization server.')
  if (url === undefined) throw refused('issuer_missing', 'No authorization server is configured for this server.')
  // MCP 2025-03-26: without a resource document the server's own origin is the authorization server.
  const { origin } = new URL(url)
  const server = await findAuthorizationServer(origin, ask, { isOrigin: true })
  return { ...found, server: server ?? defaultEndpoints(origin) }
}

async function serverCalled(issuer: string, ask: Fetch): Promise<AuthorizationServer> {
  const server = await findAuthorizationServer(issuer, ask)
  if (server !== undefined) return server
  throw refused('metadata_missing', 'The authorization server publishes no metadata.')
}

/** RFC 9728 §3.1 and §5.1. `undefined`: it publishes none. */
export async function findResourceDocument(
  url: string,
  ask: Fetch,
  challenge: BearerChallenge | undefined,
): Promise<ResourceDocument | undefined> {
  const named = challenge?.resourceMetadata
  if (named !== undefined) {
    const document = await askForDocument(ask, named)
    // It said where to look: looking elsewhere would mean another document than it means.
    if (document === undefined)
      throw refused('resource_metadata_missing', 'The server names a document that is not there.')
    return parseResourceDocument(document, url)
  }
  const { origin, pathname } = new URL(url)
  const path = pathname.replace(/\/+$/, '')
  for (const inserted of path === '' ? [''] : [path, '']) {
    const document = await askForDocument(ask, origin + PROTECTED_RESOURCE_PATH + inserted)
    if (document !== undefined) return parseResourceDocument(document, url)
  }
  return undefined
}

function parseResourceDocument(document: Readonly<Record<string, unknown>>, url: string): ResourceDocument {
  const { resource, authorization_servers: issuers, scopes_supported: scopes } = document
  if (typeof resource !== 'string' || !isResourceOf(resource, url))
    throw refused('resource_mismatch', 'The server’s document is about another resource.')
  return {
    resource,
    issuers: Array.isArray(issuers) ? issuers.filter((issuer) => typeof issuer === 'string') : [],
    scopes: Array.isArray(scopes) ? checkScopes(scopes) : [],
  }
}

/** RFC 9728 §3.3; a document at the root may speak of all that lies below it (MCP 2026-07-28, canonical server URI). */
export function isResourceOf(resource: string, url: string): boolean {
  const [published, own] = [URL.parse(resource), new URL(url)]
  if (published === null || published.hash !== '' || published.origin !== own.origin) return false
  if (published.search !== '' && published.search !== own.search) return false
  const [above, below] = [published, own].map(({ pathname }) => `${pathname.replace(/\/+$/, '')}/`)
  return above !== undefined && below?.startsWith(above) === true
}

const refused = (reason: string, message: string) => new ConnectionRefused(reason, message)
