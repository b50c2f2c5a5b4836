// Row G6 of the attack catalogue, whole: secrets of every kind go through one real gate, well and badly, and stand nowhere that it writes:
// database, WAL, spool, log, record, metrics, reports of the process, answers, pages and command line. In plain, base64, hex, and encoded.
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema.ts'
import { openStore } from '../../src/store/open.ts'
import { type CanaryWorld, canaryOf, startCanaryWorld } from '../support/canary-world.ts'
import { type Command, runCommand, startCommand, writeConfig } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { callTool, listTools, type McpAnswer } from '../support/mcp.ts'
import { addUser } from '../support/people.ts'
import { createPerson, type Person } from '../support/person.ts'
import { until } from '../support/tls.ts'

const CHILD = join(import.meta.dirname, '../support/talkative-child.js')
/** With characters that are written otherwise in forms and addresses. */
const odd = (kind: string) => `${canaryOf(kind)}/+=`
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const KEY = pair.privateKey.export({ format: 'jwk' })

/** What operators and people write. */
const GIVEN = {
  headerInline: canaryOf('header-inline'),
  headerFile: canaryOf('header-file'),
  headerEnv: canaryOf('header-env'),
  headerVault: canaryOf('header-vault'),
  keyInline: odd('key-inline'),
  keyVault: odd('key-vault'),
  clientBasic: odd('client-basic'),
  clientPost: odd('client-post'),
  exchangeClient: odd('exchange-client'),
  signInExchangeClient: odd('sign-in-exchange-client'),
  onBehalfClient: odd('on-behalf-client'),
  idJagClient: odd('id-jag-client'),
  provider: odd('provider'),
  vaultToken: canaryOf('vault-token'),
  brought: canaryOf('brought'),
  passed: canaryOf('passed'),
  pastedAnn: canaryOf('pasted-ann'),
  pastedCara: canaryOf('pasted-cara'),
} as const
/** Seen by nobody but the gate, or by its child process. */
const KEPT = {
  password: odd('password'),
  privateKey: String(KEY.d),
  childEnv: canaryOf('child-env'),
  childCredential: canaryOf('child-credential'),
  wrongPassword: odd('wrong-password'),
} as const

const random = (secret: string) => secret.replace(/\/\+=$/, '').slice(-20)

/** Every way in which the random part of a secret could be written, whatever stands beside it. */
function formsOf(secret: string): Buffer[] {
  const bytes = Buffer.from(random(secret))
  const aligned = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    const sure = text.slice(4, Math.floor(text.length / 4) * 4 - 4)
    return [sure, sure.replaceAll('+', '-').replaceAll('/', '_')]
  })
  const texts = [random(secret), bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...aligned]
  return [...new Set([...texts, encodeURIComponent(random(secret))])].map((text) => Buffer.from(text))
}
const isIn = (secret: string, text: string | Buffer) => {
  const bytes = Buffer.from(text)
  return formsOf(secret).some((form) => bytes.includes(form))
}

/** `secret in place` for every find. */
const finds = (secrets: ReadonlyMap<string, string>, places: ReadonlyMap<string, Buffer>): string[] =>
  [...places].flatMap(([place, bytes]) =>
    [...secrets].flatMap(([name, secret]) => (isIn(secret, bytes) ? [`${name} in ${place}`] : [])),
  )

let world: CanaryWorld
let gate: Command & { readonly url: string; readonly folder: string; readonly configFile: string }
let [ann, cara]: Person[] = []
/** Tokens, codes and cookies of our own, and what went out with them, by name. */
const ours = new Map<string, string>()
const apiTokens = new Map<string, string>()
const answers: string[] = []
const commands = new Map<string, Buffer>()
const moments = new Map<string, Buffer>()

const REMOTE = [
  ...['header-inline', 'header-file', 'header-env', 'header-vault', 'key-inline', 'key-vault', 'own-basic', 'own-post'],
  ...[
    'own-key',
    'exchange',
    'exchange-sign-in',
    'behalf',
    'id-jag',
    'vault-token',
    'vault-person',
    'brought',
    'passed',
  ],
]

