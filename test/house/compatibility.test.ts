// The compatibility table says what is so: each row has a test that holds it, what is not in force is told by name when Portcullis
// starts, and an address of another system answers here or is 404.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Row } from '../../src/config/compatibility/row.ts'
import { rowsOf } from '../../src/config/compatibility/rows.ts'
import { type Flags, loadConfig } from '../../src/config/load.ts'
import { SEEDS } from '../../src/config/seed-rows.ts'
import { SEED_ROWS } from '../../src/config/seeds.ts'
import { schemasAt } from '../../src/config/settings.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { knock } from '../support/knock.ts'
import { ROOT, readSources } from './sources.ts'

const all = SEEDS.flatMap((system) => rowsOf(system).map((row) => ({ system, row })))
const named = (among: typeof all) =>
  among.map(({ system, row }) => [`${system}: ${row.kind} ${row.name}`, row] as const)
const isOf = (kind: Row['kind'], ...statuses: Row['here']['status'][]) =>
  all.filter(({ row }) => row.kind === kind && (statuses.length === 0 || statuses.includes(row.here.status)))

const texts = new Map<string, string>()
/** In small letters; nothing for a file that is not there, or is no test. */
function textOf(test: string): string {
  const path = join(ROOT, test)
  const text = texts.get(test) ?? (test.endsWith('.test.ts') && existsSync(path) ? readFileSync(path, 'utf8') : '')
  texts.set(test, text)
  return text.toLowerCase()
}

