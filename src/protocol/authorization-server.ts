// Authorization server metadata: RFC 8414 §2, OpenID Connect Discovery §3, with what MCP clients look for.

export interface AuthorizationServerFacts {
  readonly issuer: string
  readonly scopes: readonly string[]
  readonly registration: boolean
  readonly metadataDocuments: boolean
}

/** Signature algorithms of client assertions (RFC 7523); none that shares a secret. */
export const ASSERTION_ALGORITHMS = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const
export const CLIENT_AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const

export function authorizationServerMetadata({
  issuer,
  scopes,
  registration,
  metadataDocuments,
}: AuthorizationServerFacts) {
  const at = (path: string): string => issuer + path
  const auth = {
    methods: [...CLIENT_AUTH_METHODS],
    algorithms: [...ASSERTION_ALGORITHMS],
  }
  return {
    // RFC 8414 §3.3: compared byte for byte with the identifier that the client started from.
    issuer,
    authorization_endpoint: at('/oauth/authorize'),
    token_endpoint: at('/oauth/token'),
    ...(registration ? { registration_endpoint: at('/oauth/register') } : {}),
    revocation_endpoint: at('/oauth/revoke'),
    introspection_endpoint: at('/oauth/introspect'),
    jwks_uri: at('/.well-known/jwks.json'),
    scopes_supported: [...scopes],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    // MCP 2026-07-28, Authorization: a client that does not find S256 here must not go on.
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: auth.methods,
    token_endpoint_auth_signing_alg_values_supported: auth.algorithms,
    revocation_endpoint_auth_methods_supported: auth.methods,
    revocation_endpoint_auth_signing_alg_values_supported: auth.algorithms,
    introspection_endpoint_auth_methods_supported: auth.methods,
    introspection_endpoint_auth_signing_alg_values_supported: auth.algorithms,
    // RFC 9207 §3: emitted in every answer, so promised.
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: metadataDocuments,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'email', 'email_verified', 'name'],
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
  }
}

/** Where clients look: RFC 8414 §3.1, OpenID Discovery §4. Our issuer is an origin, so neither has a path to put anywhere. */
export const METADATA_PATHS = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'] as const
