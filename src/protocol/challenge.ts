// The WWW-Authenticate challenge: RFC 6750 §3, with `resource_metadata` of RFC 9728 §5.1 and `scope` as MCP asks for it.
import type { BearerError } from './errors.ts'
import { metadataUrl } from './protected-resource.ts'
import { firstScopes, type Resource } from './resource.ts'

/** RFC 9110 §5.6.4: inside a quoted-string only `"` and `\` need a backslash; anything beyond printable ASCII is dropped. */
const quote = (value: string): string => `"${value.replace(/[^\x20-\x7e]/g, '').replace(/["\\]/g, '\\$&')}"`

export function bearerChallenge(error: BearerError, resource: Resource): string {
  // RFC 6750 §3.1: a request without credentials gets a challenge without an error code.
  const scopes = error.scopes.length > 0 ? error.scopes : firstScopes(resource)
  const parameters = [
    ...(error.code === undefined ? [] : [`error=${quote(error.code)}`, `error_description=${quote(error.message)}`]),
    `resource_metadata=${quote(resource.document ?? metadataUrl(resource.url))}`,
    ...(scopes.length === 0 ? [] : [`scope=${quote(scopes.join(' '))}`]),
  ]
  return `Bearer ${parameters.join(', ')}`
}
