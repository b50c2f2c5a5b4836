import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { OperatorError } from '../protocol/errors.ts'
import { type Flags, type LoadedConfig, loadConfig } from './load.ts'
import { describeOrigin } from './origins.ts'
import { printConfig } from './print.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'portcullis-load-'))
})

const write = (text: string, name = 'portcullis.yaml') => writeFileSync(join(cwd, name), text)
const load = (env: Record<string, string> = {}, flags: Flags = {}, addresses: string[] = []): Promise<LoadedConfig> =>
  loadConfig({ env, cwd, flags, resolveHost: async () => addresses })
const refusal = async (loading: Promise<LoadedConfig>): Promise<string> => {
  const error: unknown = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(OperatorError)
  return error instanceof Error ? error.message : ''
}

describe('which configuration', () => {
  it('is the quickstart with data in the current folder when there is nothing', async () => {
    const { config, quickstart } = await load()
    expect(quickstart).toBe(true)
    expect(config.servers.map(({ id }) => id)).toEqual(['toolbox', 'files'])
    expect(config.store).toEqual({ url: `sqlite:${join(cwd, 'data/portcullis.db')}`, directory: join(cwd, 'data') })
    expect(config.server).toMatchObject({
      url: 'http://localhost:4444',
      listen: '127.0.0.1:4444',
      allowedOrigins: 'loopback',
    })
  })

  it('stays the quickstart with PORTCULLIS_ variables', async () => {
    const { config, quickstart } = await load({ PORTCULLIS_SERVER_LISTEN: '127.0.0.1:5000' })
    expect([quickstart, config.server.url]).toEqual([true, 'http://localhost:5000'])
  })

  it('is the environment alone with a variable of another system: no servers, one rule, said aloud', async () => {
    const { config, quickstart, warnings } = await load({ ALLOWED_EMAILS: 'ann@example.com' })
    expect(quickstart).toBe(false)
    expect(config.servers).toEqual([])
    expect(config.policy.rules).toEqual([{ id: 'implicit', allow: ['*/*'], to: ['*'] }])
    expect(warnings[0]).toMatch(/ALLOWED_EMAILS.*allow \*\/\* to \*/)
  })

  it('is ./portcullis.yaml, over it PORTCULLIS_CONFIG, over it --config; from a file no rule is implied', async () => {
    write('server: { listen: 127.0.0.1:1 }')
    write('server: { listen: 127.0.0.1:2 }', 'two.yaml')
    write('{ "server": {\n\t"listen": "127.0.0.1:3" } }', 'three.json')
    expect((await load()).config.server.listen).toBe('127.0.0.1:1')
    expect((await load()).config.policy.rules).toEqual([])
    expect((await load({ PORTCULLIS_CONFIG: 'two.yaml' })).config.server.listen).toBe('127.0.0.1:2')
    expect((await load({ PORTCULLIS_CONFIG: 'two.yaml' }, { config: 'three.json' })).config.server.listen).toBe(
      '127.0.0.1:3',
    )
  })

  it('may be gateway-config.json, and is refused when there are two', async () => {
    write('{}', 'gateway-config.json')
    expect((await load()).source).toEqual({ kind: 'file', path: join(cwd, 'gateway-config.json') })
    write('')
    expect(await refusal(load())).toContain('more than one configuration')
  })

  it('is refused when the named file is missing or a folder', async () => {
    expect(await refusal(load({}, { config: 'nope.yaml' }))).toContain('--config: there is no file')
    mkdirSync(join(cwd, 'folder'))
    expect(await refusal(load({ PORTCULLIS_CONFIG: 'folder' }))).toContain('is a folder')
  })
})

