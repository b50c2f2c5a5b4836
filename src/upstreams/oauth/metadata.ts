// What an authorization server publishes of itself: RFC 8414 §3, OpenID Connect Discovery §4, and what we ask of it.
import { ConnectionRefused } from '../../protocol/connections.ts'
import type { Fetch } from '../authorization-server/fetch.ts'
import { metadataPlaces } from '../authorization-server/metadata-places.ts'
import { askForDocument } from './ask.ts'

/** Wire spelling: what is kept of the document, and no more. */
export interface AuthorizationServer {
  readonly issuer: string
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly registration_endpoint?: string
  readonly revocation_endpoint?: string
  readonly scopes_supported?: readonly string[]
  readonly token_endpoint_auth_methods_supported?: readonly string[]
  readonly revocation_endpoint_auth_methods_supported?: readonly string[]
  readonly authorization_response_iss_parameter_supported?: boolean
  readonly client_id_metadata_document_supported?: boolean
}

/**
 * `undefined`: nothing is published at any of its places. `isOrigin`: nobody wrote this issuer, it was made of an origin; whether with a
 * slash at its end is then the server's to say.
 */
export async function findAuthorizationServer(
  issuer: string,
  ask: Fetch,
  { isOrigin = false }: { isOrigin?: boolean } = {},
): Promise<AuthorizationServer | undefined> {
  for (const place of metadataPlaces(addressOf(issuer))) {
    const document = await askForDocument(ask, place)
    if (document === undefined) continue
    const isItself = document['issuer'] === issuer || (isOrigin && document['issuer'] === `${issuer}/`)
    // RFC 8414 §3.3: letter by letter, or the document is another's.
    if (!isItself) throw refused('metadata_issuer_mismatch', 'The metadata is that of another authorization server.')
    return parseMetadata(document)
  }
  return undefined
}

/** RFC 8414 §2: an address without query and fragment. It may be a stranger's word. */
function addressOf(issuer: string): URL {
  const url = URL.parse(issuer)
  if (url === null || url.search !== '' || url.hash !== '')
    throw refused('issuer_malformed', 'The server names an authorization server that has no address.')
  return url
}

/** MCP 2025-03-26, fallbacks for servers without metadata. */
export const defaultEndpoints = (origin: string): AuthorizationServer => ({
  issuer: origin,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  registration_endpoint: `${origin}/register`,
})

const TEXTS = ['registration_endpoint', 'revocation_endpoint'] as const
const LISTS = [
  'scopes_supported',
  'token_endpoint_auth_methods_supported',
  'revocation_endpoint_auth_methods_supported',
] as const
const FACTS = ['authorization_response_iss_parameter_supported', 'client_id_metadata_document_supported'] as const

function parseMetadata(document: Readonly<Record<string, unknown>>): AuthorizationServer {
  const { issuer, authorization_endpoint, token_endpoint, code_challenge_methods_supported: methods } = document
  if (typeof issuer !== 'string' || typeof authorization_endpoint !== 'string' || typeof token_endpoint !== 'string')
    throw refused('metadata_incomplete', 'The authorization server does not say where its endpoints are.')
  // MCP 2026-07-28, Authorization: without it a client must not go on.
  if (!Array.isArray(methods) || !methods.includes('S256'))
    throw refused('pkce_unsupported', 'The authorization server does not say that it knows PKCE.')
  const optional: Record<string, unknown> = {}
  for (const name of TEXTS) if (typeof document[name] === 'string') optional[name] = document[name]
  for (const name of LISTS) if (isTexts(document[name])) optional[name] = document[name]
  for (const name of FACTS) if (typeof document[name] === 'boolean') optional[name] = document[name]
  return { ...optional, issuer, authorization_endpoint, token_endpoint }
}

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((entry) => typeof entry === 'string')

const refused = (reason: string, message: string) => new ConnectionRefused(reason, message)
