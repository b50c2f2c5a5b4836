// Our own client: a protected host's sign-in goes through the same pages as everybody else's, and ends at an address of ours. There is
// nothing to consent to, since nothing is handed out: its secret is thrown away, so that its codes are worth nothing to whoever finds one.
import { randomBytes } from 'node:crypto'
import type { AdapterPayload } from 'oidc-provider'
import type { Resource } from '../protocol/resource.ts'
import { CONNECTIONS_PATH, SIGN_IN_CLIENT, SIGN_IN_PATH, SIGNED_IN_PATH } from '../protocol/sign-in-client.ts'
import { hashClientSecret } from './client-secret.ts'

export const isSignInClient = (clientId: string | undefined): boolean => clientId === SIGN_IN_CLIENT

export function signInClient(serverUrl: string): (clientId: string) => AdapterPayload | undefined {
  const metadata: AdapterPayload = {
    client_id: SIGN_IN_CLIENT,
    client_name: 'Portcullis',
    redirect_uris: [SIGN_IN_PATH, SIGNED_IN_PATH].map((path) => serverUrl + path),
    application_type: 'web',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    client_secret: hashClientSecret(randomBytes(32).toString('base64url')),
  }
  return (clientId) => (isSignInClient(clientId) ? metadata : undefined)
}

/** What it signs people in for beside the protected hosts: pages of ours, which no token opens, and no other client may name. */
export const ownPages =
  (serverUrl: string) =>
  (clientId: string, url: string): Pick<Resource, 'url' | 'title' | 'scopes'> | undefined =>
    isSignInClient(clientId) && url === serverUrl + CONNECTIONS_PATH
      ? { url, title: 'Your connections', scopes: ['portcullis:connections'] }
      : undefined