describe('precedence', () => {
  it('is flag > PORTCULLIS_ > variable of another system > file > default, each told as origin', async () => {
    write('log: { level: error }\n')
    const originAfter = async (env: Record<string, string>, flags: Flags = {}) => {
      const { config, origins } = await load(env, flags)
      return [config.log.level, describeOrigin(origins.find(['log', 'level']))]
    }
    expect(await originAfter({})).toEqual(['error', 'portcullis.yaml:1:8'])
    expect(await originAfter({ LOG_LEVEL: '2' })).toEqual(['warn', 'LOG_LEVEL'])
    const both = { LOG_LEVEL: '2', PORTCULLIS_LOG_LEVEL: 'info' }
    expect(await originAfter(both)).toEqual(['info', 'PORTCULLIS_LOG_LEVEL'])
    expect(await originAfter(both, { seeds: { logLevel: '0' } })).toEqual(['debug', '-logLevel'])
    expect(await originAfter(both, { settings: { 'log.level': 'debug' } })).toEqual(['debug', '--log-level'])
    expect(describeOrigin((await load()).origins.find(['server', 'drain']))).toBe('default')
  })

  it('reads lists, numbers, booleans and JSON from variables', async () => {
    write('')
    const { config } = await load({
      PORTCULLIS_IDENTITY_ALLOWED_EMAILS: 'a@example.com, b@example.com',
      PORTCULLIS_OAUTH_ALLOWED_SCOPES: '["x"]',
      PORTCULLIS_SERVER_LIMITS_DEPTH: '32',
      PORTCULLIS_AUTH_ANONYMOUS: 'true',
      PORTCULLIS_SERVERS: '[{"id":"a","url":"http://127.0.0.1:9/mcp"}]',
      PORTCULLIS_OAUTH_ACCESS_TOKEN_TTL: '5m',
    })
    expect(config.identity.allowedEmails).toEqual(['a@example.com', 'b@example.com'])
    expect(config.oauth).toMatchObject({ allowedScopes: ['x'], accessTokenTtl: 300_000 })
    expect([config.server.limits.depth, config.auth.anonymous, config.servers[0]?.id]).toEqual([32, true, 'a'])
  })
})

describe('a bad configuration', () => {
  it('tells every problem with its place and a cure', async () => {
    write(
      [
        'server:',
        '  lisen: 127.0.0.1:1',
        '  workers: 2',
        'servers:',
        '  - { id: a, ulr: "http://x/mcp" }',
        '  - { id: b, url: "http://x/mcp", command: [x] }',
        '  - { id: c, url: 5 }',
        '  - { id: d, command: [x], http2: true }',
        'limits: [{ to: ["*"] }]',
        'store: { url: "${DATABASE}" }',
      ].join('\n'),
    )
    const message = await refusal(load({ PORTCULLIS_OAUTH_CODE_TTL: 'long' }))
    for (const part of [
      'portcullis.yaml:2:3  server.lisen\n    There is no setting "lisen" here. Did you mean "listen"?',
      'portcullis.yaml:3:3  server.workers\n    server.workers is not available in this version',
      'portcullis.yaml:5:5  servers[0]\n    One of url, command, tools is required.',
      'portcullis.yaml:5:14  servers[0].ulr\n    There is no setting "ulr" here. Did you mean "url"?',
      'servers[1]\n    Only one of url, command, tools can be given.',
      'portcullis.yaml:7:14  servers[2].url\n    Expected string, received number.',
      'servers[3].http2\n    There is no setting "http2" here. Known here: id,',
      'portcullis.yaml:9:10  limits[0]\n    It limits nothing. Write rate, quota or concurrent.',
      'portcullis.yaml:10:15  store.url\n    The variable DATABASE is not set. Set it, or give a default: ${DATABASE:-default}.',
      'PORTCULLIS_OAUTH_CODE_TTL  oauth.codeTtl\n    Not a duration: long.',
    ])
      expect(message).toContain(part)
    expect(message).not.toMatch(/\bat .*\.ts:\d/)
  })

  it.each([
    ['a key written twice', 'log: {}\nlog: {}\n', 'portcullis.yaml:2:1'],
    ['a tag', 'log: !!js/function x\n', 'portcullis.yaml:1:6'],
    ['broken YAML', 'server: [\n', 'portcullis.yaml:2:1'],
    ['a list at the top', '- a\n', 'must hold settings'],
    ['__proto__', '__proto__: { a: 1 }\nlog: {}\n', 'This key is not allowed'],
    [
      'two servers of one id',
      'servers: [{ id: a, url: "http://x" }, { id: a, url: "http://y" }]',
      'Two servers are called a',
    ],
    [
      'a server with the id of another for a name',
      'servers: [{ id: a, name: b, url: "http://x" }, { id: b, url: "http://y" }]',
      'Two servers are called b',
    ],
    [
      'two providers of one id',
      'identity: { providers: [{ id: a, type: github, clientId: b, clientSecret: c }, { id: a, type: github, clientId: b, clientSecret: c }] }',
      'called a',
    ],
    ['a rule that is no rule', 'policy: { rules: [{ allow: ["nope"], to: ["*"] }] }', 'policy.rules[0].allow[0]'],
    ['an unknown flag setting', '', 'Did you mean server.drain?'],
  ])('refuses %s', async (what, text, part) => {
    write(text)
    const flags = what.startsWith('an unknown flag') ? { settings: { 'server.drian': '1s' } } : {}
    expect(await refusal(load({}, flags))).toContain(part)
  })

  it('refuses aliases that multiply', async () => {
    const levels = Array.from({ length: 8 }, (_, n) => `x${n + 1}: &x${n + 1} [${Array(9).fill(`*x${n}`).join(', ')}]`)
    write(['x0: &x0 [a]', ...levels].join('\n'))
    expect(await refusal(load())).toContain('More than 100 aliases')
  })

  it('lets a few aliases share a value', async () => {
    write('policy: { rules: [{ allow: &all ["*/*"], to: ["group:a"] }, { allow: *all, to: ["group:b"] }] }')
    expect((await load()).config.policy.rules).toHaveLength(2)
  })
})

