// Acceptance case 9: which of a caller's own header fields go on to which server.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, SSEClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, request } from '../support/mcp.ts'
import { connectRaw, rawRequest } from '../support/raw.ts'
import { fieldsOf, lastCall } from '../support/told.ts'
import { socketTransport } from '../support/websocket.ts'

const GENERAL = ['X-Tenant-Id', 'X-Trace-Id']
const identity = { headers: false, jwt: false }

let canary: Canary
let gateway: TestGateway
let closed: TestGateway
beforeAll(async () => {
  canary = await startCanary()
  const { url } = canary
  gateway = await startGateway({
    passthrough: { headers: GENERAL },
    servers: [
      { id: 'general', url, identity },
      {
        id: 'own',
        url,
        identity,
        passthroughHeaders: ['X-Region', 'X-Authenticated-User', 'X-Groups', 'X-Request-Id'],
      },
      { id: 'none', url, identity, passthroughHeaders: [] },
      { id: 'mapped', url, identity, passthroughHeaders: [{ from: 'X-Tenant-Id', to: 'X-Account' }] },
      { id: 'most', url, identity, passthroughHeaders: { allExcept: ['X-Private'] } },
      {
        id: 'greedy',
        url,
        identity,
        passthroughHeaders: ['Authorization', 'Cookie', 'Host', 'X-Api-Key', 'X-Tenant-Id'],
      },
      { id: 'theirs', url, identity, credentials: { type: 'caller' }, passthroughHeaders: ['Authorization'] },
      {
        id: 'shared',
        url,
        identity,
        credentials: { type: 'headers', headers: { Authorization: 'Bearer ours', 'X-Tenant-Id': 'ours' } },
        passthroughHeaders: ['Authorization', 'X-Tenant-Id'],
      },
      { id: 'told', url, passthroughHeaders: ['X-Forwarded-User', 'X-Forwarded-Roles', 'X-Tenant-Id'] },
    ],
  })
  closed = await startGateway({
    passthrough: { enabled: false, headers: GENERAL },
    servers: [
      { id: 'general', url, identity },
      { id: 'own', url, identity, passthroughHeaders: ['X-Region'] },
    ],
  })
})
afterAll(async () => {
  await gateway?.close()
  await closed?.close()
  await canary?.close()
})

const SENT = {
  'X-Tenant-Id': 'acme',
  'x-trace-id': 't1',
  'X-Region': 'eu',
  'X-Private': 'p',
  'X-Authenticated-User': 'root',
  'X-Groups': 'admins',
  'X-Forwarded-User': 'root',
  'X-Forwarded-Roles': 'root',
  'X-Request-Id': 'theirs',
  'X-Upstream-Authorization': 'Bearer for-upstream',
  Cookie: 'session=1',
}
const tokens = new Map<string, Promise<string>>()
const tokenFor = (server: string, at = gateway) => {
  const key = `${at.url} ${server}`
  const known = tokens.get(key) ?? at.tokenFor(server)
  tokens.set(key, known)
  return known
}
/** What came of the caller's own: all that the gate does not send anyway. */
async function arrived(server: string, sent: Record<string, string> = SENT, at = gateway) {
  const { status } = await callTool(at.resource(server), await tokenFor(server, at), 'read_note', {}, sent)
  expect(status).toBe(200)
  return ownOf(fieldsOf(lastCall(canary)))
}
const OURS = /^(?:host|connection|accept|user-agent|content-.*|mcp-.*|x-request-id)$/
const ownOf = (fields: Record<string, string>) =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !OURS.test(name)))

describe('switched off', () => {
  it('nothing goes on, whatever the lists say', async () => {
    expect(await arrived('general', SENT, closed)).toEqual({})
    expect(await arrived('own', SENT, closed)).toEqual({})
  })
})