function serversOf(folder: string): ConfigInput['servers'] {
  const file = (name: string) => ({ file: join(folder, name), prefix: 'Bearer ' })
  const client = (clientSecret: string) => ({ clientId: 'gate', clientSecret, tokenUrl: `${world.url}/token` })
  const header = (value: object | string) => ({ type: 'headers', headers: { Authorization: value } })
  const vault = { type: 'vault', url: world.url, field: 'pat' }
  const credentials: Record<string, object> = {
    'header-inline': header(`Bearer ${GIVEN.headerInline}`),
    'header-file': header(file('header')),
    'header-env': header({ env: 'CANARY_HEADER', prefix: 'Bearer ' }),
    'header-vault': header({ vault: 'header', prefix: 'Bearer ' }),
    'key-inline': { type: 'query', parameter: 'key', value: GIVEN.keyInline },
    'key-vault': { type: 'query', parameter: 'key', value: { vault: 'key' } },
    'own-basic': { type: 'client-credentials', ...client(GIVEN.clientBasic) },
    'own-post': { type: 'client-credentials', ...client(GIVEN.clientPost), clientAuth: 'client_secret_post' },
    'own-key': {
      ...{ type: 'client-credentials', clientId: 'key', privateKey: JSON.stringify(KEY) },
      tokenUrl: `${world.url}/token`,
    },
    exchange: { type: 'token-exchange', ...client(GIVEN.exchangeClient) },
    'exchange-sign-in': { type: 'token-exchange', subject: 'sign-in', ...client(GIVEN.signInExchangeClient) },
    behalf: { type: 'on-behalf-of', ...client(GIVEN.onBehalfClient) },
    'id-jag': { type: 'id-jag', issuer: world.url, ...client(GIVEN.idJagClient) },
    'vault-token': { ...vault, login: { token: GIVEN.vaultToken }, path: 'secret/data/as-gate' },
    'vault-person': { ...vault, login: { role: 'mcp' }, path: 'secret/data/as-person' },
    brought: { type: 'caller' },
    passed: { type: 'none' },
    account: { type: 'oauth' },
    pasted: { type: 'secret' },
  }
  const remote = Object.entries(credentials).map(([id, kind]) => ({
    ...{ id, url: `${world.url}/mcp/${id}`, credentials: kind as { type: 'none' } },
    ...(id === 'passed' && { passthroughHeaders: ['X-Tenant-Key'] }),
  }))
  const child = {
    ...{ id: 'child', command: [process.execPath, CHILD], env: { CHILD_SECRET: KEPT.childEnv } },
    ...{ credentials: header(file('child')) as { type: 'none' }, credentialEnv: 'CHILD_TOKEN' },
  }
  return [...remote, child]
}

async function startGate(): Promise<typeof gate> {
  const place = await writeConfig({})
  const { folder, configFile, storeUrl } = place
  for (const [name, secret] of [
    ['header', GIVEN.headerFile],
    ['child', KEPT.childCredential],
  ] as const)
    writeFileSync(join(folder, name), `${secret}\n`, { mode: 0o600 })
  const base = JSON.parse(readFileSync(configFile, 'utf8')) as object
  const corp = { id: 'corp', type: 'oidc', title: 'Corp', issuer: world.url, clientId: 'portcullis' }
  const config = {
    ...base,
    log: { level: 'debug' },
    servers: serversOf(folder),
    auth: { issuers: [{ issuer: world.url }] },
    identity: { providers: [{ type: 'local' }, { ...corp, clientSecret: GIVEN.provider }] },
    policy: { rules: [{ allow: ['*/*', 'resource:*/*', 'prompt:*/*'], to: ['*'] }] },
  }
  writeFileSync(configFile, JSON.stringify(config))
  const store = await openStore({ url: storeUrl, directory: join(folder, 'data') })
  await addUser(store, { username: 'ann', password: KEPT.password })
  await store.close()
  for (const [name, secret] of [
    ['header', GIVEN.headerVault],
    ['key', GIVEN.keyVault],
  ] as const) {
    const ended = await runCommand(['secrets', 'put', name, '--config', configFile], { cwd: folder, input: secret })
    expect([ended.code, isIn(secret, ended.stdout + ended.stderr)]).toEqual([0, false])
  }
  const reports = join(folder, 'reports')
  mkdirSync(reports)
  const env = {
    CANARY_HEADER: GIVEN.headerEnv,
    NODE_OPTIONS: `--report-on-signal --report-directory=${reports}`,
  }
  const command = startCommand(['serve', '--config', configFile], { cwd: folder, env })
  await command.says(/ready|listening/i)
  return Object.assign(command, place)
}

const resource = (id: string) => `${gate.url}/servers/${id}/mcp`
const personOf = (one: Person | undefined): Person => one ?? expect.fail('Nobody is signed in.')

async function run(...words: string[]) {
  const env = { CANARY_HEADER: GIVEN.headerEnv }
  return runCommand([...words, '--config', gate.configFile], { cwd: gate.folder, env })
}

