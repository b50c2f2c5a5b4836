// Sign-in across two tiers, as Solace draws it: an MCP client, the gateway it talks to, the authorization server that many gateways
// share, and the company's identity provider. The gateway and the server are two processes of ours on the documented configuration
// files; the provider is a third. All of them on one host, where cookies know no ports.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ActEvent } from '../../src/audit/event.ts'
import { openStore } from '../../src/store/open.ts'
import { type Command, startCommand } from '../support/cli.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { type Idp, startIdp } from '../support/idp.ts'
import { createPerson } from '../support/person.ts'
import { createSdkHost } from '../support/sdk.ts'
import { freePort } from '../support/upstream.ts'

const CARA = {
  sub: 'cara-at-the-company',
  username: 'cara',
  password: 'any will do there',
  email: 'cara@corp.example',
  email_verified: true,
  name: 'Cara',
  groups: ['data'],
}
const DAN = {
  ...CARA,
  sub: 'dan-at-the-company',
  username: 'dan',
  email: 'dan@corp.example',
  name: 'Dan',
  groups: ['sales'],
}
const SECRET = 'between the server and the provider'

const authServerYaml = (port: number, gatewayPort: number, issuer: string) => `
server: { url: "http://localhost:${port}", listen: "127.0.0.1:${port}", drain: 1s }

proxy_oauth:
  enabled: true
  allowed_redirect_uris:
    - "http://localhost:${gatewayPort}/oauth/callback"  # MCP gateway
    - "https://mcp.example.com/oauth/callback"  # Production Example
  gateway_code_ttl_seconds: 300
  strict_uri_validation: true

providers:
  keycloak:
    issuer: ${issuer}
    client_id: gate
    client_secret: \${KEYCLOAK_SECRET}
    redirect_uri: http://localhost:${port}/callback
    scope: openid email profile

session:
  timeout: 3600
`

const gatewayYaml = (port: number, upstream: string) => `
server: { url: "http://localhost:${port}", listen: "127.0.0.1:${port}", drain: 1s }

adapter_config:
    enable_auth: \${OAUTH2_ENABLED}

    external_auth_service_url: \${EXTERNAL_AUTH_SERVICE_URL, http://localhost:8080}
    external_auth_provider: \${EXTERNAL_AUTH_PROVIDER, azure}

servers:
  - { id: fixture, url: "${upstream}" }
policy:
  rules:
    - { id: data-people, allow: ["fixture/*"], to: ["group:data"] }
    - { id: sales-people, allow: ["fixture/test_simple_text"], to: ["group:sales"] }
`

interface Tier {
  readonly url: string
  readonly folder: string
  readonly command: Command
}

async function startTier(port: number, yaml: string, env: Record<string, string>): Promise<Tier> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-tier-'))
  const file = join(folder, 'portcullis.yaml')
  writeFileSync(file, yaml)
  const command = startCommand(['serve', '--config', file], { cwd: folder, env })
  await command.says(/is ready/)
  return { url: `http://localhost:${port}`, folder, command }
}

async function actsOf({ folder }: Tier): Promise<ActEvent[]> {
  const store = await openStore({
    url: `sqlite:${join(folder, 'data', 'portcullis.db')}`,
    directory: join(folder, 'data'),
  })
  const lines = await store.records.newest(1000)
  await store.close()
  return lines.map(({ line }) => JSON.parse(line) as ActEvent).filter(({ kind }) => kind === 'act')
}

let fixture: Fixture
let idp: Idp
let server: Tier
let gateway: Tier
beforeAll(async () => {
  fixture = await startFixture()
  idp = await startIdp({
    users: [CARA, DAN],
    clients: [{ client_id: 'gate', client_secret: SECRET, redirect_uris: ['http://localhost/callback'] }],
  })
  const [serverPort, gatewayPort] = [await freePort(), await freePort()]
  server = await startTier(serverPort, authServerYaml(serverPort, gatewayPort, idp.issuer), { KEYCLOAK_SECRET: SECRET })
  gateway = await startTier(gatewayPort, gatewayYaml(gatewayPort, fixture.url), {
    OAUTH2_ENABLED: 'true',
    EXTERNAL_AUTH_SERVICE_URL: server.url,
    EXTERNAL_AUTH_PROVIDER: 'keycloak',
  })
})
afterAll(async () => {
  await gateway?.command.stop()
  await server?.command.stop()
  await idp?.stop()
  await fixture?.close()
  for (const tier of [gateway, server]) if (tier) rmSync(tier.folder, { recursive: true, force: true })
})

