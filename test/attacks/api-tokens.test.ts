// Rows C26, F10, F11 and F12 of the attack catalogue, as far as they touch API tokens: keys in the wrong place, keys that were guessed,
// bent, revoked or stolen from the disk, limits walked around, names that would write into the log. RFC 6750 §2, ASVS 5.0 §6.3.1, §16.4.1.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { mintApiToken } from '../../src/tokens/api-token.ts'
import { type AdminApi, adminApiOf, basic } from '../support/admin-api.ts'
import { standingClock, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import {
  attackTable,
  type Bend,
  expectAlive,
  expectNoSecret,
  expectRecorded,
  expectRefusal,
  expectServed,
  MCP_PATH,
  POLICY,
  type Range,
  shoot,
  startRange,
} from '../support/range.ts'

const PASSWORD = 'twelve brave ducks by a pond'
const FAILURES = 10

let range: Range
let api: AdminApi
let secret: string
beforeAll(async () => {
  range = await startRange({
    admin: { user: 'admin', password: PASSWORD },
    tokens: { failures: FAILURES, perPrincipal: 500 },
    // Guesses count by the minute: none may pass by itself.
    clock: standingClock(),
  })
  api = await adminApiOf(range.gateway, await range.gateway.person())
  secret = (await api.token({ name: 'good' })).secret
})
afterAll(() => range?.close())

const guess = () => mintApiToken(randomBytes)
const asBearer = (token: string): Bend => ({ Authorization: `Bearer ${token}` })
const asKey = (token: string): Bend => ({ Authorization: undefined, 'X-API-Key': token })
const status = async (bend: Bend, from?: string): Promise<number> =>
  (await shoot(range, { bend, ...(from !== undefined && { from }) })).status

describe('C26: the positive twins', () => {
  it('a token works in either header, and nothing of it reaches the upstream, the log or the record', async () => {
    for (const bend of [asBearer(secret), asKey(secret)]) await expectServed(range, { bend })
    expectNoSecret(range, secret)
    const upstream = range.canary.requests.flatMap(({ rawHeaders, body }) => [...rawHeaders, body.toString()])
    expect(upstream.filter((text) => text.includes(secret))).toEqual([])
    expect(JSON.stringify(await range.gateway.audit())).not.toContain(secret)
  })
})

const PLACES = ['access_token', 'api_key', 'apikey', 'x-api-key', 'token'].map((id) => ({ id }))
attackTable('C26: a key in the address', PLACES, async ({ id }) => {
  const target = `${MCP_PATH}?${id}=${secret}`
  for (const bend of [{ Authorization: undefined }, {}, asBearer(secret)])
    await expectRefusal(range, { target, bend }, { status: 400, reason: 'token_in_query' })
  expectNoSecret(range, secret)
})

const DOUBLES: { id: string; bend: () => Bend }[] = [
  { id: 'a bearer token and a key', bend: () => ({ ...asBearer(range.token), 'X-API-Key': secret }) },
  { id: 'one token in both headers', bend: () => ({ ...asBearer(secret), 'X-API-Key': secret }) },
  { id: 'two keys', bend: () => ({ Authorization: undefined, 'X-API-Key': [secret, secret] }) },
]
attackTable('C26, C27: two credentials', DOUBLES, ({ bend }) => expectRefusal(range, { bend: bend() }, { status: 400 }))

const letter = (text: string, at: number) => (text[at] === 'a' ? 'b' : 'a')
const SPELLINGS: { id: string; spell: (token: string) => string }[] = [
  { id: 'another last letter', spell: (token) => token.slice(0, -1) + letter(token, 38) },
  { id: 'another first letter', spell: (token) => `pc_${letter(token, 3)}${token.slice(4)}` },
  { id: 'a letter less', spell: (token) => token.slice(0, -1) },
  { id: 'a letter more', spell: (token) => `${token}0` },
  { id: 'a hundred letters more', spell: (token) => token + 'x'.repeat(100) },
  { id: 'the token twice', spell: (token) => token + token },
  { id: 'another case', spell: (token) => token.toLowerCase() },
  { id: 'padding', spell: (token) => `${token}==` },
  { id: 'the prefix alone', spell: () => 'pc_' },
  { id: 'its mask', spell: (token) => `${token.slice(0, 6)}...${token.slice(-4)}` },
]
attackTable('C26: a token that is not quite one', SPELLINGS, async ({ spell }) => {
  const look = vi.spyOn(range.gateway.store.durable.apiTokens, 'findBySecret')
  for (const place of [asBearer, asKey])
    await expectRefusal(range, { bend: place(spell(secret)) }, { status: 401, reason: 'malformed' })
  expect(look).not.toHaveBeenCalled()
  look.mockRestore()
  await expectServed(range, { bend: asBearer(secret) })
})

describe('C26: a long token of one that shares its first hundred letters', () => {
  it('is never taken for it', async () => {
    const stem = guess() + 'x'.repeat(100)
    for (const end of ['a', 'b']) expect(await status(asBearer(stem + end))).toBe(401)
  })
})

describe('C26: what is kept', () => {
  it('neither database, nor journal, spool, log or record holds a secret', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'portcullis-atrest-'))
    const gateway = await startGateway({
      storeUrl: `sqlite:${join(directory, 'state.db')}`,
      servers: [{ id: 'canary', url: range.canary.url }],
    })
    const own = await adminApiOf(gateway, await gateway.person())
    const { id, secret: first } = await own.token({ name: 'kept' })
    const { body } = await own.send('POST', `/tokens/${id}/rotate`)
    const secrets = [first, String(body.secret)]
    for (const token of secrets)
      expect((await callTool(gateway.resource('canary'), token, 'read_note')).status).toBe(200)
    await gateway.audit((events) => events.filter(({ kind }) => kind === 'call').length >= 2)
    const folders = [directory, gateway.config.store.directory]
    const files = folders.flatMap((folder) =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    )
    for (const name of [/state\.db$/, /state\.db-wal$/, /audit\/[^/]+\.v2$/])
      expect([name, files.some((file) => name.test(file))]).toEqual([name, true])
    const held = Buffer.concat([...files.map((file) => readFileSync(file)), Buffer.from(gateway.log.join('\n'))])
    // The twin: what is there is found this way.
    expect(held.includes(`${first.slice(0, 6)}…${first.slice(-4)}`)).toBe(true)
    for (const token of secrets) {
      expect(held.includes(token)).toBe(false)
      expect(held.includes(token.slice(6, -4))).toBe(false)
    }
    await gateway.close()
    rmSync(directory, { recursive: true, force: true })
  })
})

