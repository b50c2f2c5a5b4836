// Kuadrant's guide from step 2 to step 5, word for word where it gives words, against a realm that is not ours; then the same realm as the
// company's identity provider for our own sign-in. A real Keycloak where there is one (test/support/realm.ts says how), else its imitation.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Command, startCommand, writeConfig } from '../support/cli.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'
import { type Realm, startRealm } from '../support/realm.ts'
import { GATE_CLIENT, MCP_USER } from '../support/realm-members.ts'
import { createSdkHost } from '../support/sdk.ts'

const LONG = 600_000

let realm: Realm
let fixture: Fixture
let gate: Command & { readonly url: string }
/** Of mcp, for the gate's `/mcp`. */
let token: string | undefined

beforeAll(async () => {
  realm = await startRealm()
  process.stdout.write(`The realm is on ${realm.product}: ${realm.why}.\n`)
  fixture = await startFixture()
  const { url, folder, configFile } = await writeConfig({
    servers: [{ id: 'fixture', url: fixture.url }],
    policy: {
      rules: [
        { id: 'accounting', allow: ['fixture/test_simple_text'], to: ['group:accounting'] },
        { id: 'auditors', allow: ['fixture/test_error_handling'], to: ['role:auditor'] },
        { id: 'the gate itself', allow: ['fixture/test_simple_text'], to: [`client:${GATE_CLIENT.clientId}`] },
      ],
    },
  })
  await realm.nameAudience(`${url}/mcp`)
  // Step 2: configure the gateway's OAuth environment.
  const env = {
    OAUTH_RESOURCE_NAME: 'MCP Server',
    OAUTH_RESOURCE: `${url}/mcp`,
    OAUTH_AUTHORIZATION_SERVERS: realm.issuer,
    OAUTH_BEARER_METHODS_SUPPORTED: 'header',
    OAUTH_SCOPES_SUPPORTED: 'basic,groups,roles,profile',
  }
  const command = startCommand(['serve', '--config', configFile], { cwd: folder, env })
  await command.says(/is ready/)
  gate = Object.assign(command, { url })
}, LONG)
afterAll(async () => {
  await gate?.stop()
  await fixture?.close()
  await realm?.stop()
}, LONG)

const get = async (path: string) => {
  const answer = await fetch(gate.url + path)
  return { status: answer.status, headers: answer.headers, body: await answer.text() }
}

