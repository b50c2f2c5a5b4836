// What we say of ourselves as a client: in our metadata document (OAuth Client ID Metadata Document), and where we register (RFC 7591).
import { CONNECTION_CALLBACK_PATH } from '../../protocol/sign-in-client.ts'

export const CLIENT_NAME = 'Portcullis'
/** One document for all servers behind us: its address is our client id. */
export const CLIENT_DOCUMENT_PATH = '/.well-known/oauth-client'

/** Its address as a client id; `undefined` where nobody could fetch it: the id has to be https. */
export const clientDocumentUrl = (serverUrl: string): string | undefined =>
  serverUrl.startsWith('https:') ? serverUrl + CLIENT_DOCUMENT_PATH : undefined

interface About {
  readonly name: string
  readonly redirectUri: string
}

export const clientMetadata = ({ name, redirectUri }: About) => ({
  client_name: name,
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  // OpenID Connect Registration §2: web clients have https addresses, and none on loopback.
  application_type: redirectUri.startsWith('https:') ? 'web' : 'native',
})

export const clientDocument = (serverUrl: string) => ({
  client_id: serverUrl + CLIENT_DOCUMENT_PATH,
  client_uri: serverUrl,
  ...clientMetadata({ name: CLIENT_NAME, redirectUri: serverUrl + CONNECTION_CALLBACK_PATH }),
  token_endpoint_auth_method: 'none',
})
