// What a protected resource is called, and whose tokens its document tells clients to get: ours, the company's, or those that are written.
import { get } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { registerClient } from '../support/client.ts'
import { type GatewayOptions, startGateway, type TestGateway } from '../support/gateway.ts'
import { signedBy, startIssuer, type TestIssuer } from '../support/issuer.ts'
import { callTool } from '../support/mcp.ts'
import { freePort } from '../support/upstream.ts'

const closing: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close()
})
const opened = async <Value extends { close(): Promise<void> }>(opening: Promise<Value>): Promise<Value> => {
  const value = await opening
  closing.push(value)
  return value
}

const A = 'https://a.example/realms/mcp'
const B = 'https://b.example'
const document = async (gateway: TestGateway, suffix: string) => {
  const answer = await fetch(`${gateway.url}/.well-known/oauth-protected-resource${suffix}`)
  return answer.status === 200 ? ((await answer.json()) as Record<string, unknown>) : { status: answer.status }
}
const start = async (
  options: Omit<GatewayOptions, 'servers'>,
  ids: readonly string[] = ['notes'],
  more: object = {},
) => {
  const canary: Canary = await opened(startCanary())
  const servers = ids.map((id) => ({ id, url: canary.url, ...more }))
  return { canary, gateway: await opened(startGateway({ servers, ...options })) }
}

describe('authorization_servers', () => {
  const named = async (options: object, more: object = {}) => {
    const { gateway } = await start(options, ['notes'], more)
    const { authorization_servers: servers } = await document(gateway, '/servers/notes/mcp')
    return { servers, own: gateway.url }
  }
  const issuers = [{ issuer: A }, { issuer: B }]

  it('is ours, where nothing is said', async () => {
    const { servers, own } = await named({})
    expect(servers).toEqual([own])
  })
  it('is ours beside other issuers, while our door is open', async () => {
    const { servers, own } = await named({ auth: { issuers } })
    expect(servers).toEqual([own])
  })
  it('is the issuers, where our door is closed', async () => {
    expect((await named({ auth: { issuers }, doors: { oauth: false } })).servers).toEqual([A, B])
  })
  it('is the issuers, where our tokens do not count', async () => {
    expect((await named({ auth: { issuers, tokens: false } })).servers).toEqual([A, B])
  })
  it('is those of the server, where it takes fewer', async () => {
    const { servers } = await named({ auth: { issuers } }, { auth: { tokens: false, issuers: [B] } })
    expect(servers).toEqual([B])
  })
  it('is what is written, whatever else', async () => {
    expect((await named({ oauth: { authorizationServers: [B] }, auth: { issuers } })).servers).toEqual([B])
  })
  it('RFC 9728 §3.2: is left out where nobody can be named', async () => {
    const proxied = { auth: { tokens: false, proxy: {} } }
    expect((await named(proxied)).servers).toBeUndefined()
  })
})

describe('scopes_supported', () => {
  const scopes = { 'notes:read': { title: 'Read notes', covers: ['notes/*'] } }
  const told = async (entry: object) => {
    const { gateway } = await start({
      scopes,
      auth: { issuers: [{ issuer: A, ...entry }] },
      doors: { oauth: false },
      oauth: { scopesSupported: ['basic'], requiredScopes: ['profile'] },
    })
    return (await document(gateway, '/servers/notes/mcp'))['scopes_supported']
  }
  it('has none of ours where another server gives out the tokens: it would refuse them', async () => {
    expect(await told({})).toEqual(['profile', 'basic'])
  })
  it('has ours where that server knows them', async () => {
    expect(await told({ scopes: true })).toEqual(['profile', 'notes:read', 'basic'])
  })
})

