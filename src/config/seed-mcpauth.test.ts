// What mcpauth's variables come to together: the hosts beside its own, the path of its check, its clients, its fixed token.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import { printConfig } from './print.ts'
import { hostsBeside } from './seed-mcpauth.ts'

const cwd = mkdtempSync(join(tmpdir(), 'portcullis-mcpauth-'))
const load = (env: Record<string, string>, seeds: Record<string, string> = {}) =>
  loadConfig({ env, cwd, flags: { seeds } })
const loadFile = (config: object, env: Record<string, string>) => {
  const file = join(cwd, 'mcpauth.json')
  writeFileSync(file, JSON.stringify(config))
  return loadConfig({ env, cwd, flags: { config: file } })
}
const TOKEN = 'kH7-vPq2_wZs9LrT4yXb6NcD8mFg3JtR'
const hostsOf = async (env: Record<string, string>, seeds = {}) =>
  (await load(env, seeds)).config.forwardAuth.resources.map(({ host }) => host)

describe('OAUTH_DOMAIN', () => {
  it.each([
    ['oauth.example.com', '*.example.com'],
    ['oauth.mcp.example.com', '*.mcp.example.com'],
    ['oauth.example.com:8443', '*.example.com'],
    ['example.com', '*.example.com'],
    ['example.co.uk', '*.example.co.uk'],
    ['oauth.example.co.uk', '*.example.co.uk'],
    ['localhost', '*.localhost'],
  ])('%s protects %s', async (domain, hosts) => {
    expect(hostsBeside(domain)).toBe(hosts)
    // Its own address is one of them, or stands beside them.
    const covered = domain.startsWith('oauth.') && !domain.includes(':')
    expect(await hostsOf({ OAUTH_DOMAIN: domain, DEV_MODE: 'true' })).toEqual(covered ? [hosts] : [hosts, domain])
  })

  it('protects nothing beside an address', async () => {
    expect(await hostsOf({ OAUTH_DOMAIN: '192.0.2.7' })).toEqual([])
  })

  it('says so: in the printed configuration, and where no ingress is named', async () => {
    const loaded = await load({ OAUTH_DOMAIN: 'oauth.example.com' })
    expect(printConfig(loaded)).toMatch(/host: ['"]?\*\.example\.com/)
    expect(loaded.warnings.join('\n')).toMatch(/protects \*\.example\.com.*trustedProxies is empty/)
    const named = await load({ OAUTH_DOMAIN: 'oauth.example.com', PORTCULLIS_SERVER_TRUSTED_PROXIES: '10.0.0.0/8' })
    expect(named.warnings.join('\n')).not.toContain('trustedProxies')
  })

  it('gives way to hosts of the configuration, and to a flag', async () => {
    const resources = [{ host: 'mine.example.net' }]
    const { config } = await loadFile({ forwardAuth: { resources } }, { OAUTH_DOMAIN: 'oauth.example.com' })
    expect(config.forwardAuth.resources.map(({ host }) => host)).toEqual(['mine.example.net'])
    const servers = [{ id: 'a', url: 'http://127.0.0.1:1/mcp', publicUrl: 'https://a.example.net/mcp' }]
    expect((await loadFile({ servers }, { OAUTH_DOMAIN: 'oauth.example.com' })).config.forwardAuth.resources).toEqual(
      [],
    )
    expect(await hostsOf({ OAUTH_DOMAIN: 'oauth.example.com' }, { oauthDomain: 'gate.example.org' })).toEqual([
      '*.example.org',
    ])
  })
})

describe('PROTECTED_PATH', () => {
  it('is /sse where mcpauth’s variables alone configure us, and nothing otherwise', async () => {
    expect((await load({ OAUTH_DOMAIN: 'oauth.example.com' })).config.forwardAuth.path).toBe('/sse')
    expect((await load({ OAUTH_RESOURCE_NAME: 'x' })).config.forwardAuth.path).toBeUndefined()
    expect((await load({ PROTECTED_PATH: '/check' })).config.forwardAuth.path).toBe('/check')
    expect((await load({}, { protectedPath: '/check' })).config.forwardAuth.path).toBe('/check')
  })

  it.each(['sse', '/oauth/token', '/health', '/api/v1', '/metrics', '/a/../b', '/a b', '/'])(
    'is not %s',
    async (path) => {
      await expect(load({ PROTECTED_PATH: path })).rejects.toThrow('PROTECTED_PATH')
    },
  )
})

describe('AUTHORIZATION_BEARER_TOKEN', () => {
  it('is taken when it cannot be guessed', async () => {
    const loaded = await load({ AUTHORIZATION_BEARER_TOKEN: TOKEN })
    expect(loaded.config.auth.staticToken).toBe(TOKEN)
    expect(printConfig(loaded)).not.toContain(TOKEN)
  })

  it('refuses to start otherwise, and repeats nothing of it', async () => {
    const loading = load({ AUTHORIZATION_BEARER_TOKEN: 'hunter2-hunter2' })
    await expect(loading).rejects.toThrow(/AUTHORIZATION_BEARER_TOKEN[\s\S]*openssl rand/)
    await expect(loading).rejects.not.toThrow('hunter2')
  })
})

describe('ENABLE_EDGE_AUTH', () => {
  it.each([
    ['true', 'auto'],
    ['false', 'challenge'],
  ])('%s: %s', async (text, mode) => {
    expect((await load({ ENABLE_EDGE_AUTH: text })).config.forwardAuth.unauthenticated).toBe(mode)
  })
})

describe('COOKIE_DOMAIN', () => {
  it('is told by name, with what holds instead', async () => {
    expect((await load({ COOKIE_DOMAIN: 'example.com' })).warnings.join('\n')).toMatch(
      /COOKIE_DOMAIN.*each protected host has its own/,
    )
  })
})

describe('MCPAUTH_BOOTSTRAP_CLIENTS', () => {
  const entry = {
    client_id: 'desk',
    client_secret: 'Wd8-kQ2_zRt5vLm7',
    client_name: 'Desk',
    redirect_uris: ['https://desk.example.com/cb'],
  }
  it('become clients of ours', async () => {
    const { config } = await load({ MCPAUTH_BOOTSTRAP_CLIENTS: JSON.stringify([entry]) })
    expect(config.oauth.clients).toEqual([
      {
        clientId: 'desk',
        clientSecret: 'Wd8-kQ2_zRt5vLm7',
        name: 'Desk',
        redirectUris: ['https://desk.example.com/cb'],
      },
    ])
  })

  it('are told that their scopes say nothing here', async () => {
    const { warnings } = await load({ MCPAUTH_BOOTSTRAP_CLIENTS: JSON.stringify([{ ...entry, scopes: ['email'] }]) })
    expect(warnings.join('\n')).toMatch(/MCPAUTH_BOOTSTRAP_CLIENTS: `scopes`/)
  })

  it.each([
    '{',
    '{}',
    '[1]',
    '[{"client_name":"x"}]',
    '[{"client_id":"x"}]',
    '[{"client_id":"x","redirect_uris":["javascript:alert(1)"]}]',
  ])('refuse to start: %s', async (text) => {
    await expect(load({ MCPAUTH_BOOTSTRAP_CLIENTS: text })).rejects.toThrow('MCPAUTH_BOOTSTRAP_CLIENTS')
  })
})

describe('a client of the configuration', () => {
  it('cannot be the gate’s own', async () => {
    const clients = [{ clientId: 'portcullis-sign-in', redirectUris: ['https://x.example/cb'] }]
    const { createGateway } = await import('../gateway.ts')
    const { config } = await loadFile({ oauth: { clients }, store: { url: 'sqlite::memory:', directory: cwd } }, {})
    const { openStore } = await import('../store/open.ts')
    const store = await openStore(config.store)
    const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
    await expect(createGateway(config, { store, clock: Date.now, log })).rejects.toThrow(/gate’s own client/)
    await store.close()
  })
})
