// One test a row of the compatibility table: the example in the row is set, and what the row promises must happen.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isTree } from './input.ts'
import { type Flags, type LoadedConfig, loadConfig } from './load.ts'
import { SEED_KEYS } from './seed-keys.ts'
import type { WorkingRow } from './seed-rows.ts'
import { SEED_FLAGS, SEED_ROWS, VARIABLES } from './seeds.ts'

const cwd = mkdtempSync(join(tmpdir(), 'portcullis-seeds-'))
const load = (env: Record<string, string>, flags: Flags = {}): Promise<LoadedConfig> => loadConfig({ env, cwd, flags })

/** What else a row's variable needs to make a whole provider. */
function companions(row: WorkingRow): Record<string, string> {
  if (row.setting === 'auth.issuers') return { JWT_PUBLIC_KEY_PATH: '/etc/gate/jwt.pem' }
  if (row.setting === 'auth.proxy') return { TRUST_PROXY_AUTH: 'true' }
  if (row.setting === 'identityForwarding') return { IDENTITY_PROPAGATION_ENABLED: 'true' }
  if (row.slot === 'delegated.url') return {}
  if (row.slot.startsWith('delegated.')) return { EXTERNAL_AUTH_SERVICE_URL: 'http://localhost:8080' }
  if (row.setting !== 'identity.providers' || row.gives === undefined) return {}
  const local = isTree(row.gives) && row.gives['type'] === 'local'
  return local || row.slot === 'provider.clientId' ? {} : { CLIENT_ID: 'gate' }
}

const valueAt = (loaded: LoadedConfig, setting: string): unknown =>
  setting.split('.').reduce<unknown>((value, key) => (isTree(value) ? value[key] : undefined), { ...loaded.config })

function expectGiven(loaded: LoadedConfig, row: WorkingRow): void {
  const value = valueAt(loaded, row.setting)
  if (row.setting === 'identity.providers' || row.setting === 'auth.issuers')
    expect(value).toEqual([expect.objectContaining(row.gives)])
  else expect(value).toEqual(row.gives)
}

describe.each(VARIABLES.map((row) => [row.name, row] as const))('%s', (name, row) => {
  if (row.status === 'works') {
    it(`sets ${row.setting}`, async () => {
      // Port and host are told by the same setting; only mcpauth has another default port.
      expectGiven(await load({ SESSION_TTL: '60', ...companions(row), [name]: row.example, ...defaultPort(row) }), row)
    })
    return
  }
  it('is told by name, and obeyed where it would weaken the gate', async () => {
    const loading = load({ [name]: row.example })
    if (row.refuses?.when(row.example))
      await expect(loading).rejects.toThrow(new RegExp(`${name}\\n.*Not available in this version`))
    else expect((await loading).warnings.join('\n')).toContain(`${name} is not available in this version`)
  })
  it('is told when it comes from a file', async () => {
    const file = join(cwd, `${name}.txt`)
    writeFileSync(file, `${row.example}\n`)
    const said = await load({ [`${name}_FILE`]: file }).then(
      ({ warnings }) => warnings.join('\n'),
      (error: Error) => error.message,
    )
    expect(said).toContain(name)
  })
})

const defaultPort = (row: WorkingRow): Record<string, string> => (row.slot === 'listen.host' ? { PORT: '4444' } : {})

describe.each([...SEED_FLAGS])('-%s', (flag, row) => {
  it('works as its variable does', async () => {
    const loading = load(row.status === 'works' ? companions(row) : {}, { seeds: { [flag]: row.example } })
    if (row.status === 'works') expectGiven(await loading, row)
    else if (row.refuses?.when(row.example)) await expect(loading).rejects.toThrow(`-${flag}`)
    else expect((await loading).warnings.join('\n')).toContain(`-${flag} is not available in this version`)
  })
})

describe.each(SEED_KEYS.map(({ name }) => [name]))('file key %s', (name) => {
  it('is refused by name', async () => {
    const [first, second] = name.split('.')
    const file = join(cwd, 'key.yaml')
    writeFileSync(file, second === undefined ? `${first}: {}\n` : `${first}: { ${second}: x }\n`)
    await expect(load({}, { config: file })).rejects.toThrow(`${name} is not available in this version`)
  })
})

describe('the table', () => {
  it('names each thing once', () => {
    const names = SEED_ROWS.map(({ name }) => name)
    expect(names.length).toBeGreaterThan(50)
    expect(new Set(names).size).toBe(names.length)
  })

  it('says nothing where a value asks for what holds anyway', async () => {
    const quiet = {
      MCP_CLIENT_AUTH_ENABLED: 'true',
      TRUST_PROXY_AUTH: 'false',
      CACHE_TYPE: 'memory',
      AUTH_REQUIRED: 'true',
    }
    const { warnings } = await load(quiet)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('allow */* to *')
  })
})

describe('two names of one setting', () => {
  it('that differ are an error naming both', async () => {
    await expect(load({ PORT: '1000', OAUTH2_PORT: '2000' })).rejects.toThrow('PORT and OAUTH2_PORT')
    await expect(load({ CLIENT_ID: 'a', GOOGLE_CLIENT_ID: 'b' })).rejects.toThrow('CLIENT_ID and GOOGLE_CLIENT_ID')
  })
  it('that agree are none', async () => {
    expect((await load({ PORT: '1000', OAUTH2_PORT: '1000' })).config.server.listen).toBe('127.0.0.1:1000')
  })
})

describe('values of the seeds', () => {
  it.each([
    ['sqlite:///./mcp.db', `sqlite:${join(cwd, 'mcp.db')}`],
    ['sqlite:////var/lib/mcp.db', 'sqlite:/var/lib/mcp.db'],
    ['postgres://a@b/c', 'postgres://a@b/c'],
    ['postgresql+psycopg2://a@b/c', 'postgresql://a@b/c'],
  ])('DATABASE_URL=%s', async (text, url) => {
    expect((await load({ DATABASE_URL: text })).config.store.url).toBe(url)
  })

  it('refuses other databases, bad ports and unknown levels, without repeating a secret', async () => {
    const refusal = load({ DATABASE_URL: 'mysql://root:hunter2@db/x', PORT: 'tcp://1', LOG_LEVEL: '7' })
    await expect(refusal).rejects.toThrow(/DATABASE_URL[\s\S]*LOG_LEVEL[\s\S]*PORT/)
    await expect(refusal).rejects.not.toThrow('hunter2')
  })

  it('listens on 11000 when variables of mcpauth alone configure it, and on 4444 otherwise', async () => {
    expect((await load({ OAUTH_DOMAIN: 'o.example.com' })).config.server.listen).toBe('127.0.0.1:11000')
    expect((await load({ OAUTH_RESOURCE_NAME: 'x' })).config.server.listen).toBe('127.0.0.1:4444')
    expect((await load({ OAUTH_DOMAIN: 'o.example.com', PORT: '9000' })).config.server.listen).toBe('127.0.0.1:9000')
  })

  it('DEV_MODE makes the domain http', async () => {
    const { config } = await load({ OAUTH_DOMAIN: 'o.example.com', DEV_MODE: 'true' })
    expect(config.server.url).toBe('http://o.example.com')
  })
})
