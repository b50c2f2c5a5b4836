// Acceptance case 30: bad values refuse to start, each with a clear message; secrets come from variables and files and are shown
// to nobody.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { OperatorError } from '../../src/protocol/errors.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { runCommand, type Served, serve } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { ANN } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-config-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

type Env = Readonly<Record<string, string>>
const GOOD = { servers: [{ id: 'notes', url: 'http://127.0.0.1:9/mcp' }] }

/** What the operator reads instead of a start. */
async function refusalOf(config: object, env: Env = {}): Promise<string> {
  writeFileSync(join(folder, 'portcullis.json'), JSON.stringify(config, null, 2))
  const loading = loadConfig({ env, cwd: folder, resolveHost: async () => [] })
  const error: unknown = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(OperatorError)
  return error instanceof Error ? error.message : ''
}

describe('a bad value refuses to start', () => {
  it('and the same file without it is taken', async () => {
    writeFileSync(join(folder, 'portcullis.json'), JSON.stringify(GOOD))
    const { config } = await loadConfig({ env: {}, cwd: folder })
    expect(config.servers.map(({ id }) => id)).toEqual(['notes'])
  })

  it.each<[string, object, RegExp]>([
    ['a duration that is none', { oauth: { accessTokenTtl: 'soon' } }, /accessTokenTtl[\s\S]*soon[\s\S]*10m/],
    ['an address that is none', { server: { listen: 'everywhere' } }, /listen[\s\S]*HOST:PORT/],
    ['a URL with a path', { server: { url: 'https://gate.example/mcp' } }, /server\.url|url/],
    ['another scheme', { server: { url: 'ftp://gate.example' } }, /url/],
    ['a key that does not exist', { server: { listn: '127.0.0.1:1' } }, /listn[\s\S]*listen/],
    ['two servers of one id', { servers: [...GOOD.servers, ...GOOD.servers] }, /Two servers are called notes/],
    ['an id that no address can hold', { servers: [{ ...GOOD.servers[0], id: '../x' }] }, /id[\s\S]*[Ss]mall letters/],
    ['a server without anything behind it', { servers: [{ id: 'x' }] }, /servers/],
    ['a rule that allows nobody', { policy: { rules: [{ allow: ['*/*'], to: [] }] } }, /rules/],
    ['a rule for a subject of no kind', { policy: { rules: [{ allow: ['*/*'], to: ['ann'] }] } }, /user:/],
    ['a rule that is half a target', { policy: { rules: [{ allow: ['notes'], to: ['*'] }] } }, /server\/tool/],
    ['a store of no kind', { store: { url: 'mysql://db/x' } }, /sqlite:PATH or postgres/],
    ['a scope with a space', { scopes: { 'a b': { title: 'x' } } }, /scope token/],
    ['a provider without an issuer', { identity: { providers: [{ id: 'a', type: 'oidc', clientId: 'x' }] } }, /issuer/],
    ['a number out of range', { server: { limits: { depth: 0 } } }, /depth/],
    ['a record that goes nowhere', { audit: { sink: [] } }, /sink[\s\S]*store, stdout or both/],
    ['a proxy that is no address', { server: { trustedProxies: ['proxy.internal'] } }, /trustedProxies/],
    ['a list that is a text', { oauth: { allowedScopes: 'mcp:tools' } }, /allowedScopes/],
  ])('%s', async (_what, bad, message) => {
    const said = await refusalOf({ ...GOOD, ...bad })
    expect(said).toMatch(message)
    // File, line and column of the value.
    expect(said).toMatch(/portcullis\.json:\d+:\d+/)
    expect(said).not.toMatch(/^\s+at |ZodError|\[object/m)
  })

  it.each<[string, Env, RegExp]>([
    ['a variable of ours', { PORTCULLIS_SERVER_LISTEN: 'everywhere' }, /PORTCULLIS_SERVER_LISTEN[\s\S]*HOST:PORT/],
    [
      'one that does not exist',
      { PORTCULLIS_SERVER_LISTN: 'x' },
      /PORTCULLIS_SERVER_LISTN[\s\S]*PORTCULLIS_SERVER_LISTEN/,
    ],
    ['a variable of another system', { PORT: 'many' }, /PORT[\s\S]*0 to 65535/],
    ['another of another system', { LOG_LEVEL: 'loud' }, /LOG_LEVEL/],
    ['two of one setting that differ', { PORT: '1', OAUTH2_PORT: '2' }, /PORT and OAUTH2_PORT[\s\S]*differ/],
    [
      'a file that is not there',
      { CLIENT_SECRET_FILE: '/nowhere/secret', CLIENT_ID: 'x' },
      /CLIENT_SECRET_FILE[\s\S]*\/nowhere/,
    ],
  ])('%s', async (_what, env, message) => {
    expect(await refusalOf(GOOD, env)).toMatch(message)
  })

  it('all of them at once, so that they are not found one start at a time', async () => {
    const said = await refusalOf(
      { servers: [{ id: 'UPPER', url: 'nowhere' }], oauth: { codeTtl: 'soon' }, colour: 'red' },
      { LOG_LEVEL: 'loud' },
    )
    for (const part of ['id', 'url', 'codeTtl', 'colour', 'LOG_LEVEL']) expect(said).toContain(part)
  })

  it('a variable in the file that is not set, naming it', async () => {
    const headers = { Authorization: `Bearer ${'$'}{NOTES_TOKEN}` }
    const config = { servers: [{ ...GOOD.servers[0], credentials: { type: 'headers', headers } }] }
    expect(await refusalOf(config)).toMatch(/NOTES_TOKEN is not set/)
  })

  it('and the command ends with a code, its message on stderr, nothing listening', async () => {
    const file = join(folder, 'portcullis.json')
    writeFileSync(file, JSON.stringify({ ...GOOD, oauth: { accessTokenTtl: 'soon' } }))
    const checked = await runCommand(['config', 'check', file], { cwd: folder })
    const served = await runCommand(['serve'], { cwd: folder })
    for (const ended of [checked, served]) {
      expect([ended.code === 0, ended.stdout]).toEqual([false, ''])
      expect(ended.stderr).toMatch(/accessTokenTtl[\s\S]*soon/)
      expect(ended.stderr).not.toMatch(/^\s+at /m)
    }
    writeFileSync(file, JSON.stringify(GOOD))
    expect(await runCommand(['config', 'check', file], { cwd: folder })).toMatchObject({ code: 0 })
  })
})

describe('secrets', () => {
  const SECRET = 'a-secret-of-the-notes-server'
  let canary: Canary
  let served: Served | undefined
  beforeAll(async () => {
    canary = await startCanary()
  })
  afterEach(async () => {
    await served?.close()
    served = undefined
  })
  afterAll(() => canary?.close())

  const configWith = (value: string) => ({
    servers: [
      { id: 'notes', url: canary.url, credentials: { type: 'headers' as const, headers: { 'X-Notes-Key': value } } },
    ],
    policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
  })

  /** Ann calls a tool; answers what the upstream was sent as its key. */
  async function keySentBy({ url }: Served): Promise<string | undefined> {
    const resource = `${url}/servers/notes/mcp`
    const client = await registerClient({ url })
    const { accessToken } = await client.signIn(createPerson(ANN), { resource, scope: 'mcp:tools' })
    expect((await callTool(resource, accessToken, 'read_note')).status).toBe(200)
    const sent = canary.requests.at(-1)?.rawHeaders ?? []
    return sent[sent.findIndex((name) => /^x-notes-key$/i.test(name)) + 1]
  }

  it('come from a variable named in the file, reach the server behind, and are printed masked', async () => {
    const env = { NOTES_KEY: SECRET }
    served = await serve(configWith(`${'$'}{NOTES_KEY}`), [ANN], env)
    expect(await keySentBy(served)).toBe(SECRET)
    const printed = await runCommand(['config', 'print', '--config', served.configFile], { cwd: served.folder, env })
    expect(printed.code).toBe(0)
    expect(printed.stdout).toContain('X-Notes-Key')
    expect(served.said + printed.stdout + printed.stderr).not.toContain(SECRET)
  })

  it('come from a file that a variable names', async () => {
    const file = join(folder, 'servers')
    writeFileSync(file, `${JSON.stringify(configWith(SECRET).servers)}\n`)
    served = await serve({ policy: configWith('').policy }, [ANN], { PORTCULLIS_SERVERS_FILE: file })
    expect(await keySentBy(served)).toBe(SECRET)
    expect(served.said).not.toContain(SECRET)
  })

  it('of another system come from its variable or its _FILE, and never into a message', async () => {
    const file = join(folder, 'client-secret')
    writeFileSync(file, `${SECRET}\n`)
    for (const env of [{ CLIENT_SECRET: SECRET }, { CLIENT_SECRET_FILE: file }]) {
      const { config } = await loadConfig({ env: { CLIENT_ID: 'gate', ...env }, cwd: folder })
      expect(config.identity.providers).toEqual([expect.objectContaining({ clientId: 'gate', clientSecret: SECRET })])
    }
    const said = await refusalOf(GOOD, { CLIENT_SECRET: SECRET, CLIENT_SECRET_FILE: '/nowhere', PORT: 'many' })
    expect(said).toContain('PORT')
    expect(said).not.toContain(SECRET)
  })

  it('that differ in variable and file are an error naming both', async () => {
    const file = join(folder, 'client-secret')
    writeFileSync(file, 'another')
    const said = await refusalOf(GOOD, { CLIENT_ID: 'gate', CLIENT_SECRET: SECRET, CLIENT_SECRET_FILE: file })
    expect(said).toContain('CLIENT_SECRET and CLIENT_SECRET_FILE')
    expect(said).not.toMatch(new RegExp(`${SECRET}|another`))
  })

  it('are not in the message about the value they stand in', async () => {
    const said = await refusalOf({ ...GOOD, store: { url: `mysql://root:${SECRET}@db/x` } })
    expect(said).toContain('store')
    expect(said).not.toContain(SECRET)
    const database = await refusalOf(GOOD, { DATABASE_URL: `mysql://root:${SECRET}@db/x` })
    expect(database).toContain('DATABASE_URL')
    expect(database).not.toContain(SECRET)
  })
})