describe('step 3: every address outside /.well-known wants a token of the realm', () => {
  it('401 with the way to the document, and the body of the guide', async () => {
    const answer = await fetch(`${gate.url}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}',
    })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toContain(
      `resource_metadata="${gate.url}/.well-known/oauth-protected-resource/mcp"`,
    )
    expect(await answer.json()).toEqual({ error: 'Unauthorized', message: 'Authentication required.' })
  })
})

describe('step 4: discovery', () => {
  it.each(['', '/mcp'])('the document at /.well-known/oauth-protected-resource%s', async (suffix) => {
    const { status, headers, body } = await get(`/.well-known/oauth-protected-resource${suffix}`)
    expect(status).toBe(200)
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(JSON.parse(body)).toEqual({
      resource_name: 'MCP Server',
      resource: `${gate.url}/mcp`,
      authorization_servers: [realm.issuer],
      bearer_methods_supported: ['header'],
      scopes_supported: expect.arrayContaining(['basic', 'groups', 'roles', 'profile']),
    })
  })

  it('our own authorization server is not there', async () => {
    for (const path of [
      '/.well-known/oauth-authorization-server',
      '/.well-known/openid-configuration',
      '/oauth/authorize',
    ])
      expect((await get(path)).status).toBe(404)
    for (const path of ['/register', '/oauth/register', '/token', '/oauth/token'])
      expect((await fetch(gate.url + path, { method: 'POST' })).status).toBe(404)
  })
})

describe('step 5: the whole flow', () => {
  it('a client finds the realm, registers there, mcp signs in, and sees what their groups and roles may see', async () => {
    const host = createSdkHost(createPerson({ ...MCP_USER, loopbackIsSecure: true }))
    const client = await host.connect(`${gate.url}/mcp`)
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name).sort()).toEqual(['test_error_handling', 'test_simple_text'])
    const { content } = await client.callTool({ name: 'test_simple_text', arguments: {} })
    expect(content).toEqual([expect.objectContaining({ type: 'text' })])
    await client.close()
    expect(host.signIns).toBe(1)

    // The same token at the server's own address: audiences of one server are interchangeable.
    token = host.tokens?.access_token
    expect((await listTools(`${gate.url}/servers/fixture/mcp`, token)).status).toBe(200)
    const forged = `${token?.slice(0, -6)}AAAAAA`
    expect((await listTools(`${gate.url}/mcp`, forged)).status).toBe(401)
    // What is in no rule is as if it were not there.
    const hidden = await callTool(`${gate.url}/mcp`, token, 'test_image_content')
    expect(hidden.body).toMatchObject({ error: { code: -32602 } })
    // Not an access token, though the same realm signed it for the same person.
    const idToken = host.tokens?.id_token
    if (idToken !== undefined) expect((await listTools(`${gate.url}/mcp`, idToken)).status).toBe(401)
  })

  it('a program signs in in its own name', async () => {
    const { token_endpoint: endpoint } = (await (
      await fetch(`${realm.issuer}/.well-known/openid-configuration`)
    ).json()) as { token_endpoint: string }
    const { clientId, clientSecret } = GATE_CLIENT
    const answer = await fetch(endpoint, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: `${gate.url}/mcp` }),
    })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    const { status, body } = await listTools(`${gate.url}/mcp`, token)
    expect(status).toBe(200)
    const { tools } = body['result'] as { tools: { name: string }[] }
    expect(tools.map(({ name }) => name)).toEqual(['test_simple_text'])
  })
})

describe('the same realm as the company’s identity provider', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startGateway({
      servers: [{ id: 'fixture', url: fixture.url }],
      identity: {
        providers: [{ id: 'corp', type: 'keycloak', title: 'Corp', issuer: realm.issuer, ...GATE_CLIENT }],
        allowedEmails: ['*@corp.example'],
      },
      auth: { issuers: [{ issuer: realm.issuer, type: 'keycloak', audience: `${gate.url}/mcp`, allowedEmails: [] }] },
      policy: {
        rules: [
          { id: 'engineering', allow: ['fixture/test_simple_text'], to: ['group:engineering'] },
          { id: 'nobody', allow: ['fixture/*'], to: ['group:no-such-group'] },
        ],
      },
    })
    await realm.allowRedirect(`${gateway.url}/callback/corp`)
  }, LONG)
  afterAll(() => gateway?.close())

  it('mcp signs in there, consents here, and is who the realm says: address, groups, roles', async () => {
    const person = createPerson({ ...MCP_USER, provider: /corp/i, loopbackIsSecure: true })
    const client = await createSdkHost(person).connect(gateway.resource('fixture'))
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['test_simple_text'])
    await client.close()
    const events = await gateway.audit((all) => all.some((event) => event.kind === 'act' && event.act === 'sign_in'))
    const signIn = events.find((event) => event.kind === 'act' && event.act === 'sign_in')
    expect(signIn).toMatchObject({ email: MCP_USER.email, decision: 'allow' })
    const user = await gateway.store.durable.users.find(String(signIn?.subject))
    expect(user).toMatchObject({ issuer: realm.issuer, email: MCP_USER.email, emailVerified: true })
    expect(user?.groups).toEqual(expect.arrayContaining(['accounting', 'engineering', 'mcp-users']))
    expect(user?.roles).toContain('auditor')

    // The realm's own token for them is the same account, so that one switch closes both ways in.
    const knock = async () => (await listTools(gateway.resource('fixture'), token)).status
    expect(await knock()).toBe(200)
    await gateway.store.durable.users.setDisabled(String(user?.id), true, gateway.clock.now())
    gateway.clock.advance('6s')
    expect(await knock()).toBe(401)
  })
})
