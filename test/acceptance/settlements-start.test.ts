// The settlements that are made at the start, by the row: addresses, ports, databases, http, warnings, and what this version does
// not have.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { laterKeys } from '../../src/config/later.ts'
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts'
import { SEED_KEYS } from '../../src/config/seed-keys.ts'
import { VARIABLES } from '../../src/config/seeds.ts'
import { openStore } from '../../src/store/open.ts'
import { type Command, runCommand, startCommand } from '../support/cli.ts'
import { type FreshDatabase, freshDatabase } from '../support/postgres.ts'
import { freePort } from '../support/upstream.ts'

type Env = Readonly<Record<string, string>>

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-settlements-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** From the environment alone; no name but those given resolves. */
const load = (env: Env, hosts: Readonly<Record<string, readonly string[]>> = {}): Promise<LoadedConfig> =>
  loadConfig({ env, cwd: folder, resolveHost: async (host) => hosts[host] ?? [] })
const loadFile = (config: object, env: Env = {}, hosts: Readonly<Record<string, readonly string[]>> = {}) => {
  const file = join(folder, 'settled.json')
  writeFileSync(file, JSON.stringify(config))
  return loadConfig({ flags: { config: file }, env, cwd: folder, resolveHost: async (host) => hosts[host] ?? [] })
}

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

/** The real program on variables of other systems alone. */
async function startWith(env: Env): Promise<Command> {
  const cwd = mkdtempSync(join(folder, 'start-'))
  const command = startCommand(['serve'], { cwd, env })
  stops.push(() => command.stop())
  await command.says(/is ready/)
  return command
}

describe('server.url when not set', () => {
  it.each<[string, Env, string]>([
    ['https://OAUTH_DOMAIN', { OAUTH_DOMAIN: 'gate.example.com', PORT: '4444' }, 'https://gate.example.com'],
    ['the origin of OAUTH_RESOURCE', { OAUTH_RESOURCE: 'https://mcp.example.com/mcp' }, 'https://mcp.example.com'],
    [
      'OAUTH_DOMAIN before OAUTH_RESOURCE',
      { OAUTH_DOMAIN: 'gate.example.com', OAUTH_RESOURCE: 'https://mcp.example.com/mcp' },
      'https://gate.example.com',
    ],
    ['http://localhost:PORT', { PORT: '5555' }, 'http://localhost:5555'],
    ['without a port where it is 80', { PORT: '80' }, 'http://localhost'],
  ])('is %s', async (_what, env, url) => {
    expect((await load(env)).config.server.url).toBe(url)
  })

  it('gives way to one that is set', async () => {
    const { config } = await loadFile(
      { server: { url: 'https://mine.example' } },
      { OAUTH_RESOURCE: 'https://x.example' },
    )
    expect(config.server.url).toBe('https://mine.example')
  })
})

describe('OAUTH_RESOURCE', () => {
  const env = { OAUTH_RESOURCE: 'https://mcp.example.com/mcp' }
  const SERVER = { id: 'notes', url: 'http://127.0.0.1:1/mcp' }

  it('sets the resource identity of /mcp, also on another origin', async () => {
    const { config, warnings } = await loadFile({ server: { url: 'https://gate.example' }, servers: [SERVER] }, env)
    expect(config.oauth.resource).toBe('https://mcp.example.com/mcp')
    expect(config.server.url).toBe('https://gate.example')
    expect(warnings.join('\n')).not.toContain('OAUTH_RESOURCE')
  })

  it.each([
    ['no server', {}, /OAUTH_RESOURCE.*no server is configured/],
    [
      'two, and they are not shown as one',
      { servers: [SERVER, { ...SERVER, id: 'other' }], aggregate: { enabled: false } },
      /OAUTH_RESOURCE.*aggregate\.enabled is false/,
    ],
  ])('says that /mcp is not there, where there is %s', async (_many, config, said) => {
    expect((await loadFile(config, env)).warnings.join('\n')).toMatch(said)
  })

  it('is that of all servers as one, where there are two', async () => {
    const { warnings } = await loadFile({ servers: [SERVER, { ...SERVER, id: 'other' }] }, env)
    expect(warnings.join('\n')).not.toContain('OAUTH_RESOURCE')
  })
})