describe('C26: elsewhere', () => {
  let directory: string
  let here: TestGateway
  let there: TestGateway
  let own: AdminApi
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'portcullis-replicas-'))
    const options = {
      storeUrl: `sqlite:${join(directory, 'shared.db')}`,
      servers: [{ id: 'canary', url: range.canary.url }],
      tokens: { failures: FAILURES },
      clock: standingClock(),
    }
    here = await startGateway(options)
    there = await startGateway(options)
    own = await adminApiOf(here, await here.person())
  })
  afterAll(async () => {
    await here?.close()
    await there?.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const at = async (gateway: TestGateway, token: string) =>
    (await callTool(gateway.resource('canary'), token, 'read_note')).status

  it('a revoked token is dead at once here, and at another replica when that has asked what is revoked', async () => {
    const { id, secret: token } = await own.token({ name: 'everywhere' })
    expect([await at(here, token), await at(there, token)]).toEqual([200, 200])
    expect((await own.send('DELETE', `/tokens/${id}`)).status).toBe(204)
    expect(await at(here, token)).toBe(401)
    await expect.poll(() => at(there, token), { interval: 200 }).toBe(401)
  })

  it('so is a secret that was replaced without a transition', async () => {
    const { id, secret: token } = await own.token({ name: 'replaced' })
    expect([await at(here, token), await at(there, token)]).toEqual([200, 200])
    const { body } = await own.send('POST', `/tokens/${id}/rotate`, { transition: 0 })
    expect([await at(here, token), await at(here, body.secret), await at(there, body.secret)]).toEqual([401, 200, 200])
    await expect.poll(() => at(there, token), { interval: 200 }).toBe(401)
  })

  it('F11: guesses count together at all replicas', async () => {
    const answers: number[] = []
    for (let shot = 0; shot < 3 * FAILURES; shot++) answers.push(await at(shot % 2 === 0 ? here : there, guess()))
    const judged = answers.filter((answer) => answer === 401).length
    expect(judged).toBeGreaterThanOrEqual(FAILURES)
    expect(judged).toBeLessThanOrEqual(1.2 * FAILURES)
    expect(answers.at(-1)).toBe(429)
  })
})