const browserOf = (user: typeof CARA) => createPerson({ ...user, provider: /keycloak/i })

describe('the twelve steps', () => {
  it('bring an MCP client to its tools, with what the provider says of the person', async () => {
    const person = browserOf(CARA)
    const host = createSdkHost(person)
    // 1, 2: the client finds the gateway's own authorization server. 3: it opens the browser there. 12: it has its tokens.
    const client = await host.connect(`${gateway.url}/servers/fixture/mcp`, 'auto')
    expect((await client.listTools()).tools.length).toBeGreaterThan(3)
    const result = await client.callTool({ name: 'test_simple_text', arguments: {} })
    expect(result.isError ?? false).toBe(false)
    await client.close()

    const at = (address: string) => person.visited.indexOf(address)
    const journey = [
      `${gateway.url}/oauth/authorize`, // 4
      `${server.url}/login`, // 5, 6
      `${idp.issuer}/auth`, // 7
      `${server.url}/callback`, // 8, 9
      `${gateway.url}/oauth/callback`, // 10, 11
    ]
    expect(journey.map(at)).not.toContain(-1)
    expect(journey.map(at)).toEqual(journey.map(at).toSorted((a, b) => a - b))
    expect(host.signIns).toBe(1)
  })

  it('hand on neither the provider’s tokens nor those of the server', async () => {
    const host = createSdkHost(browserOf(CARA))
    const client = await host.connect(`${gateway.url}/servers/fixture/mcp`, 'auto')
    await client.close()
    const token = host.tokens?.access_token ?? ''
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    expect(claims).toMatchObject({ iss: gateway.url, aud: `${gateway.url}/servers/fixture/mcp` })
    const asked = await fetch(`${server.url}/user_info`, { headers: { authorization: `Bearer ${token}` } })
    expect(asked.status).toBe(401)
  })

  it('show everyone what their own groups may see', async () => {
    const client = await createSdkHost(browserOf(DAN)).connect(`${gateway.url}/servers/fixture/mcp`, 'auto')
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['test_simple_text'])
    await client.close()
  })

  it('are on record in both tiers', async () => {
    const [there, here] = [await actsOf(server), await actsOf(gateway)]
    const gatewayClient = `gateway:${gateway.url}/oauth/callback`
    const said = (acts: ActEvent[]) =>
      acts.filter(({ decision }) => decision === 'allow').map(({ act, reason }) => `${act} ${reason}`)
    expect(said(there)).toEqual(
      expect.arrayContaining(['sign_in keycloak', 'consent allowed_by_person', 'token_issued authorization_code']),
    )
    expect(there.filter(({ act }) => act === 'token_issued').map(({ client }) => client)).toContain(gatewayClient)
    expect(said(here)).toEqual(expect.arrayContaining(['sign_in delegated', 'token_issued authorization_code']))
    expect(here.find(({ act }) => act === 'sign_in')).toMatchObject({ email: CARA.email })
  })

  it('end at the client when the person cancels at the provider, by way of both tiers', async () => {
    const person = browserOf(CARA)
    const cancel = async (url: string) => {
      const stopAt = new URL(url).searchParams.get('redirect_uri') ?? ''
      let visit = await person.open(url)
      for (const button of [/allow/i, /keycloak/i, /allow/i, /keycloak/i]) visit = await person.submit(visit, button)
      expect(new URL(visit.url).origin).toBe(idp.issuer)
      return person.submit(visit, /cancel/i, {}, { stopAt })
    }
    const host = createSdkHost({ ...person, follow: cancel })
    await expect(host.connect(`${gateway.url}/servers/fixture/mcp`, 'auto')).rejects.toThrow(/cancelled/)
    expect(person.visited.slice(-2)).toEqual([
      `${gateway.url}/oauth/callback`,
      expect.stringContaining('/oauth/authorize/'),
    ])
  })
})
