// A guarded MCP server with its authorization server, as they stand behind the gate: rotates refresh tokens, and where one comes twice
// revokes all that came of it (RFC 9700 §4.14.2). Everything it is asked is written down; how it behaves can be changed at any time.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Asked {
  readonly host: 'mcp' | 'as'
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Form, or JSON turned to text. */
  readonly form: URLSearchParams
  readonly body: string
}

interface Family {
  readonly person: string
  readonly scope: string
  revoked: boolean
  current: string
}

export interface AuthServerOptions {
  /** Life of an access token in seconds; `undefined`: it says nothing. */
  expiresIn?: number | undefined
  /** Changes the metadata before it is told. */
  metadata?: (document: Record<string, unknown>) => Record<string, unknown>
  /** Changes the resource document. */
  resource?: (document: Record<string, unknown>) => Record<string, unknown>
  /** In place of the resource document's address in the challenge; `null`: no address in it. */
  resourceMetadata?: string | null
  /** Scopes a call must have. */
  scopes?: readonly string[]
  /** `iss` of the answer; `null`: none. */
  iss?: string | null
  /** Runs between the exchange of a refresh token and its answer. */
  onRefresh?: () => Promise<void> | void
  /** Answers in place of the token endpoint. */
  tokenEndpoint?: (form: URLSearchParams) => { status: number; body: Record<string, unknown> } | undefined
  /** The token endpoint sends whoever asks elsewhere. */
  redirectTokens?: string
  /** Gives out no refresh tokens. */
  noRefresh?: boolean
}

export interface GuardedUpstream {
  /** Its MCP endpoint. */
  readonly url: string
  readonly issuer: string
  readonly options: AuthServerOptions
  readonly asked: Asked[]
  /** How many refresh tokens were exchanged; how many came that were spent before. */
  readonly refreshes: () => number
  readonly reuses: () => number
  readonly registrations: () => number
  /** Access tokens die, refresh tokens live on. */
  expireAccessTokens(): void
  /** All that was given dies. */
  revokeAll(): void
  close(): Promise<void>
}

const hash = (text: string) => createHash('sha256').update(text).digest('base64url')
const fresh = (what: string) => `${what}-${randomBytes(18).toString('base64url')}`