describe('the rows', () => {
  it('are there, of every system and every kind', () => {
    for (const system of SEEDS) expect(rowsOf(system).length).toBeGreaterThan(50)
    expect(new Set(all.map(({ row }) => row.kind)).size).toBe(6)
  })

  it('name each thing of a system once', () => {
    const names = all.map(({ system, row }) => `${system} ${row.kind} ${row.ofToken ? 'body ' : ''}${row.name}`)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  it('hold every variable and flag that the configuration knows', () => {
    const names = new Set(all.map(({ row }) => row.name))
    const missing = SEED_ROWS.filter(({ name, flag }) => !names.has(name) && !names.has(`-${flag}`))
    expect(missing.filter(({ flag }) => !names.has(`--${flag}`))).toEqual([])
  })

  it.each(SEEDS)('of %s are each held by a test, which holds their name or what they say', (system) => {
    const unheld = rowsOf(system).filter(({ test, says }) => says === '' || !textOf(test).includes(says.toLowerCase()))
    expect(unheld.map(({ kind, name, test, says }) => [`${kind} ${name}`, test, says])).toEqual([])
  })

  it('are loaded by no start', () => {
    const sources = new Map(readSources('src/').map((source) => [source.path, source]))
    const loaded = new Set<string>()
    const load = (path: string): void => {
      if (loaded.has(path)) return
      loaded.add(path)
      for (const { target, local } of sources.get(path)?.imports ?? []) if (local) load(target)
    }
    load('src/cli/serve.ts')
    expect(loaded.size).toBeGreaterThan(100)
    expect([...loaded].filter((path) => path.startsWith('src/config/compatibility/'))).toEqual([])
  })
})

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-compatibility-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const load = (env: Record<string, string>, flags: Flags = {}) => loadConfig({ env, flags, cwd: folder })
const exampleOf = (row: Row): string => SEED_ROWS.find((known) => isCalled(known, row.name))?.example ?? ''
const isCalled = ({ name, flag }: { name: string; flag?: string }, wanted: string) =>
  name === wanted || (flag !== undefined && [`-${flag}`, `--${flag}`].includes(wanted))

/** Refused, or warned of; what was said either way. */
const saidOf = (loading: ReturnType<typeof load>): Promise<string> =>
  loading.then(
    ({ warnings }) => warnings.join('\n'),
    (error: Error) => error.message,
  )

describe('what is not in force is told by name', () => {
  it.each(named(isOf('variable', 'later', 'never')))('%s', async (_name, row) => {
    expect(await saidOf(load({ [row.name]: exampleOf(row) }))).toMatch(new RegExp(`^.*\\b${row.name}\\b`, 'm'))
  })

  it.each(named(isOf('flag', 'later', 'never').filter(({ row }) => row.name.startsWith('-'))))(
    '%s',
    async (_name, row) => {
      const flag = row.name.replace(/^-+/, '')
      expect(await saidOf(load({}, { seeds: { [flag]: exampleOf(row) } }))).toContain(`-${flag}`)
    },
  )

  const keys = isOf('key').filter(({ row }) => isOfFile(row) && (row.here.status !== 'works' || row.here.write))
  it.each(named(keys))('%s is refused by name', async (_name, row) => {
    const config = join(folder, 'keys.json')
    writeFileSync(config, JSON.stringify(nested(row.name, exampleOf(row))))
    const said = await saidOf(load({}, { config }))
    const written = row.name.replaceAll('[]', '[0]')
    const [first = ''] = written.split('.')
    const isTold =
      row.name.split('.').some((part) => said.includes(`"${part}"`)) ||
      said.includes(`.${written.split('.').at(-1)} is not available`) ||
      said.includes(written) ||
      said.includes(`${first} is not available`)
    expect([said, isTold]).toEqual([expect.stringContaining('keys.json'), true])
  })

  it.each(named(isOf('key').filter(({ row }) => row.here.status === 'works' && row.here.write)))(
    '%s: the setting in its place exists',
    (_name, { here }) => {
      const path = here.status === 'works' ? (here.write ?? '') : ''
      expect(schemasAt(path.split(/\.|(?=\[\])/).map((part) => (part === '[]' ? 0 : part)))).not.toEqual([])
    },
  )
})

const isOfFile = ({ name, ofToken }: Row): boolean => !ofToken && !name.includes(': ')

/** `servers[].name` as a file would hold it. */
function nested(name: string, value: string): unknown {
  return name.split('.').reduceRight<unknown>((inner, part) => {
    const list = /^(.*)\[\]$/.exec(part)?.[1]
    return list === undefined ? { [part]: inner } : { [list]: [inner] }
  }, value || 'x')
}

describe('addresses', () => {
  let open: TestGateway
  let plain: TestGateway
  beforeAll(async () => {
    const server = { id: 'notes', url: 'http://127.0.0.1:9/mcp', credentials: { type: 'secret' } } as const
    const issuer = 'http://127.0.0.1:9'
    open = await startGateway({
      servers: [server],
      identity: {
        providers: [
          { type: 'local' },
          { id: 'idp', type: 'oidc', issuer, clientId: 'gate' },
          { id: 'corp', type: 'oidc', issuer, clientId: 'gate', callback: '/callback' },
          { id: 'mesh', type: 'delegated', url: issuer, provider: 'azure', callback: '/oauth/callback' },
        ],
      },
      oauth: {
        resource: 'https://mcp.example.com/mcp',
        gatewayCallbacks: { enabled: true, allowedRedirectUris: ['http://localhost:8090/oauth/callback'] },
      },
      forwardAuth: { path: '/sse', resources: [{ host: 'app.example.com' }] },
    })
    plain = await startGateway({ servers: [server] })
  })
  afterAll(async () => {
    await open?.close()
    await plain?.close()
  })

  it.each(named(isOf('endpoint', 'works')))('%s answers', async (_name, { here }) => {
    const answered = await knock(open, here.status === 'works' ? (here.at ?? '') : '')
    expect(answered).not.toBe(404)
    expect(answered).toBeLessThan(500)
  })

  it.each(named(isOf('endpoint', 'later', 'never')))('answers 404 at %s', async (_name, { name }) => {
    expect(await knock(plain, name)).toBe(404)
  })

  it.each(['POST /mcp/other', 'GET /nothing', 'WS /nothing'])(
    'answers 404 at %s, as at any address that is not',
    async (at) => {
      expect(await knock(open, at)).toBe(404)
    },
  )
})
