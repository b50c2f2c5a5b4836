// A real Keycloak with the realm of Kuadrant's guide, set up over its administration API: started from KEYCLOAK_HOME on loopback with a
// database in memory, or one that runs already (KEYCLOAK_URL, development mode, administrator admin/admin).
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Realm } from './realm.ts'
import { GATE_CLIENT, MCP_USER } from './realm-members.ts'
import { freePort, stopProcess } from './upstream.ts'

const ADMIN = { username: 'admin', password: 'admin' }
const START_MS = 300_000

export async function startKeycloak({
  home,
  url,
}: {
  home: string | undefined
  url: string | undefined
}): Promise<Realm> {
  const started = url === undefined ? await startProcess(home ?? '') : { origin: new URL(url).origin, child: undefined }
  const api = await openAdministration(started.origin)
  // One that runs already may have it from an earlier test.
  await api.remove('/admin/realms/mcp')
  await importRealm(api)
  return {
    product: 'Keycloak',
    why: home ?? url ?? '',
    issuer: `${started.origin}/realms/mcp`,
    nameAudience: (resource) => addAudience(api, resource),
    allowRedirect: (uri) => allowRedirect(api, uri),
    async stop() {
      await api.remove('/admin/realms/mcp')
      if (started.child) await stopProcess(started.child)
    },
  }
}

async function startProcess(home: string): Promise<{ origin: string; child: ChildProcess }> {
  const port = await freePort()
  const words = ['start-dev', '--db=dev-mem', '--http-host=127.0.0.1', `--http-port=${port}`]
  const env = {
    ...process.env,
    KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN.username,
    KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password,
  }
  const child = spawn(join(home, 'bin', 'kc.sh'), words, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk))
  const origin = `http://localhost:${port}`
  const until = Date.now() + START_MS
  while (Date.now() < until) {
    if (child.exitCode !== null) throw new Error(`Keycloak ended with ${child.exitCode}:\n${said}`)
    const answer = await fetch(`${origin}/realms/master`).catch(() => undefined)
    if (answer?.ok) return { origin, child }
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  await stopProcess(child, 'SIGKILL')
  throw new Error(`Keycloak did not come up:\n${said}`)
}

interface Administration {
  get<Value>(path: string): Promise<Value>
  /** Answers the id of what was made. */
  post(path: string, body: object): Promise<string>
  put(path: string, body?: object): Promise<void>
  /** Also where it is not there. */
  remove(path: string): Promise<void>
}

async function openAdministration(origin: string): Promise<Administration> {
  const form = new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', ...ADMIN })
  const token = await fetch(`${origin}/realms/master/protocol/openid-connect/token`, { method: 'POST', body: form })
  const { access_token: bearer } = (await token.json()) as { access_token?: string }
  if (bearer === undefined) throw new Error(`Keycloak at ${origin} does not know admin/admin (${token.status}).`)

  async function send(method: string, path: string, body?: object): Promise<Response> {
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }
    const answer = await fetch(origin + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    if (answer.ok || (method === 'DELETE' && answer.status === 404)) return answer
    throw new Error(`${method} ${path} answers ${answer.status}: ${await answer.text()}`)
  }
  return {
    get: async <Value>(path: string) => (await (await send('GET', path)).json()) as Value,
    post: async (path, body) => (await send('POST', path, body)).headers.get('location')?.split('/').at(-1) ?? '',
    put: async (path, body = {}) => void (await send('PUT', path, body)),
    remove: async (path) => void (await send('DELETE', path)),
  }
}

const REALM = '/admin/realms/mcp'