describe('the address /mcp', () => {
  const external = async (options: (url: string) => object = () => ({})) => {
    const issuer: TestIssuer = await opened(startIssuer())
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const resource = `http://mcp.example.test:${port}/mcp`
    const canary = await opened(startCanary())
    const gateway = await opened(
      startGateway({
        servers: [{ id: 'notes', url: canary.url }],
        server: { url, listen: `127.0.0.1:${port}` },
        auth: { issuers: [{ issuer: issuer.issuer }] },
        oauth: { resource },
        ...options(url),
      }),
    )
    const now = () => Math.floor(gateway.clock.now() / 1000)
    const token = (aud: string) =>
      signedBy(issuer.key, {}, { iss: issuer.issuer, sub: 'ann', aud, client_id: 'c', exp: now() + 60 })
    return { gateway, canary, url, resource, token }
  }

  it('has the identity that is written, also on another origin, and its document is the root’s', async () => {
    const { gateway, resource } = await external()
    for (const suffix of ['', '/mcp']) expect(await document(gateway, suffix)).toMatchObject({ resource })
    expect(await document(gateway, '/servers/notes/mcp')).toMatchObject({ resource: gateway.resource('notes') })
    const challenge = await callTool(`${gateway.url}/mcp`, undefined, 'read_note')
    expect(challenge.headers.get('www-authenticate')).toContain(
      `resource_metadata="${new URL(resource).origin}/.well-known/oauth-protected-resource/mcp"`,
    )
    const own = await callTool(gateway.resource('notes'), undefined, 'read_note')
    expect(own.headers.get('www-authenticate')).toContain('/oauth-protected-resource/servers/notes/mcp"')
  })

  it('takes tokens of either name at either address, and of no other', async () => {
    const { gateway, canary, resource, token } = await external()
    const addresses = [`${gateway.url}/mcp`, gateway.resource('notes')]
    for (const address of addresses)
      for (const aud of [resource, gateway.resource('notes')])
        expect((await callTool(address, token(aud), 'read_note')).status).toBe(200)
    expect(canary.requests).toHaveLength(4)
    for (const address of addresses)
      for (const aud of [`${gateway.url}/mcp`, new URL(resource).origin, `${resource}/`])
        expect((await callTool(address, token(aud), 'read_note')).status).toBe(401)
    expect(canary.requests).toHaveLength(4)
  })

  it('answers under the name of that identity, and under no foreign one', async () => {
    const { resource, gateway } = await external()
    const statusAt = (host: string) =>
      new Promise((resolve, reject) =>
        get({ port: new URL(gateway.url).port, path: '/health', headers: { host } }, (res) =>
          resolve(res.resume().statusCode),
        ).once('error', reject),
      )
    expect(await statusAt(new URL(resource).host)).toBe(200)
    expect(await statusAt(new URL(gateway.url).host)).toBe(200)
    expect(await statusAt(`evil.example.test:${new URL(gateway.url).port}`)).toBe(403)
  })

  it('gets our own tokens for it', async () => {
    const { gateway } = await external((url) => ({ oauth: { resource: `${url}/mcp` } }))
    const person = await gateway.person()
    const client = await registerClient(gateway)
    const { accessToken } = await client.signIn(person, { resource: `${gateway.url}/mcp`, scope: 'mcp:tools' })
    expect((await callTool(`${gateway.url}/mcp`, accessToken, 'read_note')).status).toBe(200)
    // A client that names no resource means this one.
    const unnamed = await client.signIn(person, { resource: undefined, scope: 'mcp:tools' })
    expect((await callTool(`${gateway.url}/mcp`, unnamed.accessToken, 'read_note')).status).toBe(200)
  })

  it('is the address of all servers as one where there are several, under the identity that is written', async () => {
    const resource = 'https://mcp.example.com/mcp'
    const { gateway } = await start({ oauth: { resource } }, ['notes', 'others'])
    for (const suffix of ['', '/mcp']) expect(await document(gateway, suffix)).toMatchObject({ resource })
    const challenge = await callTool(`${gateway.url}/mcp`, undefined, 'read_note')
    expect(challenge.headers.get('www-authenticate')).toContain(
      'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"',
    )
  })

  it('shows a server that is alone as one of many where no identity is written: its tokens are others', async () => {
    const { gateway, canary } = await start({}, ['notes'])
    const own = await gateway.tokenFor('notes')
    const all = await gateway.tokenFor('*')
    expect((await callTool(`${gateway.url}/mcp`, own, 'notes__read_note')).status).toBe(401)
    expect((await callTool(gateway.resource('notes'), all, 'read_note')).status).toBe(401)
    expect((await callTool(`${gateway.url}/mcp`, all, 'notes__read_note')).body).toMatchObject({ result: {} })
    expect((await callTool(gateway.resource('notes'), own, 'read_note')).body).toMatchObject({ result: {} })
    expect(canary.requests.filter(({ body }) => body.includes('tools/call'))).toHaveLength(2)
  })

  it('is not there where the servers are not shown as one', async () => {
    const { gateway } = await start({ aggregate: { enabled: false } }, ['notes', 'others'])
    expect((await callTool(`${gateway.url}/mcp`, undefined, 'read_note')).status).toBe(404)
    expect(await document(gateway, '/mcp')).toEqual({ status: 404 })
  })
})