describe('ports', () => {
  it.each<[string, Env, string]>([
    ['4444 is ours', { OAUTH_RESOURCE_NAME: 'x' }, '127.0.0.1:4444'],
    ['11000 is mcpauth’s, when its variables configure us', { CLIENT_ID: 'x' }, '127.0.0.1:11000'],
    ['PORT wins over 4444', { OAUTH_RESOURCE_NAME: 'x', PORT: '9000' }, '127.0.0.1:9000'],
    ['PORT wins over 11000', { CLIENT_ID: 'x', PORT: '9000' }, '127.0.0.1:9000'],
    ['what Kubernetes injects is no PORT', { LOG_LEVEL: '1', PORTCULLIS_PORT: 'tcp://10.0.0.1:80' }, '127.0.0.1:4444'],
  ])('%s', async (_what, env, listen) => {
    expect((await load(env)).config.server.listen).toBe(listen)
  })

  it('PORT is where it really listens', async () => {
    const port = await freePort()
    await startWith({ PORT: String(port) })
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200)
    const metadata = await (await fetch(`http://localhost:${port}/.well-known/oauth-authorization-server`)).json()
    expect(metadata).toMatchObject({ issuer: `http://localhost:${port}` })
  })
})

describe('lives', () => {
  it('are 10 minutes, 60 seconds and 8 hours where nothing is said', async () => {
    const { config } = await load({ LOG_LEVEL: '1' })
    expect(config.oauth).toMatchObject({ accessTokenTtl: 600_000, codeTtl: 60_000 })
    expect(config.identity.sessionTtl).toBe(8 * 3_600_000)
  })

  it('SESSION_TTL is that of the browser’s sign-in, in seconds as ContextForge writes it', async () => {
    expect((await load({ SESSION_TTL: '3600' })).config.identity.sessionTtl).toBe(3_600_000)
  })
})

describe('DATABASE_URL', () => {
  let database: FreshDatabase
  beforeAll(async () => {
    database = await freshDatabase()
  }, 120_000)
  afterAll(() => database?.drop())

  it.each(['postgres:', 'postgresql:'])('opens the same database as %s//', async (protocol) => {
    const { config } = await load({ DATABASE_URL: database.url.replace(/^postgres:/, protocol) })
    expect(new URL(config.store.url).protocol).toBe(protocol)
    const store = await openStore(config.store)
    await store.durable.clients.save({ id: protocol, metadata: {}, createdAt: 1 })
    const count = await store.durable.clients.count()
    await store.close()
    expect(count).toBe(protocol === 'postgres:' ? 1 : 2)
  })

  it('of another kind refuses to start, without telling its password', async () => {
    await expect(load({ DATABASE_URL: 'mysql://root:hunter-2@db/x' })).rejects.toThrow(/DATABASE_URL/)
    await expect(load({ DATABASE_URL: 'mysql://root:hunter-2@db/x' })).rejects.not.toThrow('hunter-2')
  })
})

describe('http issuers and resources', () => {
  const withUrl = (url: string, more: object = {}) => ({ server: { url, ...more } })
  const withIssuer = (issuer: string, more: object = {}) => ({
    server: more,
    identity: { providers: [{ id: 'corp', type: 'oidc', issuer, clientId: 'x' }] },
  })
  const HOSTS = {
    'gate.test': ['127.0.0.1', '::1'],
    'half.test': ['127.0.0.1', '192.0.2.7'],
    'far.test': ['192.0.2.7'],
  }

  it.each([
    ['loopback by address', 'http://127.0.0.1:4444'],
    ['loopback by name', 'http://localhost:4444'],
    ['a name that resolves to loopback', 'http://gate.test:4444'],
    ['https wherever it is', 'https://far.test'],
  ])('are taken on %s', async (_what, url) => {
    expect((await loadFile(withUrl(url), {}, HOSTS)).config.server.url).toBe(url)
    expect((await loadFile(withIssuer(url), {}, HOSTS)).config.identity.providers).toHaveLength(1)
  })

  it.each([
    ['another machine', 'http://far.test'],
    ['a name that is only half at home', 'http://half.test'],
    ['a name that does not resolve', 'http://nowhere.test'],
    ['a private network', 'http://10.0.0.5:4444'],
    ['every interface', 'http://0.0.0.0:4444'],
  ])('refuse to start on %s, unless server.development is true', async (_what, url) => {
    await expect(loadFile(withUrl(url), {}, HOSTS)).rejects.toThrow(/server\.url[\s\S]*is http[\s\S]*https URL/)
    await expect(loadFile(withIssuer(url), {}, HOSTS)).rejects.toThrow(/issuer[\s\S]*is http/)
    const { config } = await loadFile(withUrl(url, { development: true }), {}, HOSTS)
    expect(config.server.url).toBe(url)
    expect((await loadFile(withIssuer(url, { development: true }), {}, HOSTS)).config.identity.providers).toHaveLength(
      1,
    )
  })
})