describe('switched on', () => {
  it('exactly what is listed goes on, and what the client did not send is passed over', async () => {
    expect(await arrived('general')).toEqual({ 'x-tenant-id': 'acme', 'x-trace-id': 't1' })
    expect(await arrived('general', { 'X-TENANT-ID': 'b' })).toEqual({ 'x-tenant-id': 'b' })
  })

  it('the list of a server takes the place of the general one', async () => {
    const came = await arrived('own')
    expect(came).toEqual({ 'x-region': 'eu', 'x-authenticated-user': 'ann@example.com', 'x-groups': 'engineering' })
    expect(await arrived('none')).toEqual({})
  })

  it('who calls is what was verified, never what the client wrote', async () => {
    expect(fieldsOf(lastCall(canary))['x-request-id']).not.toBe('theirs')
    expect(await arrived('told')).toMatchObject({ 'x-forwarded-user': 'ann@example.com', 'x-tenant-id': 'acme' })
    expect(await arrived('told')).not.toHaveProperty('x-forwarded-roles')
  })

  it('under another name', async () => {
    expect(await arrived('mapped')).toEqual({ 'x-account': 'acme' })
  })

  it('all but some: no credential, no cookie, nobody’s word for who calls', async () => {
    const came = await arrived('most', { ...SENT, 'X-Company-Token': 'secret', 'Accept-Language': 'de' })
    expect(came).toMatchObject({ 'x-tenant-id': 'acme', 'x-trace-id': 't1', 'x-region': 'eu', 'accept-language': 'de' })
    for (const name of ['x-private', 'x-company-token', 'cookie', 'authorization', 'x-authenticated-user', 'x-groups'])
      expect(came).not.toHaveProperty(name)
  })
})

describe('a credential', () => {
  it('goes on for no list', async () => {
    expect(await arrived('greedy', { ...SENT, 'X-Vault-Token': 'v' })).toEqual({ 'x-tenant-id': 'acme' })
    expect(fieldsOf(lastCall(canary))['host']).toBe(new URL(canary.url).host)
  })

  it('is Authorization there only where the caller says so for that server, in X-Upstream-Authorization', async () => {
    expect(await arrived('theirs')).toEqual({ authorization: 'Bearer for-upstream' })
    const { 'X-Upstream-Authorization': _, ...without } = SENT
    expect(await arrived('theirs', without)).toEqual({})
  })

  it('that is configured stays, and so does all that is configured with it', async () => {
    expect(await arrived('shared')).toEqual({ authorization: 'Bearer ours', 'x-tenant-id': 'ours' })
  })
})

describe('values', () => {
  const raw = async (...headers: (readonly [string, string])[]) => {
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'read_note', _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', ...META } },
    })
    const connection = await connectRaw(gateway.port)
    connection.send(
      rawRequest({
        target: '/servers/general/mcp',
        headers: [
          ['Host', `127.0.0.1:${gateway.port}`],
          ['Authorization', `Bearer ${await tokenFor('general')}`],
          ['Content-Type', 'application/json'],
          ['Accept', 'application/json, text/event-stream'],
          ['MCP-Protocol-Version', '2026-07-28'],
          ['Mcp-Method', 'tools/call'],
          ['Mcp-Name', 'read_note'],
          ['Content-Length', String(body.length)],
          ...headers,
        ],
        body,
      }),
    )
    const { status } = await connection.next()
    connection.destroy()
    expect(status).toBe(200)
    return ownOf(fieldsOf(lastCall(canary)))
  }
  const META = {
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }

  it('are cleaned, cut to 4096 bytes, and left out where nothing is left', async () => {
    expect(await raw(['X-Tenant-Id', '\x85 acme\t\xa0'])).toEqual({ 'x-tenant-id': 'acme' })
    expect((await raw(['X-Tenant-Id', 'x'.repeat(5000)]))['x-tenant-id']).toHaveLength(4096)
    expect(await raw(['X-Tenant-Id', '\x85'], ['X-Trace-Id', ''])).toEqual({})
    expect(await raw(['X-Tenant-Id', 'J\xf6rg'])).toEqual({ 'x-tenant-id': 'J\xf6rg' })
  })

  it('of a field that comes twice are none', async () => {
    expect(await raw(['X-Tenant-Id', 'a'], ['x-tenant-id', 'b'], ['X-Trace-Id', 't'])).toEqual({ 'x-trace-id': 't' })
  })

  it('of what Connection names stay here', async () => {
    expect(await raw(['X-Tenant-Id', 'a'], ['X-Trace-Id', 't'], ['Connection', 'keep-alive, x-tenant-ID'])).toEqual({
      'x-trace-id': 't',
    })
  })
})

