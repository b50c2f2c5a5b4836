// Where an authorization server publishes what it can do: RFC 8414 §3.1, OpenID Connect Discovery 1.0 §4.1.

/** MCP 2026-07-28, Authorization: the issuer's path inserted, then (OpenID Connect Discovery) inserted and appended; asked in this order. */
export function metadataPlaces(issuer: URL): string[] {
  const path = issuer.pathname.replace(/\/+$/, '')
  return [
    `${issuer.origin}/.well-known/oauth-authorization-server${path}`,
    `${issuer.origin}/.well-known/openid-configuration${path}`,
    ...(path === '' ? [] : [`${issuer.origin}${path}/.well-known/openid-configuration`]),
  ]
}