export async function startGuardedUpstream(options: AuthServerOptions = {}): Promise<GuardedUpstream> {
  const asked: Asked[] = []
  const clients = new Map<string, { secret: string | undefined; redirectUris: string[] }>()
  const codes = new Map<string, { challenge: string; person: string; scope: string; client: string }>()
  const access = new Map<string, Family>()
  const refresh = new Map<string, Family>()
  let [refreshes, reuses, registrations, people] = [0, 0, 0, 0]

  const authorizationServer = await listen('as', (request, response) => {
    const base = authorizationServer.url
    const { path, query, form } = request
    if (path === '/.well-known/oauth-authorization-server') return json(response, 200, metadataOf(base))
    if (path === '/register') return register(request, response)
    if (path === '/authorize') return authorize(query, response, base)
    if (path === '/token') return token(form, response)
    if (path === '/revoke') return revoke(form, response)
    return json(response, 404, {})
  })

  const metadataOf = (base: string) => {
    const document = {
      issuer: base,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: `${base}/token`,
      registration_endpoint: `${base}/register`,
      revocation_endpoint: `${base}/revoke`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'none'],
      authorization_response_iss_parameter_supported: true,
    }
    return options.metadata?.(document) ?? document
  }

  function register({ body }: Asked, response: ServerResponse): void {
    registrations++
    const { redirect_uris } = JSON.parse(body) as { redirect_uris: string[] }
    const [id, secret] = [fresh('client'), fresh('client-secret')]
    clients.set(id, { secret, redirectUris: redirect_uris })
    json(response, 201, { client_id: id, client_secret: secret, redirect_uris })
  }

  /** Allows at once: whoever the browser says it is, else somebody new. */
  function authorize(query: URLSearchParams, response: ServerResponse, base: string): void {
    const known = clients.get(query.get('client_id') ?? '')
    // OAuth 2.1 §2.3.1: letter by letter. A client that is configured, or has a document, may name any.
    if (known !== undefined && !known.redirectUris.includes(query.get('redirect_uri') ?? ''))
      return void json(response, 400, { error: 'invalid_request' })
    const code = fresh('code')
    codes.set(code, {
      challenge: query.get('code_challenge') ?? '',
      person: query.get('login_hint') ?? `account-${++people}`,
      scope: query.get('scope') ?? '',
      client: query.get('client_id') ?? '',
    })
    const back = new URL(query.get('redirect_uri') ?? '')
    back.searchParams.set('code', code)
    back.searchParams.set('state', query.get('state') ?? '')
    const iss = options.iss === undefined ? base : options.iss
    if (iss !== null) back.searchParams.set('iss', iss)
    response.writeHead(302, { location: back.href }).end()
  }

  async function token(form: URLSearchParams, response: ServerResponse): Promise<unknown> {
    if (options.redirectTokens !== undefined) return response.writeHead(307, { location: options.redirectTokens }).end()
    const scripted = options.tokenEndpoint?.(form)
    if (scripted !== undefined) return json(response, scripted.status, scripted.body)
    if (form.get('grant_type') === 'authorization_code') return codeFor(form, response)
    const given = form.get('refresh_token') ?? ''
    const family = refresh.get(given)
    if (family !== undefined && family.current !== given) {
      reuses++
      family.revoked = true
    }
    if (family === undefined || family.revoked) return json(response, 400, { error: 'invalid_grant' })
    refreshes++
    const answer = give(family)
    await options.onRefresh?.()
    return json(response, 200, answer)
  }

  function codeFor(form: URLSearchParams, response: ServerResponse): unknown {
    const pending = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    if (pending === undefined || hash(form.get('code_verifier') ?? '') !== pending.challenge)
      return json(response, 400, { error: 'invalid_grant' })
    return json(response, 200, give({ person: pending.person, scope: pending.scope, revoked: false, current: '' }))
  }

  function give(family: Family): Record<string, unknown> {
    const [accessToken, refreshToken] = [fresh('at'), fresh('rt')]
    access.set(accessToken, family)
    if (!options.noRefresh) {
      refresh.set(refreshToken, family)
      family.current = refreshToken
    }
    return {
      access_token: accessToken,
      token_type: 'Bearer',
      ...(options.expiresIn !== undefined && { expires_in: options.expiresIn }),
      ...(!options.noRefresh && { refresh_token: refreshToken }),
      ...(family.scope !== '' && { scope: family.scope }),
    }
  }

  function revoke(form: URLSearchParams, response: ServerResponse): void {
    const family = refresh.get(form.get('token') ?? '') ?? access.get(form.get('token') ?? '')
    if (family !== undefined) family.revoked = true
    response.writeHead(200).end()
  }

  const server = await listen('mcp', (request, response) => {
    const { path, headers } = request
    const document = `${server.url}/.well-known/oauth-protected-resource/mcp`
    if (path === '/.well-known/oauth-protected-resource/mcp') {
      const plain = { resource: `${server.url}/mcp`, authorization_servers: [authorizationServer.url] }
      return json(response, 200, options.resource?.(plain) ?? plain)
    }
    if (path !== '/mcp') return json(response, 404, {})
    const family = access.get((headers['authorization'] ?? '').replace(/^Bearer /, ''))
    const named = options.resourceMetadata === undefined ? document : options.resourceMetadata
    const where = named === null ? '' : `, resource_metadata="${named}"`
    if (family === undefined || family.revoked)
      return json(response, 401, {}, { 'www-authenticate': `Bearer error="invalid_token"${where}` })
    const missing = (options.scopes ?? []).filter((scope) => !family.scope.split(' ').includes(scope))
    if (missing.length > 0) {
      const scope = `scope="${(options.scopes ?? []).join(' ')}"`
      return json(response, 403, {}, { 'www-authenticate': `Bearer error="insufficient_scope", ${scope}${where}` })
    }
    return rpc(request, response, family.person)
  })

  async function listen(host: Asked['host'], handle: (asked: Asked, response: ServerResponse) => unknown) {
    const http = createServer(async (request, response) => {
      const one = await read(host, request)
      asked.push(one)
      await handle(one, response)
    })
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    return {
      url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
      close() {
        http.closeAllConnections()
        http.close()
      },
    }
  }

  return {
    url: `${server.url}/mcp`,
    issuer: authorizationServer.url,
    options,
    asked,
    refreshes: () => refreshes,
    reuses: () => reuses,
    registrations: () => registrations,
    expireAccessTokens: () => access.clear(),
    revokeAll() {
      for (const family of [...refresh.values(), ...access.values()]) family.revoked = true
    },
    async close() {
      server.close()
      authorizationServer.close()
    },
  }
}

/** Speaks the newest revision, as little as a call needs: one tool that says whose account was used. */
function rpc({ body }: Asked, response: ServerResponse, person: string): unknown {
  const { id, method, params } = JSON.parse(body) as { id?: unknown; method: string; params?: { arguments?: unknown } }
  const complete = (result: Record<string, unknown>) =>
    json(response, 200, { jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } })
  const cached = { ttlMs: 0, cacheScope: 'private' }
  if (method === 'server/discover')
    return complete({
      ...{ supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, ...cached },
      serverInfo: { name: 'guarded', version: '1' },
    })
  if (method === 'tools/list')
    return complete({ tools: [{ name: 'whoami', inputSchema: { type: 'object' } }], ...cached })
  if (method === 'tools/call') return complete({ content: [{ type: 'text', text: person }] })
  if (id === undefined) return response.writeHead(202).end()
  return json(response, 404, {
    jsonrpc: '2.0',
    id,
    error: { code: -32601, message: `Unknown: ${JSON.stringify(params)}` },
  })
}

async function read(host: Asked['host'], request: IncomingMessage): Promise<Asked> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks).toString()
  const url = new URL(request.url ?? '/', 'http://here')
  const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true
  return {
    ...{ host, method: request.method ?? '', path: url.pathname, query: url.searchParams, body },
    headers: request.headers as Record<string, string | undefined>,
    form: new URLSearchParams(isForm ? body : ''),
  }
}

function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): ServerResponse {
  return response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
