// Everybody behind and beside the gate in one server: identity provider, authorization server, HashiCorp Vault and MCP servers. It hands out
// secrets that can be recognised, writes down every byte that comes, and when it is told to goes wrong in the most talkative way.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { signedBy, signingKey } from './issuer.ts'

export interface CanaryWorld {
  readonly url: string
  /** Head and body of each request, as they came. */
  readonly heard: string[]
  /** What it gave out, by kind, oldest first. */
  readonly handed: ReadonlyMap<string, readonly string[]>
  /** Answers with errors that repeat whatever it was sent. */
  isTalkative: boolean
  /** A token of somebody for one of our servers. */
  presented(audience: string): string
  /** Access tokens of connected accounts count no more. */
  expire(): void
  close(): Promise<void>
}

interface Asked {
  readonly path: string
  readonly query: URLSearchParams
  readonly authorization: string
  readonly headers: IncomingMessage['headers']
  readonly form: URLSearchParams
  readonly body: string
}

export const canaryOf = (kind: string): string => `cnry-${kind}-${randomBytes(15).toString('base64url')}`
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const HOUR = 3600

export async function startCanaryWorld(): Promise<CanaryWorld> {
  const key = signingKey()
  const heard: string[] = []
  const handed = new Map<string, string[]>()
  const live = new Set<string>()
  const nonces = new Map<string, { nonce: string | null; client: string }>()

  function hand(kind: string, secret = canaryOf(kind)): string {
    handed.set(kind, [...(handed.get(kind) ?? []), secret])
    return secret
  }
  const now = () => Math.floor(Date.now() / 1000)
  const jwt = (typ: string, claims: Record<string, unknown>) =>
    signedBy(key, { typ }, { iss: world.url, sub: 'cara-there', iat: now(), exp: now() + HOUR, ...claims })

  const metadata = () => ({
    issuer: world.url,
    authorization_endpoint: `${world.url}/authorize`,
    token_endpoint: `${world.url}/token`,
    registration_endpoint: `${world.url}/register`,
    revocation_endpoint: `${world.url}/revoke`,
    jwks_uri: `${world.url}/jwks`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    id_token_signing_alg_values_supported: ['ES256'],
    subject_types_supported: ['public'],
    authorization_response_iss_parameter_supported: true,
  })

  function authorize({ query }: Asked, res: ServerResponse): void {
    const code = hand(query.has('nonce') ? 'sign-in-code' : 'account-code')
    nonces.set(code, { nonce: query.get('nonce'), client: query.get('client_id') ?? '' })
    const back = new URL(query.get('redirect_uri') ?? '')
    for (const [name, value] of Object.entries({ code, state: query.get('state') ?? '', iss: world.url }))
      back.searchParams.set(name, value)
    res.writeHead(302, { location: back.href }).end()
  }

  /** What one kind of client is given. */
  function tokensFor({ form }: Asked): Record<string, unknown> {
    const grant = form.get('grant_type')
    const wanted = form.get('requested_token_type') ?? ''
    if (grant === EXCHANGE && wanted.endsWith('id-jag'))
      return { access_token: hand('id-jag', jwt('oauth-id-jag+jwt', {})), issued_token_type: wanted, token_type: 'N_A' }
    if (grant === EXCHANGE) return { access_token: hand('exchanged', jwt('at+jwt', { aud: form.get('audience') })) }
    if (grant === 'client_credentials') return { access_token: hand('client-credentials') }
    if (form.get('requested_token_use') === 'on_behalf_of') return { access_token: hand('on-behalf-of') }
    if (grant !== 'authorization_code' && grant !== 'refresh_token') return { access_token: hand('id-jag-access') }
    const from = nonces.get(form.get('code') ?? '')
    const renewed = form.get('refresh_token') ?? ''
    const isSignIn = from === undefined ? handed.get('sign-in-refresh')?.includes(renewed) : from.nonce !== null
    if (!isSignIn) return accountTokens()
    const claims = { aud: from?.client, email: 'cara@corp.example', email_verified: true, name: 'Cara' }
    return {
      access_token: hand('sign-in-access'),
      refresh_token: hand('sign-in-refresh'),
      // So short that they are renewed at their first use.
      ...(from && { id_token: hand('sign-in-id', jwt('JWT', { ...claims, nonce: from.nonce })), expires_in: 20 }),
    }
  }

  function accountTokens() {
    const access_token = hand('account-access')
    live.add(access_token)
    return { access_token, refresh_token: hand('account-refresh') }
  }

  function mcp(asked: Asked, res: ServerResponse): unknown {
    const message = JSON.parse(asked.body || '{}') as { id?: unknown; method?: string }
    const given = asked.authorization.replace(/^Bearer /, '')
    const challenge = `Bearer resource_metadata="${world.url}/.well-known/oauth-protected-resource${asked.path}"`
    if (asked.path === '/mcp/account' && !live.has(given))
      return json(res, 401, { error: 'invalid_token', given }, { 'www-authenticate': challenge })
    if (message.id === undefined) return res.writeHead(202).end()
    const cached = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' }
    const answers: Record<string, object> = {
      'server/discover': { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } },
      'tools/list': { tools: [{ name: 'read', inputSchema: { type: 'object' } }] },
      'tools/call': { content: [{ type: 'text', text: 'done' }] },
    }
    const result = { ...cached, ...answers[message.method ?? ''] }
    return json(res, 200, { jsonrpc: '2.0', id: message.id, result })
  }

  function vault(asked: Asked, res: ServerResponse): unknown {
    if (asked.path.endsWith('/login'))
      return json(res, 200, { auth: { client_token: hand('vault-login'), lease_duration: HOUR } })
    const kind = asked.path.endsWith('/as-person') ? 'vault-person-secret' : 'vault-secret'
    return json(res, 200, { data: { data: { pat: hand(kind) }, metadata: { version: 1 } } })
  }

  const routes: [RegExp, (asked: Asked, res: ServerResponse) => unknown][] = [
    [/^\/\.well-known\/oauth-protected-resource/, (asked, res) => json(res, 200, resourceOf(asked))],
    [/^\/\.well-known\//, (_asked, res) => json(res, 200, metadata())],
    [/^\/jwks$/, (_asked, res) => json(res, 200, { keys: [key.jwk] })],
    [/^\/register$/, (asked, res) => json(res, 201, registered(asked))],
    [/^\/authorize$/, authorize],
    [/^\/token$/, (asked, res) => json(res, 200, { token_type: 'Bearer', expires_in: HOUR, ...tokensFor(asked) })],
    [/^\/revoke$/, (_asked, res) => res.writeHead(200).end()],
    [/^\/v1\//, vault],
    [/^\/mcp\//, mcp],
  ]
  const resourceOf = ({ path }: Asked) => ({
    resource: world.url + path.replace('/.well-known/oauth-protected-resource', ''),
    authorization_servers: [world.url],
  })
  const registered = ({ body }: Asked) => ({
    ...(JSON.parse(body) as object),
    client_id: 'registered',
    client_secret: hand('registered-secret'),
    client_secret_expires_at: 0,
    token_endpoint_auth_method: 'client_secret_basic',
  })

  const server = createServer(async (req, res) => {
    const body = Buffer.concat(await req.toArray()).toString()
    heard.push([`${req.method} ${req.url}`, ...req.rawHeaders, body].join('\n'))
    const url = new URL(req.url ?? '/', 'http://here')
    const asked: Asked = {
      ...{ path: url.pathname, query: url.searchParams, headers: req.headers, body },
      authorization: req.headers.authorization ?? '',
      form: new URLSearchParams(body),
    }
    const route = routes.find(([pattern]) => pattern.test(asked.path))
    if (world.isTalkative && /^\/(?:token|mcp|v1|register)/.test(asked.path)) return repeat(asked, req, res)
    if (route === undefined) return void res.writeHead(404).end()
    route[1](asked, res)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const world: CanaryWorld = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ heard, handed, isTalkative: false },
    presented: (audience) =>
      hand('presented', jwt('at+jwt', { aud: audience, client_id: 'client', scope: 'mcp:tools', jti: 'one' })),
    expire: () => live.clear(),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return world
}

/** All that it was sent, in every field of an error that somebody might show, log or hand on. */
function repeat({ body }: Asked, { rawHeaders, url = '' }: IncomingMessage, res: ServerResponse): void {
  const sent = [url, ...rawHeaders, body].join(' ')
  const quoted = sent.replaceAll(/[^ -~]|["\\]/g, ' ').slice(0, 4000)
  json(
    res,
    url.startsWith('/mcp') ? 401 : 400,
    {
      error: 'invalid_grant',
      error_description: sent,
      error_uri: `https://as.example/${encodeURIComponent(sent)}`,
      errors: [sent],
    },
    { 'www-authenticate': `Bearer error="invalid_token", error_description="${quoted}"`, 'x-debug': quoted },
  )
}

function json(res: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