describe('the public URL', () => {
  it.each([
    ['https://mcp.example.com/', 'https://mcp.example.com'],
    ['http://localhost:8080', 'http://localhost:8080'],
    ['http://127.0.0.1:1', 'http://127.0.0.1:1'],
  ])('%s is %s', async (url, settled) => {
    write(`server: { url: "${url}" }`)
    expect((await load()).config.server.url).toBe(settled)
  })

  it('may be http for a name that resolves to this machine, or in development, and not otherwise', async () => {
    write('server: { url: "http://mcp.127-0-0-1.example.com:8001" }')
    expect((await load({}, {}, ['127.0.0.1'])).config.server.url).toBe('http://mcp.127-0-0-1.example.com:8001')
    expect(await refusal(load({}, {}, ['127.0.0.1', '192.0.2.1']))).toContain('server.development: true')
    expect(await refusal(load())).toContain('http, and its host is not this machine')
    expect((await load({ PORTCULLIS_SERVER_DEVELOPMENT: 'true' })).config.server.development).toBe(true)
  })

  it('holds identity providers to the same', async () => {
    write('identity: { providers: [{ id: corp, type: oidc, issuer: "http://id.example.com", clientId: a }] }')
    expect(await refusal(load())).toContain('identity.providers[0].issuer')
  })

  it('is more than an origin: refused', async () => {
    write('server: { url: "https://example.com/gate?x" }')
    expect(await refusal(load())).toContain('Write scheme, host and port only')
  })

  it('falls to the domain, then the origin of the resource; a configured one wins over the latter', async () => {
    const resource = { OAUTH_RESOURCE: 'https://r.example.com/mcp' }
    expect((await load(resource)).config.server.url).toBe('https://r.example.com')
    expect((await load({ ...resource, OAUTH_DOMAIN: 'd.example.com' })).config.server.url).toBe('https://d.example.com')
    write('server: { url: "https://own.example.com" }')
    expect((await load(resource)).config.server.url).toBe('https://own.example.com')
  })

  it('goes with allowed origins: loopback on loopback, none elsewhere', async () => {
    write('')
    expect((await load()).config.server.allowedOrigins).toBe('loopback')
    expect((await load({ PORTCULLIS_SERVER_LISTEN: '0.0.0.0:1' })).config.server.allowedOrigins).toEqual([])
  })
})

