// The company's identity provider in a process of its own: oidc-provider with accounts out of its environment and a login page
// that takes any password. Started by idp.ts; prints its issuer on one line when it listens.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider, { type Configuration, errors } from 'oidc-provider'
import type { IdpOptions, IdpUser } from './idp.ts'

const { users, clients, claimsIn } = JSON.parse(process.env['IDP_OPTIONS'] ?? '{}') as Required<IdpOptions>

const server = createServer()
await once(server.listen(Number(process.env['IDP_PORT'] ?? 0), '127.0.0.1'), 'listening')
// Another name for loopback than the gate's, so that the two are two sites to a cookie jar.
const issuer = `http://localhost:${(server.address() as AddressInfo).port}`

const configuration: Configuration = {
  clients: clients.map((client) => ({
    client_id: '',
    // Loopback redirects of native clients may have any port (RFC 8252 §7.3): the gate's is not known yet.
    application_type: 'native' as const,
    grant_types: ['authorization_code'],
    response_types: ['code' as const],
    ...client,
  })),
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username', ...claimNames(users)],
  },
  conformIdTokenClaims: claimsIn !== 'id_token',
  findAccount: (_, sub) => {
    const user = users.find((candidate) => candidate.sub === sub)
    return user && { accountId: sub, claims: () => user }
  },
  cookies: {
    keys: ['only for tests'],
    names: { session: 'idp_session', interaction: 'idp_interaction', resume: 'idp_resume' },
  },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/login/${interaction.uid}` },
  pkce: { required: () => true },
  ttl: { Session: 3600, Grant: 3600, Interaction: 600, AccessToken: 600, AuthorizationCode: 60, IdToken: 600 },
  renderError: (ctx, out) => {
    ctx.type = 'text/plain'
    ctx.body = `${out.error}: ${out.error_description ?? ''}`
  },
}
const provider = new Provider(issuer, configuration)
const callback = provider.callback()

function claimNames(people: readonly IdpUser[]): string[] {
  const standard = ['sub', 'email', 'email_verified', 'name', 'preferred_username']
  return [...new Set(people.flatMap(Object.keys))].filter((name) => !standard.includes(name))
}

const FORM = `<!doctype html><html lang="en"><title>Company sign-in</title><h1>Company sign-in</h1>
<form method="post"><label>User name <input name="username" autofocus></label>
<label>Password <input name="password" type="password"></label><button type="submit">Sign in</button></form>
<form method="post"><button type="submit" name="cancelled" value="yes">Cancel</button></form>`

async function login(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const details = await provider.interactionDetails(req, res)
  if (req.method !== 'POST') {
    res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(FORM)
    return
  }
  const form = new URLSearchParams(Buffer.concat(await req.toArray()).toString())
  if (form.has('cancelled')) {
    const refusal = { error: 'access_denied', error_description: 'The person cancelled <b>here</b>.' }
    return provider.interactionFinished(req, res, refusal)
  }
  const user = users.find(({ sub, username }) => [sub, username].includes(form.get('username') ?? ''))
  if (!user) {
    res.writeHead(403, { 'content-type': 'text/html; charset=utf-8' }).end(FORM)
    return
  }
  const grant = new provider.Grant({ accountId: user.sub, clientId: String(details.params['client_id']) })
  grant.addOIDCScope(String(details.params['scope']))
  const grantId = await grant.save()
  await provider.interactionFinished(req, res, { login: { accountId: user.sub }, consent: { grantId } })
}

server.on('request', (req, res) => {
  if (!req.url?.startsWith('/login/')) return callback(req, res)
  login(req, res).catch((error: unknown) => {
    res.writeHead(error instanceof errors.SessionNotFound ? 400 : 500).end(String(error))
  })
})
process.stdout.write(`${issuer}\n`)
// Whoever started it is gone.
process.stdin.once('end', () => process.exit()).resume()
