// Another gateway whose callback is allowed, as an OAuth client of ours. Nothing of it is stored: it exists as long as the
// configuration lists its callback, and with the callback go its codes and refresh tokens.
import { createHash, createHmac } from 'node:crypto'
import type { AdapterPayload } from 'oidc-provider'
import type { GatewayCallbacksConfig } from '../../config/gateway-callbacks.ts'
import { gatewayUriMatcher } from '../../protocol/gateway-uri.ts'
import type { Resource } from '../../protocol/resource.ts'

const MARK = 'gateway:'
/** What such a gateway learns of a person at `/user_info`. */
const GATEWAY_SCOPES = ['profile', 'email', 'groups'] as const

export interface GatewayClient {
  readonly id: string
  readonly uri: string
  /** The audience of its tokens is its callback, letter by letter: two gateways on one host stay two. */
  readonly resource: Pick<Resource, 'url' | 'title' | 'scopes'>
  readonly metadata: AdapterPayload
  /** PKCE (RFC 7636) between `/login` and `/gateway-oauth/exchange`, both ours: a code of one redeems nowhere else. */
  readonly verifier: string
  readonly challenge: string
}

export interface GatewayClients {
  /** `undefined` for a callback that is not allowed. */
  ofUri(uri: string): GatewayClient | undefined
  ofId(clientId: string): GatewayClient | undefined
  /** The callback in a client id, allowed or not. */
  uriOf(clientId: string): string | undefined
}

interface Needs {
  readonly callbacks: GatewayCallbacksConfig
  readonly development: boolean
  secret(): string
}

export function gatewayClients({ callbacks, development, secret }: Needs): GatewayClients {
  const { enabled, allowedRedirectUris, strict } = callbacks
  const isAllowed = gatewayUriMatcher(enabled ? allowedRedirectUris : [], { strict, development })

  function clientOf(uri: string): GatewayClient {
    const id = MARK + uri
    const verifier = createHmac('sha256', secret()).update(`gateway code\0${uri}`).digest('base64url')
    return {
      id,
      uri,
      resource: { url: uri, title: 'your sign-in here', scopes: GATEWAY_SCOPES },
      metadata: {
        client_id: id,
        client_name: new URL(uri).host,
        redirect_uris: [uri],
        // Not native: on loopback too the port is part of what was allowed.
        application_type: 'web',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
      verifier,
      challenge: createHash('sha256').update(verifier).digest('base64url'),
    }
  }
  const ofUri = (uri: string) => (isAllowed(uri) ? clientOf(uri) : undefined)
  const uriOf = (clientId: string) => (clientId.startsWith(MARK) ? clientId.slice(MARK.length) : undefined)
  return {
    ofUri,
    uriOf,
    ofId(clientId) {
      const uri = uriOf(clientId)
      return uri === undefined ? undefined : ofUri(uri)
    },
  }
}