describe('ALLOWED_EMAILS empty with a provider that knows everybody', () => {
  const provider = (type: string, issuer: string) => ({
    identity: { providers: [{ id: 'corp', type, issuer, clientId: 'x', clientSecret: 'y' }] },
  })
  const OPEN = [
    ['google', 'https://accounts.google.com'],
    ['github', 'https://github.com'],
    ['entra', 'https://login.microsoftonline.com/common/v2.0'],
    ['entra', 'https://login.microsoftonline.com/organizations/v2.0'],
  ] as const
  const said = async (config: object, env: Env = {}) => (await loadFile(config, env)).warnings.join('\n')

  it.each(OPEN)('warns at start: %s %s', async (type, issuer) => {
    expect(await said(provider(type, issuer))).toMatch(/allowedEmails is empty.*corp/)
    expect(await said(provider(type, issuer), { ALLOWED_EMAILS: '*@example.com' })).toBe('')
  })

  it.each([
    ['okta', 'https://company.okta.example'],
    ['entra', 'https://login.microsoftonline.com/8f2c5d6e-0000-4000-8000-1234567890ab/v2.0'],
    ['keycloak', 'https://id.example.com/realms/company'],
  ])('says nothing of a provider of the company: %s %s', async (type, issuer) => {
    expect(await said(provider(type, issuer))).toBe('')
  })

  it('is in the text of the start', async () => {
    const started = await startWith({ PORT: String(await freePort()), CLIENT_ID: 'gate', CLIENT_SECRET: 'x' })
    const [warning] = await started.says(/Warning: .*allowedEmails is empty.*/)
    expect(warning).toContain('google')
  })
})

describe('foreign YAML keys', () => {
  it.each(SEED_KEYS.map(({ name }) => name))('%s refuses to start, by name', async (name) => {
    const [first = '', second] = name.split('.')
    const config = { [first]: second === undefined ? {} : { [second]: 'x' } }
    await expect(loadFile(config)).rejects.toThrow(`${name} is not available in this version`)
  })

  it.each([
    ['the key', { adapter_config: { enable_auth: false, external_auth_service_url: 'http://localhost:8080' } }, {}],
    ['no key', { adapter_config: { external_auth_service_url: 'http://localhost:8080' } }, {}],
    [
      'the variable',
      { adapter_config: { enable_auth: true, external_auth_service_url: 'http://localhost:8080' } },
      { OAUTH2_ENABLED: 'false' },
    ],
  ])('enable_auth: false (%s) sends nobody elsewhere and opens nothing', async (_how, config, env) => {
    const loaded = await loadFile(config, env)
    expect(loaded.config.identity.providers).toEqual([{ type: 'local' }])
    expect(loaded.config.auth.anonymous).toBe(false)
    expect(loaded.warnings.join('\n')).toContain('Nobody gets in without a sign-in')
    const on = await loadFile({ adapter_config: { ...config.adapter_config, enable_auth: true } })
    expect(on.config.identity.providers).toEqual([expect.objectContaining({ type: 'delegated' })])
  })
})

describe('a compatibility row whose feature has not landed', () => {
  const later = VARIABLES.flatMap((row) => (row.status === 'later' ? [row] : []))
  const refused = later.filter((row) => row.refuses?.when(row.example) === true)
  const warned = later.filter((row) => !refused.includes(row))
  const envOf = (rows: readonly { readonly name: string; readonly example: string }[]): Env =>
    Object.fromEntries(rows.map(({ name, example }) => [name, example]))

  it('is refused by name where it would weaken the gate: every one of them, in one message', async () => {
    expect(refused.map(({ name }) => name)).toContain('INSECURE_ALLOW_QUERYPARAM_AUTH')
    const ended = await runCommand(['serve'], { cwd: folder, env: envOf(refused) })
    expect(ended.code).not.toBe(0)
    for (const { name } of refused)
      expect(ended.stderr).toMatch(new RegExp(`${name}\\n.*Not available in this version`))
  })

  it('is warned of by name at start otherwise: every one of them', async () => {
    expect(warned.length).toBeGreaterThan(0)
    const started = await startWith({ ...envOf(warned), PORT: String(await freePort()) })
    // What follows the warnings, since the text may come in pieces.
    await started.says(/Create the first administrator/)
    for (const { name } of warned) expect(started.said).toContain(`Warning: ${name} is not available in this version`)
  })

  it('says nothing where its value asks for what holds anyway', async () => {
    const env = {
      MCP_CLIENT_AUTH_ENABLED: 'true',
      TRUST_PROXY_AUTH: 'false',
      AUTH_REQUIRED: 'true',
      CACHE_TYPE: 'memory',
    }
    expect((await load(env)).warnings.filter((warning) => /not available/.test(warning))).toEqual([])
  })

  it('is refused by name as a key of our own configuration too', async () => {
    const top = laterKeys().filter((key) => !key.includes('['))
    expect(top).not.toEqual([])
    for (const key of top) {
      const config = key.split('.').reduceRight<unknown>((value, part) => ({ [part]: value }), {})
      await expect(loadFile(config as object)).rejects.toThrow(`${key} is not available in this version`)
    }
  })
})
