// Scopes that only some calls need: clients sign in with what is usual, are told of the rest by the call that needs it, and ask for it
// then. MCP 2026-07-28, Authorization: scope challenge handling; by the official Inspector and the official SDK.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { registerClient } from '../support/client.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { runInspector } from '../support/inspector.ts'
import { callTool, listTools } from '../support/mcp.ts'
import { createSdkHost } from '../support/sdk.ts'

const TITLE = 'Call the tool that answers in plain text'

let fixture: Fixture
let gateway: TestGateway
let folder: string

beforeAll(async () => {
  fixture = await startFixture()
  gateway = await startGateway({
    servers: [{ id: 'fixture', url: fixture.url }],
    policy: { rules: [{ allow: ['fixture/*'], to: ['*'] }] },
    scopes: {
      'mcp:tools': { title: 'Use the tools' },
      'fixture:text': {
        title: TITLE,
        requiredFor: ['fixture/test_simple_text', 'resource:fixture/test://static-text'],
      },
      'fixture:audit': { title: 'Be seen', requiredFor: ['fixture/test_simple_*'] },
    },
    forwardAuth: { resources: [{ host: 'fixture.example.com', server: 'fixture' }] },
    server: { trustedProxies: ['127.0.0.1'] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await fixture?.close()
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'step-up-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const url = () => gateway.resource('fixture')

describe('what clients are told', () => {
  it('first what is usual; the authorization server knows all there is', async () => {
    const first = await listTools(url(), undefined)
    expect(first.status).toBe(401)
    expect(first.headers.get('www-authenticate')).toContain('scope="mcp:tools"')
    const document = await fetch(`${gateway.url}/.well-known/oauth-protected-resource/servers/fixture/mcp`)
    expect(await document.json()).toMatchObject({ scopes_supported: ['mcp:tools'] })
    const server = await fetch(`${gateway.url}/.well-known/oauth-authorization-server`)
    const all = ['mcp:tools', 'fixture:text', 'fixture:audit']
    expect(await server.json()).toMatchObject({ scopes_supported: expect.arrayContaining(all) })
  })

  it('one challenge names every scope the call needs; the same token may call the rest', async () => {
    const token = await gateway.tokenFor('fixture', { scope: 'mcp:tools' })
    const refused = await callTool(url(), token, 'test_simple_text')
    expect(refused.status).toBe(403)
    expect(refused.headers.get('www-authenticate')).toMatch(
      /^Bearer error="insufficient_scope".* scope="fixture:text fixture:audit mcp:tools"$/,
    )
    expect((await callTool(url(), token, 'test_image_content')).status).toBe(200)
  })

  it('half of them is not enough, all of them are, and without one that covers the call they open nothing', async () => {
    const call = async (scope: string) =>
      (await callTool(url(), await gateway.tokenFor('fixture', { scope }), 'test_simple_text')).status
    expect(await call('mcp:tools fixture:text')).toBe(403)
    expect(await call('mcp:tools fixture:text fixture:audit')).toBe(200)
    expect(await call('fixture:text fixture:audit')).toBe(403)
  })

  it('a client that names no scope is given what is usual', async () => {
    const { accessToken } = await gateway.signIn('fixture', { scope: 'offline_access' })
    expect((await listTools(url(), accessToken)).status).toBe(200)
    expect((await callTool(url(), accessToken, 'test_simple_text')).status).toBe(403)
  })
})

it('an ingress that asks the gate passes only the calls that the token opens, though every rule allows all of them', async () => {
  const client = await registerClient(gateway)
  const person = await gateway.person()
  const signIn = (scope: string) => client.signIn(person, { resource: 'https://fixture.example.com', scope })
  const ask = ({ accessToken }: { accessToken: string }, name: string) =>
    fetch(`${gateway.url}/auth`, {
      method: 'POST',
      headers: {
        'x-forwarded-method': 'POST',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'fixture.example.com',
        'x-forwarded-uri': '/mcp',
        'content-type': 'application/json',
        authorization: `Bearer ${accessToken}`,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } }),
    })
  const usual = await signIn('mcp:tools')
  const refused = await ask(usual, 'test_simple_text')
  expect(refused.status).toBe(403)
  expect(refused.headers.get('www-authenticate')).toContain('scope="fixture:text fixture:audit mcp:tools"')
  expect((await ask(usual, 'test_image_content')).status).toBe(200)
  expect((await ask(await signIn('mcp:tools fixture:text fixture:audit'), 'test_simple_text')).status).toBe(200)
})

describe.each(['legacy', 'modern'])('the Inspector CLI, protocol era %s', (era) => {
  let clientId: string
  // It takes challenges up only with a client of its own; without one it signs in anew.
  beforeAll(async () => {
    clientId = (await registerClient(gateway, { redirectUris: ['http://127.0.0.1/oauth/callback'] })).id
  })
  const inspect = async (input: string, ...words: string[]) => {
    const args = [...words, '--protocol-era', era, '--client-id', clientId]
    return runInspector({ url: url(), folder, args, person: await gateway.person(), input })
  }
  const scopesOf = (visit: string | undefined) => new URL(visit ?? '').searchParams.get('scope')?.split(' ')
  const CALL = ['--method', 'tools/call', '--tool-name', 'test_simple_text']

  it('steps up when its person agrees, and keeps what it had', async () => {
    const listed = await inspect('', '--method', 'tools/list')
    expect(scopesOf(listed.visits[0])).not.toContain('fixture:text')
    const called = await inspect('y\n', ...CALL)
    expect(called.stderr).toMatch(/step-up/i)
    expect(scopesOf(called.visits[0])).toEqual(
      expect.arrayContaining(['mcp:tools', 'fixture:text', 'fixture:audit', 'offline_access']),
    )
    expect(called.result.content?.[0]?.text).toBeTruthy()
    expect((await inspect('', ...CALL, '--stored-auth-only')).code).toBe(0)
  })

  it('stays where it is when its person does not agree', async () => {
    await inspect('', '--method', 'tools/list')
    const called = await inspect('n\n', ...CALL)
    expect(called.stderr).toMatch(/step-up/i)
    expect(called.visits).toEqual([])
    expect(called.code).not.toBe(0)
    expect((await inspect('', '--method', 'tools/list', '--stored-auth-only')).code).toBe(0)
  })
})

describe.each(['legacy', 'auto'] as const)('the SDK, protocol era %s', (mode) => {
  it('steps up with finishAuth, and keeps what it had', async () => {
    const host = createSdkHost(await gateway.person())
    const client = await host.connect(url(), mode)
    try {
      expect((await client.listTools()).tools.map(({ name }) => name)).toContain('test_simple_text')
      expect(host.tokens?.scope?.split(' ')).not.toContain('fixture:text')
      const call = () => client.callTool({ name: 'test_simple_text', arguments: {} })
      const result = await host.allowing(client, call)
      expect(result.isError).not.toBe(true)
      expect(host.signIns).toBe(2)
      expect(host.tokens?.scope?.split(' ')).toEqual(
        expect.arrayContaining(['mcp:tools', 'fixture:text', 'fixture:audit']),
      )
      expect((await call()).isError).not.toBe(true)
    } finally {
      await client.close()
    }
  })
})

it('the consent page says what is asked for, in words', async () => {
  const client = await registerClient(gateway)
  const person = await gateway.person('carla')
  const pageFor = async (scope: string) => (await person.open(client.authorize({ resource: url(), scope }).url)).html
  expect(await pageFor('mcp:tools fixture:text')).toContain(TITLE)
  expect(await pageFor('mcp:tools')).not.toContain(TITLE)
})