describe('paths', () => {
  it('start from the file for what the file says, from the current folder for variables', async () => {
    mkdirSync(join(cwd, 'etc'))
    write(
      'store: { url: "sqlite:./gate.db" }\nservers: [{ id: a, command: [node, ./x.js] }, { id: b, command: [x], cwd: sub }, { id: c, command: [x] }]',
      'etc/p.yaml',
    )
    const flags = { config: 'etc/p.yaml' }
    const { config } = await load({}, flags)
    expect(config.store).toEqual({ url: `sqlite:${join(cwd, 'etc/gate.db')}`, directory: join(cwd, 'etc/data') })
    // One that names nothing there has a folder of its own.
    expect(config.servers.map((server) => ('cwd' in server ? server.cwd : ''))).toEqual([
      join(cwd, 'etc'),
      join(cwd, 'etc/sub'),
      '',
    ])
    expect((await load({ PORTCULLIS_STORE_URL: 'sqlite:v.db' }, flags)).config.store.url).toBe(
      `sqlite:${join(cwd, 'v.db')}`,
    )
    expect((await load({ PORTCULLIS_STORE_URL: 'sqlite::memory:' }, flags)).config.store.url).toBe('sqlite::memory:')
  })
})

describe('config print', () => {
  it('shows values with origins and never a secret', async () => {
    write(
      [
        'identity: { providers: [{ id: corp, type: oidc, issuer: "https://id.example.com", clientId: me, clientSecret: "${S}" }] }',
        'servers: [{ id: a, url: "https://x/mcp", proxy: "http://u:urlpass@x:3128", credentials: { type: headers, headers: { X-Key: "${S}" } } }]',
        'oauth: { clients: [{ clientId: c, clientSecret: "${S}", redirectUris: ["https://x/cb"] }] }',
      ].join('\n'),
    )
    const env = { S: 'hunter2', PORTCULLIS_STORE_URL: 'postgres://gate:dbpass@db/x' }
    const text = printConfig(await load(env))
    expect(text).not.toMatch(/hunter2|dbpass|urlpass/)
    expect(text).toContain('url: postgres://gate:***@db/x # PORTCULLIS_STORE_URL')
    expect(text).toContain('clientId: me # portcullis.yaml:1:')
    expect(text).toContain('accessTokenTtl: 10m # default')
    expect(text).toContain('allowedEmails: [] # default')
  })

  it('invents nothing that may be left out', async () => {
    write('identity: { providers: [{ id: corp, type: oidc, issuer: "https://id.example.com", clientId: me }] }')
    expect(printConfig(await load())).not.toMatch(/mapping:/)
    write(
      'identity: { providers: [{ id: corp, type: oidc, issuer: "https://id.example.com", clientId: me, mapping: { roles: r } }] }',
    )
    const text = printConfig(await load())
    expect(text).toContain('roles: r # portcullis.yaml:1:')
    expect(text).not.toContain('groups:')
  })

  it('shows the origins that count', async () => {
    write('')
    const printed = async (env: Record<string, string>) => printConfig(await load(env))
    expect(await printed({})).toMatch(/allowedOrigins:\n\s+- loopback # default\n/)
    expect(await printed({ PORTCULLIS_SERVER_LISTEN: '0.0.0.0:1' })).toContain('allowedOrigins: [] # default')
    expect(await printed({ PORTCULLIS_SERVER_ALLOWED_ORIGINS: 'https://a.example' })).toContain(
      '- https://a.example # PORTCULLIS_SERVER_ALLOWED_ORIGINS',
    )
  })

  it('prints what can be read again', async () => {
    const { config } = await load()
    write(printConfig(await load()))
    expect((await load()).config).toEqual(config)
  })
})
