import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-portkey-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Found by its name, as it lies there. */
async function load(config: object) {
  writeFileSync(join(folder, 'gateway-config.json'), JSON.stringify(config))
  return loadConfig({ env: {}, cwd: folder })
}

describe('auth: { type, enabled }', () => {
  it.each(['bearer', 'api-key', 'oauth'])('%s is open anyway', async (type) => {
    const { config } = await load({ auth: { type, enabled: true } })
    expect(config.auth).toEqual((await load({})).config.auth)
    expect(config.auth.tokens).toBe(true)
  })

  it('stands beside our own keys', async () => {
    const { config } = await load({ auth: { type: 'bearer', header: 'X-Gate' } })
    expect(config.auth.header).toBe('X-Gate')
  })

  it('mtls needs what proves certificates', async () => {
    await expect(load({ auth: { type: 'mtls' } })).rejects.toThrow(/auth\.type[\s\S]*clientCa/)
    const tls = { cert: 'a.crt', key: 'a.key', clientCa: 'ca.crt', clientCert: 'optional' }
    const { config } = await load({ auth: { type: 'mtls', mtls: {} }, server: { tls } })
    expect(config.auth.mtls).toMatchObject({ identity: 'san-uri' })
  })

  it.each([
    ['off', { enabled: false }, /gateway-config\.json[\s\S]*Sign-in is always on/],
    ['off in a text', { enabled: 'false' }, /Sign-in is always on/],
    ['unknown', { type: 'none' }, /There is no such way/],
    ['no text', { type: ['bearer'] }, /There is no such way/],
    ['against our own key', { type: 'bearer', tokens: false }, /auth\.tokens says the opposite/],
  ])('%s is refused', async (_what, auth, said) => {
    await expect(load({ auth })).rejects.toThrow(said)
  })
})

describe('servers by name', () => {
  it('become ours', async () => {
    const { config } = await load({
      servers: {
        notes: {
          url: 'https://notes.example.com/mcp',
          headers: { 'X-Key': 'k' },
          auth_type: 'headers',
          transport: 'http',
        },
        files: { url: 'https://files.example.com/mcp', auth_type: 'none', title: 'Files' },
      },
    })
    expect(config.servers).toEqual([
      expect.objectContaining({
        id: 'notes',
        credentials: { type: 'headers', headers: { 'X-Key': 'k' }, reload: 60_000 },
      }),
      expect.objectContaining({ id: 'files', title: 'Files', credentials: { type: 'none' } }),
    ])
  })

  it('are signed in to by each person with an account of their own', async () => {
    const { config } = await load({
      identity: { providers: [{ type: 'local' }] },
      servers: {
        notes: {
          url: 'https://notes.example.com/mcp',
          auth_type: 'oauth_auto',
          oauth_metadata: { client_id: 'ours', client_secret: 's3cret', scope: 'read  write' },
        },
        files: { url: 'https://files.example.com/mcp', auth_type: 'oauth_auto' },
      },
    })
    expect(config.servers.map((server) => 'credentials' in server && server.credentials)).toEqual([
      expect.objectContaining({ type: 'oauth', clientId: 'ours', clientSecret: 's3cret', scopes: ['read', 'write'] }),
      expect.objectContaining({ type: 'oauth', scopes: [] }),
    ])
  })

  it.each([
    ['a name with a slash', 'team/notes', {}, /team\/notes[\s\S]*write team_notes/],
    [
      'another credential',
      'notes',
      { auth_type: 'client_credentials' },
      /servers\.notes\.auth_type[\s\S]*client_credentials is none that is read here/,
    ],
    [
      'a client of no sign-in',
      'notes',
      { oauth_metadata: { client_id: 'ours' } },
      /servers\.notes\.oauth_metadata[\s\S]*oauth_auto` alone/,
    ],
    [
      'what the gate says of itself',
      'notes',
      { auth_type: 'oauth_auto', oauth_metadata: { redirect_uris: ['https://x.example/'] } },
      /servers\.notes\.oauth_metadata\.redirect_uris[\s\S]*remove it/,
    ],
    ['another transport', 'notes', { transport: 'sse' }, /servers\.notes\.transport[\s\S]*sse is not available/],
    ['lists of tools', 'notes', { tools: { blocked: ['drop'] } }, /servers\.notes\.tools[\s\S]*policy\.rules/],
    ['an unknown key', 'notes', { logs: true }, /There is no setting "logs"/],
  ])('%s is refused', async (_what, id, more, said) => {
    await expect(load({ servers: { [id]: { url: 'https://notes.example.com/mcp', ...more } } })).rejects.toThrow(said)
  })

  it('keep the list of headers that pass', async () => {
    const { config } = await load({
      servers: { notes: { url: 'https://notes.example.com/mcp', passthroughHeaders: ['X-Tenant-Id'] } },
    })
    expect(config.servers).toEqual([expect.objectContaining({ id: 'notes', passthroughHeaders: ['X-Tenant-Id'] })])
  })

  it('and what is no server is told', async () => {
    await expect(load({ servers: { notes: 'https://notes.example.com/mcp' } })).rejects.toThrow(/servers/)
  })
})