function dataNow(): Buffer {
  const files = readdirSync(join(gate.folder, 'data'), { recursive: true, withFileTypes: true })
  return Buffer.concat(files.filter((one) => one.isFile()).map((one) => readThere(join(one.parentPath, one.name))))
}

/** What the record has done with is removed, also between the look at what there is and the reading. */
function readThere(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return Buffer.alloc(0)
  }
}

/** Ids of requests that were answered in this browser: without the library's own cookies they open nothing (src/oauth/answered.ts). */
const NO_SECRET = 'portcullis-answered'

/** Pages, consent, code, tokens; what of it is a secret is noted. Answers the subject. */
async function signIn(name: string, person: Person): Promise<string> {
  const client = await registerClient(gate)
  const authorization = client.authorize({ resource: resource('passed'), scope: 'mcp:tools' })
  const way = await person.follow(authorization.url, name === 'cara' ? `${world.url}/authorize` : undefined)
  moments.set(`data while ${name} signs in`, dataNow())
  const last = name === 'cara' ? await person.follow(way.location ?? '', client.redirectUri) : way
  const code = new URL(last.location ?? expect.fail(last.html)).searchParams.get('code') ?? ''
  const { body } = await client.exchange(code, authorization.verifier)
  const again = await client.refresh(String(body['refresh_token']))
  for (const [what, secret] of Object.entries({
    code,
    verifier: authorization.verifier,
    access: String(body['access_token']),
    refresh: String(body['refresh_token']),
    'second access': String(again.body['access_token']),
    'second refresh': String(again.body['refresh_token']),
  }))
    ours.set(`${what} of ${name}`, secret)
  const called = await callTool(resource('passed'), String(again.body['access_token']), 'read')
  expect(called.status).toBe(200)
  for (const cookie of person.cookiesFor(`${gate.url}/oauth/authorize`).split('; ')) {
    const [of = ''] = cookie.split('=')
    if (cookie.length > 40 && of !== NO_SECRET) ours.set(`cookie ${of} of ${name}`, cookie)
  }
  return JSON.parse(Buffer.from(String(body['access_token']).split('.')[1] ?? '', 'base64url').toString()).sub as string
}

async function apiToken(name: string, subject: string): Promise<void> {
  const { code, stdout, stderr } = await run('tokens', 'create', `of-${name}`, '--user', subject)
  expect([code, stderr.includes(stdout.trim())]).toEqual([0, false])
  apiTokens.set(name, stdout.trim())
  ours.set(`API token of ${name}`, stdout.trim())
}
const tokenOf = (name: string) => apiTokens.get(name) ?? expect.fail(`${name} has no token.`)

const HEADERS = { 'X-Upstream-Authorization': `Bearer ${GIVEN.brought}`, 'X-Tenant-Key': GIVEN.passed }
async function call(id: string, name = 'cara'): Promise<McpAnswer> {
  const isPresented = id === 'exchange' || id === 'behalf'
  const answer = await callTool(
    resource(id),
    isPresented ? world.presented(resource(id)) : tokenOf(name),
    'read',
    {},
    HEADERS,
  )
  return answer
}
function note(what: string, { status, headers, body }: McpAnswer): void {
  answers.push(JSON.stringify([what, status, [...headers], body]))
}

const linkIn = (answer: McpAnswer) =>
  /http[^\s"\\]+\/(?:connections|tokens)[^\s"\\]*/.exec(JSON.stringify(answer.body))?.[0] ?? ''

async function connect(id: string, name: string, person: Person, secret?: string): Promise<void> {
  const needed = await call(id, name)
  note(`${id} before it is connected`, needed)
  const page = await person.follow(linkIn(needed))
  if (secret !== undefined) {
    const done = await person.submit(page, /^connect$/i, { secret })
    expect([done.status, done.html.includes('Connected')]).toEqual([200, true])
    return
  }
  const leaving = await person.submit(page, /^connect$/i, {}, { stopAt: `${world.url}/authorize` })
  moments.set('data while an account is connected', dataNow())
  const done = await person.open(leaving.location ?? expect.fail(leaving.html))
  expect([done.status, new URL(done.url).pathname]).toEqual([200, '/connections/connected'])
}

/** What the operator put into the environment stands in every report of Node; the rest is ours. */
const withoutEnvironment = (report: string): string =>
  JSON.stringify(JSON.parse(report, (name, value: unknown) => (name === 'environmentVariables' ? undefined : value)))

const handedOut = () =>
  new Map(
    [...world.handed].flatMap(([kind, secrets]) => secrets.map((secret, at) => [`${kind} ${at + 1}`, secret] as const)),
  )