describe('its owner', () => {
  it('once disabled, has no token any more', async () => {
    const gateway = await startGateway({ servers: [{ id: 'canary', url: range.canary.url }], policy: POLICY })
    const own = await adminApiOf(gateway, await gateway.person())
    const { secret: token } = await own.token({ name: 'of somebody who left' })
    const call = async () => (await callTool(gateway.resource('canary'), token, 'read_note')).status
    expect(await call()).toBe(200)
    const ann = await gateway.store.durable.users.findByIdentity('local', 'ann')
    await gateway.store.durable.users.setDisabled(ann?.id ?? '', true, gateway.clock.now())
    gateway.clock.advance('5s')
    expect(await call()).toBe(401)
    await gateway.close()
  })
})

describe('F10: the local administrator’s password', () => {
  const attempt = async (password: string, from: string) =>
    (
      await shoot(range, {
        method: 'GET',
        target: '/api/v1/me',
        bend: { Authorization: basic('admin', password) },
        from,
      })
    ).status

  it('five guesses, then waiting, also for the right one; from elsewhere it still works', async () => {
    for (let shot = 0; shot < 5; shot++) expect(await attempt(`guess ${shot}`, '127.0.0.10')).toBe(401)
    expect([await attempt('guess', '127.0.0.10'), await attempt(PASSWORD, '127.0.0.10')]).toEqual([429, 429])
    expect(await attempt(PASSWORD, '127.0.0.11')).toBe(200)
    range.gateway.clock.advance('1m')
    api = await adminApiOf(range.gateway, await range.gateway.person())
    expect(await attempt(PASSWORD, '127.0.0.10')).toBe(200)
    expectNoSecret(range, PASSWORD)
  })

  it('a hundred at once are not all the first one', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, shot) => attempt(`guess ${shot}`, '127.0.0.12')))
    expect(answers.filter((answer) => answer === 401).length).toBeLessThanOrEqual(5)
    expect(new Set(answers)).toEqual(new Set([401, 429]))
  })
})

const WAYS_AROUND: { id: string; bend: (shot: number) => Bend }[] = [
  { id: 'as it is', bend: () => asBearer(guess()) },
  { id: 'either header by turns', bend: (shot) => (shot % 2 === 0 ? asBearer : asKey)(guess()) },
  {
    id: 'another address in each X-Forwarded-For',
    bend: (shot) => ({ ...asBearer(guess()), 'X-Forwarded-For': `203.0.113.${shot}` }),
  },
  {
    id: 'other fields that name a client',
    bend: (shot) => ({ ...asBearer(guess()), 'X-Real-IP': `203.0.113.${shot}`, Forwarded: `for=203.0.113.${shot}` }),
  },
  { id: 'Bearer in another case', bend: (shot) => ({ Authorization: `${shot % 2 ? 'bearer' : 'BEARER'} ${guess()}` }) },
]
let network = 20
attackTable('F11: unknown tokens beyond the limit', WAYS_AROUND, async ({ bend }) => {
  const from = `127.0.0.${network++}`
  const answers: number[] = []
  for (let shot = 0; shot < 2 * FAILURES; shot++) answers.push(await status(bend(shot), from))
  expect(answers.filter((answer) => answer === 401)).toHaveLength(FAILURES)
  expect(answers.slice(FAILURES)).toEqual(Array.from({ length: FAILURES }, () => 429))
  const waiting = await shoot(range, { bend: asBearer(guess()), from })
  expect([waiting.status, Number(waiting.header('retry-after')) <= 60]).toEqual([429, true])
  // The twin: nobody else waits, and whoever is signed in does not either.
  await expectServed(range, { bend: asBearer(secret) })
  await expectServed(range, { from })
})

