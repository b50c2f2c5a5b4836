// What we say of ourselves as a client: in our metadata document (OAuth Client ID Metadata Document), and where we register (RFC 7591).
import { ownAddress, sharedAddress } from './redirect-addresses.ts'

export const CLIENT_NAME = 'Portcullis'
/** One document for all servers behind us: its address is our client id. */
export const CLIENT_DOCUMENT_PATH = '/.well-known/oauth-client'

/** Its address as a client id; `undefined` where nobody could fetch it: the id has to be https. */
export const clientDocumentUrl = (serverUrl: string): string | undefined =>
  serverUrl.startsWith('https:') ? serverUrl + CLIENT_DOCUMENT_PATH : undefined

interface About {
  readonly name: string
  /** At least one. */
  readonly redirectUris: readonly string[]
}

export const clientMetadata = ({ name, redirectUris }: About) => ({
  client_name: name,
  redirect_uris: redirectUris,
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  // OpenID Connect Registration §2: web clients have https addresses, and none on loopback.
  application_type: redirectUris.every((uri) => uri.startsWith('https:')) ? 'web' : 'native',
})

/**
 * Any authorization server may read it, and send browsers to every address in it. So it names, beside the one where `iss` is asked for, those
 * of servers alone whose authorization server somebody wrote (`written`): a stranger who plays one gets no code there.
 */
export const clientDocument = (serverUrl: string, written: readonly string[]) => ({
  client_id: serverUrl + CLIENT_DOCUMENT_PATH,
  client_uri: serverUrl,
  ...clientMetadata({
    name: CLIENT_NAME,
    redirectUris: [sharedAddress(serverUrl), ...written.map((server) => ownAddress(serverUrl, server))],
  }),
  token_endpoint_auth_method: 'none',
})
