// An OAuth client written with nothing but fetch: discovery, registration (RFC 7591), PKCE (RFC 7636), exchange, refresh.
// What it sends can be bent member by member, so that a refusal's test differs from its positive twin in one place.
import { createHash, randomBytes } from 'node:crypto'
import type { Person } from './person.ts'

export interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly headers: Headers
}

export interface Authorization {
  readonly url: string
  readonly verifier: string
  readonly state: string
}

/** Extra or replaced parameters; `undefined` leaves one out. */
export type Parameters = Readonly<Record<string, string | undefined>>

export interface TestClient {
  readonly id: string
  readonly redirectUri: string
  readonly registration: Record<string, unknown>
  readonly metadata: ServerMetadata
  authorize(parameters: Parameters): Authorization
  /** The person goes through the pages; answers the code, or throws with what the page or the redirect said. */
  codeFrom(person: Person, authorization: Authorization): Promise<string>
  exchange(code: string, verifier: string, parameters?: Parameters): Promise<Answer>
  refresh(refreshToken: string, parameters?: Parameters): Promise<Answer>
  revoke(token: string, parameters?: Parameters): Promise<Answer>
  /** All of it: pages, code, tokens. */
  signIn(person: Person, parameters: Parameters): Promise<Tokens>
}

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly scope: string
}

export interface ServerMetadata {
  readonly issuer: string
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly registration_endpoint: string
  readonly revocation_endpoint: string
  readonly [member: string]: unknown
}

/** RFC 7636 §4.1, §4.2. */
export function pkce(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

export async function discover(issuer: string): Promise<ServerMetadata> {
  const response = await fetch(new URL('/.well-known/oauth-authorization-server', issuer))
  if (response.status !== 200) throw new Error(`Discovery answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as ServerMetadata
}

export async function register(issuer: string, metadata: Record<string, unknown>): Promise<Answer> {
  const { registration_endpoint } = await discover(issuer)
  const headers = { 'content-type': 'application/json' }
  return answerOf(await fetch(registration_endpoint, { method: 'POST', headers, body: JSON.stringify(metadata) }))
}

export async function registerClient(
  gateway: { readonly url: string },
  options: { redirectUris?: readonly string[]; metadata?: Record<string, unknown> } = {},
): Promise<TestClient> {
  const redirectUris = options.redirectUris ?? ['http://127.0.0.1:33418/callback']
  const answer = await register(gateway.url, {
    client_name: 'Test client',
    redirect_uris: redirectUris,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    ...options.metadata,
  })
  if (answer.status !== 201) throw new Error(`Registration answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  const [redirectUri = ''] = redirectUris
  return createClient(await discover(gateway.url), String(answer.body['client_id']), redirectUri, answer.body)
}

/** A client the gateway knows already: configured, or by its metadata document. */
export async function knownClient(
  gateway: { readonly url: string },
  id: string,
  redirectUri: string,
): Promise<TestClient> {
  return createClient(await discover(gateway.url), id, redirectUri, {})
}

function createClient(
  metadata: ServerMetadata,
  id: string,
  redirectUri: string,
  registration: Record<string, unknown>,
): TestClient {
  const client: TestClient = {
    id,
    redirectUri,
    registration,
    metadata,
    authorize: (parameters) => authorizationUrl(metadata.authorization_endpoint, id, redirectUri, parameters),
    async codeFrom(person, authorization) {
      const visit = await person.follow(authorization.url)
      const answer = visit.location === undefined ? undefined : new URL(visit.location).searchParams
      const code = answer?.get('code')
      if (!answer || !code) throw new Error(`No code: ${visit.status} ${visit.location ?? visit.url}\n${visit.html}`)
      // RFC 9207 §2.4 and RFC 6749 §10.12: what every careful client checks.
      if (answer.get('iss') !== metadata.issuer) throw new Error(`Wrong issuer in the answer: ${answer.get('iss')}`)
      if (answer.get('state') !== authorization.state) throw new Error('The answer has another state.')
      return code
    },
    exchange: (code, verifier, parameters = {}) =>
      post(metadata.token_endpoint, {
        grant_type: 'authorization_code',
        client_id: id,
        redirect_uri: redirectUri,
        code,
        code_verifier: verifier,
        ...parameters,
      }),
    refresh: (refreshToken, parameters = {}) =>
      post(metadata.token_endpoint, {
        grant_type: 'refresh_token',
        client_id: id,
        refresh_token: refreshToken,
        ...parameters,
      }),
    revoke: (token, parameters = {}) => post(metadata.revocation_endpoint, { client_id: id, token, ...parameters }),
    async signIn(person, parameters) {
      const authorization = client.authorize(parameters)
      const code = await client.codeFrom(person, authorization)
      return parseTokens(await client.exchange(code, authorization.verifier, { resource: parameters['resource'] }))
    },
  }
  return client
}

export function parseTokens({ status, body }: Answer): Tokens {
  if (status !== 200) throw new Error(`The token endpoint answered ${status}: ${JSON.stringify(body)}`)
  const refreshToken = body['refresh_token']
  return {
    accessToken: String(body['access_token']),
    refreshToken: refreshToken === undefined ? undefined : String(refreshToken),
    scope: String(body['scope'] ?? ''),
  }
}

function authorizationUrl(endpoint: string, id: string, redirectUri: string, parameters: Parameters): Authorization {
  const { verifier, challenge } = pkce()
  const state = randomBytes(12).toString('base64url')
  const url = new URL(endpoint)
  const all: Parameters = {
    response_type: 'code',
    client_id: id,
    redirect_uri: redirectUri,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state,
    ...parameters,
  }
  for (const [name, value] of present(all)) url.searchParams.set(name, value)
  return { url: url.href, verifier, state: all['state'] ?? '' }
}

async function post(endpoint: string, parameters: Parameters): Promise<Answer> {
  return answerOf(await fetch(endpoint, { method: 'POST', body: new URLSearchParams(present(parameters)) }))
}

const present = (parameters: Parameters) =>
  Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined)

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') ?? false
  const body = isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : { text }
  return { status: response.status, body, headers: response.headers }
}