describe('F11: the rate of a token', () => {
  it('is not begun anew by a rotation, nor by the other header', async () => {
    const { id, secret: token } = await api.token({ name: 'paced', rate: '4/h' })
    expect([await status(asBearer(token)), await status(asKey(token))]).toEqual([200, 200])
    const { body } = await api.send('POST', `/tokens/${id}/rotate`)
    expect([await status(asBearer(token)), await status(asBearer(body.secret))]).toEqual([200, 200])
    for (const bend of [asBearer(token), asKey(token), asBearer(body.secret)]) expect(await status(bend)).toBe(429)
  })

  it('is recorded when it is passed', async () => {
    const { secret: token } = await api.token({ name: 'once', rate: '1/d' })
    await expectServed(range, { bend: asBearer(token) })
    await expectRecorded(range, await shoot(range, { bend: asBearer(token) }), 'token_rate')
  })
})

const LINES = '{"kind":"act","act":"token_created","decision":"allow"}'
const REFUSED_NAMES = [
  { id: 'a line feed', name: `x\n${LINES}` },
  { id: 'a carriage return', name: `x\r\n${LINES}` },
  { id: 'ANSI', name: 'x\u001b[2J\u001b[31m' },
  { id: 'an 8-bit CSI', name: 'x\u009b31m' },
  { id: 'a line separator', name: `x\u2028${LINES}` },
  { id: 'text from right to left', name: 'x\u202egpj.exe' },
  { id: 'half a character', name: 'x\ud800' },
  { id: 'NUL', name: 'x\u0000y' },
  { id: 'a megabyte', name: 'x'.repeat(1024 ** 2) },
]
attackTable('F12: a name that would write into the log', REFUSED_NAMES, async ({ name }) => {
  const answer = await api.send('POST', '/tokens', { name })
  expect([400, 413]).toContain(answer.status)
  const { id } = await api.token({ name: `good ${randomBytes(4).toString('hex')}` })
  for (const field of ['name', 'description'])
    expect([400, 413]).toContain((await api.send('PATCH', `/tokens/${id}`, { [field]: name })).status)
  expect([400, 413]).toContain((await api.send('DELETE', `/tokens/${id}`, { reason: name })).status)
  await expectOneLineEach()
})

const TAKEN_NAMES = [
  { id: 'a JSON breakout', name: '","decision":"allow","x":"' },
  { id: 'braces and a lookup', name: '${jndi:ldap://x/a} {{7*7}} %s %n' },
  { id: 'markup', name: '<script>alert(1)</script>' },
  { id: 'SQL', name: "x'; DROP TABLE api_tokens; --" },
  { id: 'a word of its own language', name: 'Nächtlicher Lauf 夜間 🌙' },
  { id: 'the longest', name: '"'.repeat(255) },
]
attackTable('F12: a name that only looks like it', TAKEN_NAMES, async ({ name }) => {
  const { id, token } = await api.token({ name })
  expect(token.name).toBe(name)
  expect((await api.send('GET', `/tokens/${id}`)).body.name).toBe(name)
  const act = (await range.gateway.audit()).find((event) => event.family === id)
  expect(act).toMatchObject({ kind: 'act', act: 'token_created', decision: 'allow', name })
  await expectOneLineEach()
  await expectAlive(range)
})

/** Log and record: every line is JSON by itself, without a character that a terminal would obey. */
async function expectOneLineEach(): Promise<void> {
  const records = (await range.gateway.store.records.newest(1000)).map(({ line }) => line)
  const lines = [...records, ...range.gateway.log.map((line) => line.replace(/\n$/, ''))]
  expect(lines.length).toBeGreaterThan(10)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones a terminal would obey.
  const bad = lines.filter((line) => /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/.test(line) || line.length > 8192)
  expect(bad).toEqual([])
  for (const line of lines) JSON.parse(line)
}