const sentOut = (parameter: string) =>
  new Map(
    world.heard
      .flatMap((text) => [...text.matchAll(new RegExp(`\\b${parameter}=([^&\\s]{30,})`, 'g'))])
      .map(([, value = ''], at) => [`${parameter} ${at + 1}`, decodeURIComponent(value)] as const),
  )
/** Every signed text that left the gate: what it proves itself with, what it says of people, what it shows for them. */
const signed = () =>
  new Map(
    [...world.heard.join('\n').matchAll(/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g)].map(([jwt], at) => [`JWT ${at + 1}`, jwt]),
  )
const allSecrets = () =>
  new Map([
    ...Object.entries(GIVEN),
    ...Object.entries(KEPT),
    ...ours,
    ...handedOut(),
    ...sentOut('code_verifier'),
    ...signed(),
  ])

beforeAll(async () => {
  world = await startCanaryWorld()
  gate = await startGate()
  ann = createPerson({ username: 'ann', password: KEPT.password })
  cara = createPerson({ username: 'cara', password: '', provider: /corp/i })
  const stranger = createPerson({ username: 'ann', password: KEPT.wrongPassword })
  const client = await registerClient(gate)
  const refused = await stranger.follow(client.authorize({ resource: resource('passed') }).url)
  answers.push(refused.html)
  expect(refused.location).toBeUndefined()
  await apiToken('ann', await signIn('ann', ann))
  await apiToken('cara', await signIn('cara', cara))
})
afterAll(async () => {
  await gate?.stop()
  await world?.close()
  if (gate !== undefined) rmSync(gate.folder, { recursive: true, force: true })
})

