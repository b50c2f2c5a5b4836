// The process of realm-imitation.ts: oidc-provider as the realm `mcp`. Access tokens are JWTs with the members that Keycloak gives them.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider, { type Configuration, errors } from 'oidc-provider'
import { GATE_CLIENT, MCP_USER } from './realm-members.ts'

const PATH = '/realms/mcp'
const server = createServer()
await once(server.listen(0, '127.0.0.1'), 'listening')
const origin = `http://localhost:${(server.address() as AddressInfo).port}`
const issuer = origin + PATH

const SUBJECT = 'b7c8a2f6-6f0e-4f0b-9d5e-3f2b1a0c9d8e'
const SERVICE = { preferred_username: `service-account-${GATE_CLIENT.clientId}`, client_id: GATE_CLIENT.clientId }
const person = {
  email: MCP_USER.email,
  email_verified: true,
  name: `${MCP_USER.firstName} ${MCP_USER.lastName}`,
  preferred_username: MCP_USER.username,
  groups: MCP_USER.groups,
  realm_access: { roles: MCP_USER.roles },
}

const configuration: Configuration = {
  clients: [
    {
      client_id: GATE_CLIENT.clientId,
      client_secret: GATE_CLIENT.clientSecret,
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/callback/corp'],
      grant_types: ['authorization_code', 'client_credentials'],
      response_types: ['code'],
    },
  ],
  scopes: ['openid', 'offline_access', 'basic', 'groups', 'roles', 'profile', 'email'],
  claims: {
    openid: ['sub', 'groups', 'realm_access'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username'],
  },
  conformIdTokenClaims: false,
  findAccount: (_, sub) => (sub === SUBJECT ? { accountId: sub, claims: () => ({ sub, ...person }) } : undefined),
  extraTokenClaims: (_, token) => ({
    typ: 'Bearer',
    azp: token.clientId,
    ...(token.kind === 'ClientCredentials' ? SERVICE : person),
  }),
  cookies: { keys: ['only for tests'] },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: 'basic groups roles profile',
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 1800,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  interactions: { url: (_, interaction) => `${PATH}/login/${interaction.uid}` },
  pkce: { required: () => false },
  ttl: { Session: 3600, Grant: 3600, Interaction: 600, AccessToken: 1800, AuthorizationCode: 60, IdToken: 600 },
  renderError: (ctx, out) => {
    ctx.type = 'text/plain'
    ctx.body = `${out.error}: ${out.error_description ?? ''}`
  },
}
const provider = new Provider(issuer, configuration)
provider.proxy = true
const callback = provider.callback()

const FORM = `<!doctype html><html lang="en"><title>Sign in to mcp</title><h1>Sign in to your account</h1>
<form method="post"><label>User name <input name="username"></label>
<label>Password <input name="password" type="password"></label><button type="submit" name="login">Sign In</button></form>`

async function login(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { params } = await provider.interactionDetails(req, res)
  const form = new URLSearchParams(req.method === 'POST' ? Buffer.concat(await req.toArray()).toString() : '')
  if (form.get('username') !== MCP_USER.username || form.get('password') !== MCP_USER.password) {
    res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(FORM)
    return
  }
  const grant = new provider.Grant({ accountId: SUBJECT, clientId: String(params['client_id']) })
  grant.addOIDCScope(String(params['scope'] ?? 'openid'))
  if (typeof params['resource'] === 'string') grant.addResourceScope(params['resource'], String(params['scope'] ?? ''))
  const result = { login: { accountId: SUBJECT }, consent: { grantId: await grant.save() } }
  await provider.interactionFinished(req, res, result)
}

server.on('request', (req, res) => {
  // Mounted below its path, where clients look for it (RFC 8414 §3.1, OpenID Connect Discovery §4).
  if (req.url === `/.well-known/oauth-authorization-server${PATH}`) req.url = `${PATH}/.well-known/openid-configuration`
  if (!req.url?.startsWith(PATH)) return void res.writeHead(404).end()
  if (req.url.startsWith(`${PATH}/login/`)) {
    return void login(req, res).catch((error: unknown) => {
      res.writeHead(error instanceof errors.SessionNotFound ? 400 : 500).end(String(error))
    })
  }
  Object.assign(req, { originalUrl: req.url, baseUrl: PATH })
  req.url = req.url.slice(PATH.length) || '/'
  callback(req, res)
})
process.stdout.write(`${issuer}\n`)
// Whoever started it is gone.
process.stdin.once('end', () => process.exit()).resume()
