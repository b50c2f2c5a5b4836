// Client metadata that a stranger sends, RFC 7591 §2: what we know is checked and kept, everything else does not exist.
import { errors } from 'oidc-provider'
import { checkRedirectUri, RedirectUriError } from '../protocol/redirect-uri.ts'

type Json = Readonly<Record<string, unknown>>
type Source = 'registration' | 'document'

const MOST_REDIRECTS = 32
const LONGEST_NAME = 200
const GRANTS = ['authorization_code', 'refresh_token']
const AUTH_METHODS: Readonly<Record<Source, readonly string[]>> = {
  registration: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  // CIMD draft-02: a public document cannot hold a shared secret.
  document: ['none', 'private_key_jwt'],
}
/** Links for people. Nothing here ever fetches them (no server-side request, and pages load nothing from elsewhere). */
const LINKS = ['client_uri', 'logo_uri', 'tos_uri', 'policy_uri']

export function parseClientMetadata(input: Json, source: Source, trustedHosts: readonly string[]): Json {
  const own = (name: string): unknown => (Object.hasOwn(input, name) ? input[name] : undefined)
  if (source === 'document' && ['client_secret', 'client_secret_expires_at'].some((name) => own(name) !== undefined))
    throw invalid('client_secret must not be in a public document')
  const method = checkAuthMethod(own('token_endpoint_auth_method'), source)
  const responses = own('response_types')
  if (responses !== undefined && !(Array.isArray(responses) && responses.includes('code')))
    throw invalid('response_types must include code')
  return {
    // Native semantics for everyone: on loopback any port matches (RFC 8252 §7.3), beyond it the comparison stays exact.
    application_type: 'native',
    redirect_uris: checkRedirectUris(own('redirect_uris'), trustedHosts),
    response_types: ['code'],
    grant_types: checkGrantTypes(own('grant_types')),
    token_endpoint_auth_method: method,
    ...checkKeys(method, own('jwks'), source === 'document' ? own('jwks_uri') : undefined),
    ...checkName(own('client_name'), source),
    ...Object.fromEntries(LINKS.map((name) => [name, own(name)]).filter(([, value]) => isWebLink(value))),
  }
}

const invalid = (description: string) => new errors.InvalidClientMetadata(description)

function checkAuthMethod(value: unknown, source: Source): string {
  // RFC 7591 §2: absent means client_secret_basic; for a document it can only mean a public client.
  const method = value ?? (source === 'document' ? 'none' : 'client_secret_basic')
  if (typeof method !== 'string' || !AUTH_METHODS[source].includes(method))
    throw invalid(`token_endpoint_auth_method must be one of ${AUTH_METHODS[source].join(', ')}`)
  return method
}

function checkRedirectUris(value: unknown, trustedHosts: readonly string[]): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_REDIRECTS)
    throw invalid(`redirect_uris must be a list of 1 to ${MOST_REDIRECTS} URIs`)
  return value.map((uri: unknown) => {
    if (typeof uri !== 'string') throw invalid('redirect_uris must be a list of URIs')
    try {
      checkRedirectUri(uri, trustedHosts)
      return uri
    } catch (error) {
      throw error instanceof RedirectUriError ? invalid(error.message) : error
    }
  })
}

/** Absent means both, wider than RFC 7591 §2: MCP clients leave it out and expect to stay connected. Others of the list are dropped. */
function checkGrantTypes(value: unknown): string[] {
  if (value === undefined) return GRANTS
  const kept = Array.isArray(value) ? GRANTS.filter((grant) => value.includes(grant)) : []
  if (!kept.includes('authorization_code')) throw invalid('grant_types must include authorization_code')
  return kept
}

function checkName(value: unknown, source: Source): { client_name?: string } {
  if (typeof value === 'string' && value.trim() !== '')
    return { client_name: [...value].slice(0, LONGEST_NAME).join('') }
  // MCP 2026-07-28, Authorization: a document has at least client_id, client_name and redirect_uris.
  if (value !== undefined || source === 'document') throw invalid('client_name must be a text')
  return {}
}

function checkKeys(method: string, jwks: unknown, jwksUri: unknown): Json {
  if (method !== 'private_key_jwt') return {}
  if (jwks !== undefined) return { jwks: checkPublicKeys(jwks) }
  if (typeof jwksUri === 'string' && isWebLink(jwksUri)) return { jwks_uri: jwksUri }
  throw invalid('jwks must have the keys for private_key_jwt')
}

/** A private or symmetric key in metadata is a leaked one. */
function checkPublicKeys(jwks: unknown): unknown {
  const keys: unknown = typeof jwks === 'object' && jwks !== null && 'keys' in jwks ? jwks.keys : undefined
  const isPublic = (key: unknown): boolean =>
    typeof key === 'object' &&
    key !== null &&
    !['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'priv'].some((name) => name in key) &&
    !('kty' in key && key.kty === 'oct')
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every(isPublic))
    throw invalid('jwks must have public keys only')
  return { keys }
}

const isWebLink = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= 2048 && URL.parse(value)?.protocol === 'https:'
