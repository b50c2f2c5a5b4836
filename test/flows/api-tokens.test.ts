// API tokens from the operator's shell to the script that uses them: created on the command line beside a running gate, used by curl's
// request and by the official client, rotated, revoked; and streams that end with the token that opened them.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminApi, adminApiOf, basic } from '../support/admin-api.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { runCommand, type Served, serve } from '../support/cli.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import type { Mode } from '../support/sdk.ts'

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'script', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

describe('beside a running gate', () => {
  let canary: Canary
  let served: Served
  beforeAll(async () => {
    canary = await startCanary()
    served = await serve(
      {
        servers: [{ id: 'notes', url: canary.url }],
        policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
        admin: { user: 'admin', password: 'twelve brave ducks by a pond' },
      },
      [ANN],
    )
  })
  afterAll(async () => {
    await served?.close()
    await canary?.close()
  })
  const portcullis = async (...words: string[]) => {
    const ended = await runCommand(['tokens', ...words, '--config', served.configFile], { cwd: served.folder })
    expect(ended).toMatchObject({ code: 0 })
    return { ...ended, secret: ended.stdout.trimEnd() }
  }
  const at = async (secret: string) => (await callTool(`${served.url}/servers/notes/mcp`, secret, 'read_note')).status

  it('the operator creates one and hands it to a script; rotates it; revokes it', async () => {
    const { secret, stderr } = await portcullis('create', 'nightly', '--user', 'ann', '--reach', 'notes/read_*')
    const id = /tok_[\w-]+/.exec(stderr)?.[0] ?? ''
    // What `curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d … URL` sends.
    const answer = await fetch(`${served.url}/servers/notes/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${secret}`,
        accept: '*/*',
        'content-type': 'application/json',
        'user-agent': 'curl',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    })
    expect(answer.status).toBe(200)
    expect(await answer.text()).not.toContain('write_note')

    const rotated = await portcullis('rotate', id, '--transition', '1h')
    expect([await at(secret), await at(rotated.secret)]).toEqual([200, 200])
    await portcullis('revoke', id, '--reason', 'left the project')
    await expect.poll(() => at(rotated.secret), { interval: 200 }).toBe(401)
    expect(await at(secret)).toBe(401)
    expect(served.said).not.toContain(secret)
  })

  it('a service acts under its own name, as the administrator’s script made it', async () => {
    const api = adminApi(served, basic('admin', 'twelve brave ducks by a pond'))
    const { id, secret } = await api.token({ name: 'deploy', kind: 'service', owner: 'ci', expires_in: '1h' })
    expect(await at(secret)).toBe(200)
    const { body } = await api.send('GET', '/tokens?owner=service:ci')
    expect(body.tokens).toMatchObject([{ id, owner: 'service:ci', created_by: 'administrator:admin' }])
    const tail = await runCommand(['audit', 'tail', '--no-follow', '--config', served.configFile], {
      cwd: served.folder,
    })
    expect(tail.stdout).toMatch(/allow +service:ci +notes tools\/call read_note/)
    expect(tail.stdout).toMatch(/allow +service:ci +token_created deploy/)
  })
})

describe('the official client', () => {
  let fixture: Fixture
  let gateway: TestGateway
  beforeAll(async () => {
    fixture = await startFixture()
    gateway = await startGateway({ servers: [{ id: 'fixture', url: fixture.url }] })
  })
  afterAll(async () => {
    await gateway?.close()
    await fixture?.close()
  })
  const own = async () => adminApiOf(gateway, await gateway.person())

  it.each<[string, Mode, (secret: string) => Record<string, string>]>([
    ['in the handshake era, as a bearer token', 'legacy', (secret) => ({ Authorization: `Bearer ${secret}` })],
    ['in the handshake era, as an API key', 'legacy', (secret) => ({ 'X-API-Key': secret })],
    [
      'with MCP 2026-07-28, as a bearer token',
      { pin: '2026-07-28' },
      (secret) => ({ Authorization: `Bearer ${secret}` }),
    ],
  ])('uses one %s: no browser, no sign-in', async (what, mode, headers) => {
    const { secret } = await (await own()).token({ name: what, reach: ['fixture/test_simple_text'] })
    const client = new Client({ name: 'script', version: '1' }, { versionNegotiation: { mode } })
    const requestInit = { headers: headers(secret) }
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.resource('fixture')), { requestInit }))
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['test_simple_text'])
    const result = await client.callTool({ name: 'test_simple_text', arguments: {} })
    expect(JSON.stringify(result.content)).toContain('"text"')
    await expect(client.callTool({ name: 'test_image_content', arguments: {} })).rejects.toThrow()
    await client.close()
  })

  it.each<[string, (api: Awaited<ReturnType<typeof own>>, id: string) => Promise<unknown>]>([
    ['is revoked', (api, id) => api.send('DELETE', `/tokens/${id}`)],
    ['is replaced at once', (api, id) => api.send('POST', `/tokens/${id}/rotate`, { transition: 0 })],
  ])('a stream ends when the token that opened it %s', async (what, end) => {
    const api = await own()
    const { id, secret } = await api.token({ name: what })
    const stream = await fetch(gateway.resource('fixture'), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${secret}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'subscriptions/listen',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'subscriptions/listen',
        params: { notifications: { toolsListChanged: true }, _meta: META },
      }),
    })
    expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    const reader = stream.body?.getReader()
    const ended = (async () => {
      while (!(await reader?.read())?.done);
      return 'ended'
    })().catch(() => 'ended')
    expect(await gateway.metrics()).toMatch(/^portcullis_streams_open 1$/m)
    await end(api, id)
    expect(await ended).toBe('ended')
  })
})