describe('G6: secrets of every kind', () => {
  it('are used: each arrives where it belongs', { timeout: 60_000 }, async () => {
    await connect('pasted', 'ann', personOf(ann), GIVEN.pastedAnn)
    await connect('pasted', 'cara', personOf(cara), GIVEN.pastedCara)
    await connect('account', 'cara', personOf(cara))
    for (const id of [...REMOTE, 'account', 'pasted']) expect([id, (await call(id)).status]).toEqual([id, 200])
    expect((await call('pasted', 'ann')).status).toBe(200)
    world.expire()
    expect((await call('account')).status).toBe(200)
    const child = JSON.stringify((await call('child')).body)
    for (const secret of [KEPT.childEnv, KEPT.childCredential]) expect(child).toContain(secret)

    const heard = world.heard.join('\n')
    const unheard = Object.entries(GIVEN).filter(([, secret]) => !isIn(secret, heard))
    expect(unheard.map(([name]) => name)).toEqual([])
    const [assertion = ''] = sentOut('client_assertion').values()
    expect((await jwtVerify(assertion, pair.publicKey)).payload.iss).toBe('key')
    for (const kind of ['client-credentials', 'exchanged', 'on-behalf-of', 'id-jag', 'id-jag-access', 'vault-login'])
      expect([kind, (world.handed.get(kind) ?? []).every((one) => isIn(one, heard))]).toEqual([kind, true])
    for (const kind of ['account-code', 'account-access', 'sign-in-code', 'sign-in-refresh', 'sign-in-id', 'presented'])
      expect([kind, isIn(world.handed.get(kind)?.[0] ?? '', heard)]).toEqual([kind, true])
    expect(world.handed.get('account-refresh')).toHaveLength(2)
    expect(isIn(world.handed.get('account-refresh')?.[0] ?? '', heard)).toBe(true)
    expect(isIn(world.handed.get('registered-secret')?.[0] ?? '', heard)).toBe(true)
    expect(sentOut('code_verifier').size).toBe(2)
    for (const person of ['ann', 'cara'])
      for (const what of ['cookie .+', 'API token', 'second access', 'second refresh', 'code', 'verifier'])
        expect([...ours.keys()].filter((name) => new RegExp(`^${what} of ${person}$`).test(name))).not.toEqual([])
    expect(allSecrets().size).toBeGreaterThan(60)
  })

  it('are repeated by servers that refuse them, and by authorization servers, to whoever listens', {
    timeout: 60_000,
  }, async () => {
    world.isTalkative = true
    const before = world.heard.length
    for (const id of [...REMOTE, 'account', 'pasted']) note(id, await call(id))
    const all = await listTools(`${gate.url}/mcp`, tokenOf('cara'))
    note('all', all)
    const needed = await call('account', 'ann')
    const page = await personOf(ann).follow(linkIn(needed))
    world.isTalkative = false
    const leaving = await personOf(ann).submit(page, /^connect$/i, {}, { stopAt: `${world.url}/authorize` })
    world.isTalkative = true
    const failed = await personOf(ann).open(leaving.location ?? expect.fail(leaving.html))
    answers.push(failed.html, JSON.stringify([...failed.headers]))
    const client = await registerClient(gate)
    const other = createPerson({ username: 'cara', password: '', provider: /corp/i })
    const refused = await other.follow(client.authorize({ resource: resource('passed') }).url, client.redirectUri)
    answers.push(refused.html, String(refused.location))
    expect(world.heard.length - before).toBeGreaterThan(REMOTE.length)
    const outcomes = answers.flatMap((text) => /^\["([a-z-]+)",(\d+)/.exec(text)?.slice(1).join(' ') ?? [])
    for (const id of REMOTE) expect(outcomes).toContainEqual(expect.stringMatching(`^${id} (?:403|502)$`))
    expect(new URL(failed.url).pathname).toBe('/connections/failed')
    expect(refused.html).toContain('did not sign you in')
    world.isTalkative = false
  })

  it('stand nowhere', { timeout: 120_000 }, async () => {
    const ids = [...new Set(answers.join('\n').match(/"x-request-id","[^"]+"/g) ?? [])].map((text) =>
      text.slice(16, -1),
    )
    expect(ids.length).toBeGreaterThan(5)
    for (const words of [
      ...ids.slice(-4).map((id) => ['explain', id]),
      ['explain', '--json', ids[0] ?? ''],
      ['audit', 'tail', '--no-follow', '-n', '1000'],
      ['audit', 'tail', '--no-follow', '-n', '1000', '--json'],
      ['config', 'print'],
      ['config', 'check'],
      ['secrets', 'list', '--json'],
      ['tokens', 'list'],
      ['keys', 'list'],
    ]) {
      const { stdout, stderr } = await run(...words)
      commands.set(words.join(' '), Buffer.from(stdout + stderr))
    }
    expect(String(commands.get('config print'))).toContain('own-basic')
    expect(String(commands.get('audit tail --no-follow -n 1000'))).toContain('own-basic')
    const fetched = async (path: string, headers = {}) => (await fetch(gate.url + path, { headers })).text()
    const metrics = await fetched('/metrics')
    expect(metrics).toContain('portcullis')
    const pages = await Promise.all(
      ['/connections', '/tokens'].map(async (path) => (await personOf(cara).open(gate.url + path)).html),
    )
    const api = await fetched('/api/v1/connections', { authorization: `Bearer ${tokenOf('cara')}` })

    gate.child.kill('SIGUSR2')
    const reports = join(gate.folder, 'reports')
    const written = () => readdirSync(reports).map((name) => readFileSync(join(reports, name), 'utf8'))
    // Its last brace stands at the beginning of a line.
    await until(() => written().some((text) => /\n\}\s*$/.test(text)), 'a whole report')
    const report = written().map(withoutEnvironment)
    expect(report.join('')).toContain('javascriptHeap')

    moments.set('data at the end', dataNow())
    await gate.stop()
    moments.set('data after the end', dataNow())
    const places = new Map([
      ...commands,
      ...moments,
      ['log and standard output', Buffer.from(gate.said)],
      ['answers', Buffer.from(answers.join('\n'))],
      ['metrics', Buffer.from(metrics)],
      ['pages', Buffer.from(pages.join('\n'))],
      ['administration', Buffer.from(api)],
      ['report of the process', Buffer.from(report.join('\n'))],
    ])
    expect(gate.said).toContain('the server says')
    expect(finds(allSecrets(), places)).toEqual([])
    // The search itself finds what is there.
    const planted = `x${Buffer.from(`user:${GIVEN.clientBasic}`).toString('base64')} ${Buffer.from(GIVEN.brought).toString('hex')}`
    expect(finds(new Map(Object.entries(GIVEN)), new Map([['planted', Buffer.from(planted)]]))).toEqual([
      'clientBasic in planted',
      'brought in planted',
    ])
  })

  it('are lost without the key of the vault: no gate starts, and nothing changes', { timeout: 60_000 }, async () => {
    const key = join(gate.folder, 'data', 'vault.key')
    expect(existsSync(key)).toBe(true)
    rmSync(key)
    const ended = await run('serve')
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(/vault\.key is missing.*sealed secrets/s)])
    expect(existsSync(key)).toBe(false)
    const left = new Map([
      ['data without the key', dataNow()],
      ['what it said', Buffer.from(ended.stdout + ended.stderr)],
    ])
    expect(finds(allSecrets(), left)).toEqual([])
  })
})
