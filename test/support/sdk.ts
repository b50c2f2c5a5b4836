// The official MCP client, driven as a host application drives it: it finds the authorization server by itself, and where
// it would open a browser, the person follows the address.
import {
  Client,
  type OAuthClientMetadata,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
  type VersionNegotiationOptions,
} from '@modelcontextprotocol/client'
import type { Person } from './person.ts'

export type Mode = NonNullable<VersionNegotiationOptions['mode']>

export interface SdkHost {
  /** Connects, with sign-in where the server asks for it. The caller closes the client. */
  connect(url: string, mode?: Mode): Promise<Client>
  /** Makes a request; where it needs more than the token has, the person allows that, and it is made again. */
  allowing<T>(client: Client, request: () => Promise<T>): Promise<T>
  readonly tokens: StoredOAuthTokens | undefined
  /** How often the person was sent to the browser. */
  readonly signIns: number
}

const REDIRECT = 'http://127.0.0.1:41752/callback'

export function createSdkHost(person: Person): SdkHost {
  let [information, tokens, verifier, signIns]: [
    StoredOAuthClientInformation | undefined,
    StoredOAuthTokens | undefined,
    string,
    number,
  ] = [undefined, undefined, '', 0]
  let answered: URLSearchParams | undefined
  let discovered: OAuthDiscoveryState | undefined
  const transports = new WeakMap<Client, StreamableHTTPClientTransport>()

  const provider: OAuthClientProvider = {
    redirectUrl: REDIRECT,
    clientMetadata: {
      client_name: 'SDK host',
      redirect_uris: [REDIRECT],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    } satisfies OAuthClientMetadata,
    clientInformation: () => information,
    saveClientInformation(saved) {
      information = saved
    },
    tokens: () => tokens,
    saveTokens(saved) {
      tokens = saved
    },
    codeVerifier: () => verifier,
    saveCodeVerifier(saved) {
      verifier = saved
    },
    discoveryState: () => discovered,
    saveDiscoveryState(state) {
      discovered = state
    },
    async redirectToAuthorization(url) {
      signIns++
      const visit = await person.follow(url.href)
      if (visit.location === undefined)
        throw new Error(`The journey ended at ${visit.url} (${visit.status}):\n${visit.html}`)
      answered = new URL(visit.location).searchParams
    },
  }

  async function attempt(url: string, mode: Mode): Promise<Client | StreamableHTTPClientTransport> {
    const client = new Client({ name: 'sdk-host', version: '1' }, { versionNegotiation: { mode } })
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider })
    try {
      await client.connect(transport)
      transports.set(client, transport)
      return client
    } catch (error) {
      await client.close()
      if (error instanceof UnauthorizedError && answered) return transport
      throw error
    }
  }

  return {
    async connect(url, mode = 'auto') {
      answered = undefined
      const first = await attempt(url, mode)
      if (first instanceof Client) return first
      await first.finishAuth(answered ?? new URLSearchParams())
      const second = await attempt(url, mode)
      if (second instanceof Client) return second
      throw new Error('The server asked for a sign-in again after one that worked.')
    },
    async allowing(client, request) {
      answered = undefined
      try {
        return await request()
      } catch (error) {
        if (!(error instanceof UnauthorizedError) || answered === undefined) throw error
        await transports.get(client)?.finishAuth(answered)
        return request()
      }
    },
    get tokens() {
      return tokens
    },
    get signIns() {
      return signIns
    },
  }
}