describe('on the other ways in', () => {
  it('at /mcp each server gets what its list says', async () => {
    const token = await tokenFor('*')
    const all = (name: string) =>
      request(`${gateway.url}/mcp`, token, 'tools/call', { name, arguments: {} }, { 'mcp-name': name, ...SENT })
    expect((await all('general__read_note')).status).toBe(200)
    expect(ownOf(fieldsOf(lastCall(canary)))).toEqual({ 'x-tenant-id': 'acme', 'x-trace-id': 't1' })
    expect((await all('mapped__read_note')).status).toBe(200)
    expect(ownOf(fieldsOf(lastCall(canary)))).toEqual({ 'x-account': 'acme' })
  })

  const older = () => new Client({ name: 'older', version: '1' }, { versionNegotiation: { mode: 'legacy' } })

  it('the fields of a WebSocket’s handshake go with each of its messages', async () => {
    const headers = { Authorization: `Bearer ${await tokenFor('general')}`, ...SENT }
    const client = older()
    await client.connect(socketTransport(`${gateway.url}/servers/general/ws`, headers))
    await client.callTool({ name: 'read_note', arguments: {} })
    expect(ownOf(fieldsOf(lastCall(canary)))).toEqual({ 'x-tenant-id': 'acme', 'x-trace-id': 't1' })
    await client.close()
  })

  it('those of a message beside an event stream go with that message', async () => {
    const headers = { Authorization: `Bearer ${await tokenFor('general')}`, ...SENT }
    const client = older()
    const address = new URL(`${gateway.url}/servers/general/sse`)
    await client.connect(new SSEClientTransport(address, { requestInit: { headers } }))
    await client.callTool({ name: 'read_note', arguments: {} })
    expect(ownOf(fieldsOf(lastCall(canary)))).toEqual({ 'x-tenant-id': 'acme', 'x-trace-id': 't1' })
    await client.close()
  })
})

describe('by ContextForge’s variables', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'portcullis-passthrough-'))
    writeFileSync(
      join(folder, 'portcullis.yaml'),
      'servers: [{ id: notes, url: "http://127.0.0.1:9/mcp" }]\npassthrough: { headers: [X-File] }\n',
    )
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const passthrough = async (env: Record<string, string>) => {
    const { config, warnings } = await loadConfig({ env, cwd: folder })
    return { ...config.passthrough, warnings: warnings.filter((line) => line.includes('PASSTHROUGH')) }
  }

  it.each(['["X-Tenant-Id", "X-Trace-Id"]', 'X-Tenant-Id,X-Trace-Id', ' X-Tenant-Id , X-Trace-Id '])(
    'a list as %s',
    async (list) => {
      const env = { ENABLE_HEADER_PASSTHROUGH: 'true', DEFAULT_PASSTHROUGH_HEADERS: list }
      expect(await passthrough(env)).toEqual({ enabled: true, headers: GENERAL, overwrite: false, warnings: [] })
    },
  )

  it('alone, the switch lets through what the file lists; without a list, what ContextForge lets through', async () => {
    expect(await passthrough({ ENABLE_HEADER_PASSTHROUGH: 'true' })).toMatchObject({ headers: ['X-File'] })
    const { config } = await loadConfig({ env: { ENABLE_HEADER_PASSTHROUGH: 'true' }, cwd: tmpdir() })
    expect(config.passthrough).toMatchObject({ enabled: true, headers: GENERAL })
  })

  it('a list without the switch lets nothing through, and says so', async () => {
    const { enabled, warnings } = await passthrough({ DEFAULT_PASSTHROUGH_HEADERS: 'X-Tenant-Id' })
    expect(enabled).toBe(false)
    expect(warnings[0]).toContain('ENABLE_HEADER_PASSTHROUGH')
  })

  it.each([
    ['env', ['X-Tenant-Id']],
    ['db', ['X-File']],
    ['merge', ['X-File', 'X-Tenant-Id']],
  ])('the file’s list and the variable’s: %s', async (source, headers) => {
    const env = { ENABLE_HEADER_PASSTHROUGH: 'true', DEFAULT_PASSTHROUGH_HEADERS: 'X-Tenant-Id' }
    expect(await passthrough({ ...env, PASSTHROUGH_HEADERS_SOURCE: source })).toMatchObject({ headers })
  })
})