/** What the guide's import has: realm, person, groups, roles, clients, thirty minutes, registration from any host. */
async function importRealm(api: Administration): Promise<void> {
  const { username, password, email, firstName, lastName, groups, roles } = MCP_USER
  await api.post('/admin/realms', {
    realm: 'mcp',
    enabled: true,
    sslRequired: 'none',
    accessTokenLifespan: 1800,
    groups: groups.map((name) => ({ name })),
    roles: { realm: roles.map((name) => ({ name })) },
    users: [
      {
        username,
        email,
        firstName,
        lastName,
        emailVerified: true,
        enabled: true,
        groups,
        realmRoles: ['default-roles-mcp', ...roles],
        credentials: [{ type: 'password', value: password }],
      },
    ],
    clients: [
      {
        clientId: GATE_CLIENT.clientId,
        secret: GATE_CLIENT.clientSecret,
        serviceAccountsEnabled: true,
        directAccessGrantsEnabled: true,
        redirectUris: [],
        attributes: { 'standard.token.exchange.enabled': 'true' },
      },
      // An MCP server as the guide models it: a client whose roles are its tools.
      { clientId: 'mcp-test/fixture', bearerOnly: true },
    ],
  })
  await addGroupsScope(api)
  await openRolesScope(api)
  // The guide takes this policy out, so that clients on any host may register. Not for production.
  const policies = await api.get<{ id: string; providerId: string }[]>(
    `${REALM}/components?type=org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy`,
  )
  for (const { id, providerId } of policies)
    if (providerId === 'trusted-hosts') await api.remove(`${REALM}/components/${id}`)
}

/** What a client that registers asks for is all that it has: audience and roles come with the scopes that our document names. */
async function addGroupsScope(api: Administration): Promise<void> {
  const claims = { 'access.token.claim': 'true', 'id.token.claim': 'true', 'userinfo.token.claim': 'true' }
  const id = await api.post(`${REALM}/client-scopes`, {
    name: 'groups',
    protocol: 'openid-connect',
    attributes: { 'include.in.token.scope': 'true' },
    protocolMappers: [
      {
        name: 'groups',
        protocol: 'openid-connect',
        protocolMapper: 'oidc-group-membership-mapper',
        config: { 'claim.name': 'groups', 'full.path': 'false', ...claims },
      },
    ],
  })
  await api.put(`${REALM}/default-default-client-scopes/${id}`)
  const clients = await api.get<{ id: string }[]>(`${REALM}/clients?clientId=${GATE_CLIENT.clientId}`)
  for (const client of clients) await api.put(`${REALM}/clients/${client.id}/default-client-scopes/${id}`)
}

interface Mapper {
  readonly id: string
  readonly name: string
  readonly config: Readonly<Record<string, string>>
}

async function scopeOf(api: Administration, name: string): Promise<{ id: string; protocolMappers: Mapper[] }> {
  const scopes = await api.get<{ id: string; name: string; protocolMappers: Mapper[] }[]>(`${REALM}/client-scopes`)
  const scope = scopes.find((one) => one.name === name)
  if (scope === undefined) throw new Error(`There is no client scope ${name}.`)
  return scope
}

/** Registered clients get no role unless a scope of theirs opens it, and ID tokens none unless the mapper says so. */
async function openRolesScope(api: Administration): Promise<void> {
  const { id, protocolMappers } = await scopeOf(api, 'roles')
  const roles = await Promise.all(MCP_USER.roles.map((name) => api.get<object>(`${REALM}/roles/${name}`)))
  await api.post(`${REALM}/client-scopes/${id}/scope-mappings/realm`, roles)
  const mapper = protocolMappers.find(({ name }) => name === 'realm roles')
  if (mapper === undefined) throw new Error('There is no mapper of realm roles.')
  const changed = { ...mapper, config: { ...mapper.config, 'id.token.claim': 'true' } }
  await api.put(`${REALM}/client-scopes/${id}/protocol-mappers/models/${mapper.id}`, changed)
}

/** Keycloak has no resource indicators (RFC 8707): the audience comes with a scope. */
async function addAudience(api: Administration, resource: string): Promise<void> {
  const { id } = await scopeOf(api, 'groups')
  await api.post(`${REALM}/client-scopes/${id}/protocol-mappers/models`, {
    name: `audience ${resource}`,
    protocol: 'openid-connect',
    protocolMapper: 'oidc-audience-mapper',
    config: { 'included.custom.audience': resource, 'access.token.claim': 'true', 'id.token.claim': 'false' },
  })
}

async function allowRedirect(api: Administration, uri: string): Promise<void> {
  const path = `${REALM}/clients`
  const [client] = await api.get<{ id: string; redirectUris: string[] }[]>(`${path}?clientId=${GATE_CLIENT.clientId}`)
  if (client === undefined) throw new Error('The sign-in client is not there.')
  await api.put(`${path}/${client.id}`, { ...client, redirectUris: [...client.redirectUris, uri] })
}
