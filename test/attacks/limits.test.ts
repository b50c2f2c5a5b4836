// Ways around a limit, catalogue row F11: other addresses, other spellings, other keys, other replicas, a store that is gone. Each comes to
// within a fifth of what is written, and beside it stands somebody whose calls the limit does not count.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminApiOf } from '../support/admin-api.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { ANN, BOB, startGateway, type TestGateway, testClock } from '../support/gateway.ts'
import { callTool, request } from '../support/mcp.ts'
import { addUser } from '../support/people.ts'
import { createPerson } from '../support/person.ts'
import { type FreshDatabase, freshDatabase, type PostgresServer, startPostgres } from '../support/postgres.ts'

/** So many calls an hour: none comes back while a test runs. */
const MOST = 30
const LIMIT = { id: 'hourly', rate: `${MOST}/h` }
const RULES = { rules: [{ allow: ['*/*'], to: ['*'] }] }
const SHOTS = 60

let canary: Canary
beforeAll(async () => {
  canary = await startCanary()
})
afterAll(() => canary?.close())

/** Without what the gate itself asks a server about. */
const callsReceived = (): number => canary.requests.filter(({ body }) => body.includes('"tools/call"')).length

const passed = (answers: readonly { status: number }[]): number => {
  expect(answers.filter(({ status }) => status !== 200 && status !== 429)).toEqual([])
  return answers.filter(({ status }) => status === 200).length
}

const volley = <T>(count: number, shot: (at: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => shot(at)))

describe('one gate', () => {
  let gateway: TestGateway
  const people = [BOB]
  beforeAll(async () => {
    gateway = await startGateway({
      servers: [{ id: 'notes', url: canary.url }],
      policy: RULES,
      limits: [LIMIT],
      server: { trustedProxies: ['127.0.0.1'] },
      oauth: { registration: { perAddress: 1000, total: 1000 } },
    })
  })
  afterAll(() => gateway?.close())

  /** Somebody of their own for each test, and a bystander. */
  async function somebody(): Promise<{ token: string; person: Awaited<ReturnType<typeof createPerson>> }> {
    const user = { ...ANN, username: `ann${people.length}` }
    people.push(user)
    await addUser(gateway.store, user)
    const person = createPerson(user)
    return { person, token: await gateway.tokenFor('notes', { user: person }) }
  }
  const url = () => gateway.resource('notes')
  async function expectHeld(answers: readonly { status: number }[]): Promise<void> {
    expect(answers).toHaveLength(SHOTS)
    expect(passed(answers)).toBe(MOST)
    // The twin: whose calls the limit does not count is served all the while.
    const { token } = await somebody()
    expect((await callTool(url(), token, 'read_note')).status).toBe(200)
  }

  it('another X-Forwarded-For with every call', async () => {
    const { token } = await somebody()
    const from = (at: number) => ({ 'x-forwarded-for': `198.51.100.${at}, 203.0.113.${at}` })
    await expectHeld(await volley(SHOTS, (at) => callTool(url(), token, 'read_note', {}, from(at))))
  })

  it('another address of one IPv6 network, or of many, with every call', async () => {
    const { token } = await somebody()
    const from = (at: number) => ({ 'x-forwarded-for': at % 2 === 0 ? `2001:db8::${at}` : `2001:db8:${at}::1` })
    await expectHeld(await volley(SHOTS, (at) => callTool(url(), token, 'read_note', {}, from(at))))
  })

  it('other spellings of the path: those that are known are the same place, and the others are none', async () => {
    const { token } = await somebody()
    const spellings = ['/servers/notes/mcp', '/servers/notes/mcp?x=1', '/servers/notes/mcp?y=2']
    await expectHeld(
      await volley(SHOTS, (at) => callTool(`${gateway.url}${spellings[at % spellings.length]}`, token, 'read_note')),
    )
    const before = callsReceived()
    for (const path of ['/servers/Notes/mcp', '/servers/notes/MCP', '/servers/notes/mcp/', '/servers/%6eotes/mcp']) {
      const { status } = await callTool(`${gateway.url}${path}`, token, 'read_note')
      expect(status).toBeGreaterThanOrEqual(400)
    }
    expect(callsReceived()).toBe(before)
  })

  it('another tool, another id, other arguments, both wires', async () => {
    const { token } = await somebody()
    const legacy = () =>
      fetch(url(), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2025-11-25',
          authorization: `Bearer ${token}`,
        },
        body: '{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"read_note","arguments":{}}}',
      })
    await expectHeld(
      await volley(SHOTS, (at): Promise<{ status: number }> => {
        if (at % 3 === 0) return legacy()
        if (at % 3 === 1) return callTool(url(), token, `made_up_${at}`, { at })
        return request(url(), token, 'resources/read', { uri: `note:${at}` }, { 'mcp-name': `note:${at}` })
      }),
    )
  })

  it('another token of the same person with every call: new sign-ins, new clients, API tokens', async () => {
    const { person } = await somebody()
    const api = await adminApiOf(gateway, person)
    const tokens: string[] = []
    for (let at = 0; at < 3; at++) {
      tokens.push(await gateway.tokenFor('notes', { user: person }))
      tokens.push((await api.token({ name: `key ${at}`, expires_in: '1h' })).secret)
    }
    await expectHeld(await volley(SHOTS, (at) => callTool(url(), tokens[at % tokens.length], 'read_note')))
  })

  it('the same API token, rotated: a limit per token goes by the token', async () => {
    const perToken = await startGateway({
      servers: [{ id: 'notes', url: canary.url }],
      policy: RULES,
      limits: [{ ...LIMIT, per: 'token' }],
      tokens: { transition: '1h' },
    })
    try {
      const api = await adminApiOf(perToken, await perToken.person())
      const made = await api.token({ name: 'key', expires_in: '1h' })
      const rotated = (await api.send('POST', `/tokens/${made.id}/rotate`, {})).body.secret as string
      const secrets = [made.secret, rotated]
      expect(
        passed(await volley(SHOTS, (at) => callTool(perToken.resource('notes'), secrets[at % 2], 'read_note'))),
      ).toBe(MOST)
      const other = await api.token({ name: 'other', expires_in: '1h' })
      expect((await callTool(perToken.resource('notes'), other.secret, 'read_note')).status).toBe(200)
    } finally {
      await perToken.close()
    }
  })

  it('ever new names: memory stays bounded, and an old count is not forgotten for them', async () => {
    const { token } = await somebody()
    expect(passed(await volley(MOST, () => callTool(url(), token, 'read_note')))).toBe(MOST)
    await volley(200, (at) => callTool(url(), token, `made_up_${at}`))
    expect((await callTool(url(), token, 'read_note')).status).toBe(429)
  })
})

describe('three replicas on one PostgreSQL', () => {
  let database: FreshDatabase
  let replicas: [TestGateway, ...TestGateway[]]
  let token: string
  beforeAll(async () => {
    database = await freshDatabase()
    replicas = await startReplicas(database.url)
    token = await replicas[0].tokenFor('notes')
  })
  afterAll(async () => {
    for (const one of replicas ?? []) await one.close()
    await database?.drop()
  })

  it('let through what is written, and at most a fifth more, whoever is asked', async () => {
    const answers = await volley(150, (at) => callAt(replicas, at, token))
    expect(passed(answers)).toBeGreaterThanOrEqual(MOST)
    expect(passed(answers)).toBeLessThanOrEqual(MOST * 1.2)
  })

  it('and the same a second time, once the hour has brought new ones', async () => {
    replicas[0].clock.advance('2h')
    const later = await replicas[0].tokenFor('notes')
    const answers = await volley(150, (at) => callAt(replicas, at * 7, later))
    expect(passed(answers)).toBeGreaterThanOrEqual(MOST)
    expect(passed(answers)).toBeLessThanOrEqual(MOST * 1.2)
  })
})

describe('a store that goes away', () => {
  let postgres: PostgresServer
  let replicas: [TestGateway, ...TestGateway[]]
  beforeAll(async () => {
    postgres = await startPostgres()
    replicas = await startReplicas(postgres.url, 2)
  })
  afterAll(async () => {
    await postgres?.up().catch(() => undefined)
    for (const one of replicas ?? []) await one.close()
    await postgres?.stop()
  })

  it('leaves each replica to its own count, says so, and is used again', async () => {
    const token = await replicas[0].tokenFor('notes')
    expect((await callAt(replicas, 0, token)).status).toBe(200)
    expect((await callAt(replicas, 1, token)).status).toBe(200)
    await postgres.down()
    const each = [0, 1].map((at) => volley(SHOTS, () => callAt(replicas, at, token)))
    for (const answers of await Promise.all(each)) {
      expect(passed(answers)).toBeGreaterThanOrEqual(MOST - 2)
      expect(passed(answers)).toBeLessThanOrEqual(MOST)
    }
    for (const { log } of replicas) expect(log.join('')).toContain('limits are counted by this replica alone')
    expect(await replicas[0].metrics()).toMatch(/^portcullis_limits_in_store 0$/m)
    await postgres.up()
    replicas[0].clock.advance('3h')
    const later = await replicas[0].tokenFor('notes')
    await volley(2, (at) => callAt(replicas, at, later))
    await expect
      .poll(() => replicas.map(({ log }) => log.join('').includes('in the store again')))
      .toEqual([true, true])
    expect(await replicas[0].metrics()).toMatch(/^portcullis_limits_in_store 1$/m)
  })
})

/** As a load balancer sees them: same public URL, same store, ports of their own. */
async function startReplicas(storeUrl: string, count = 3): Promise<[TestGateway, ...TestGateway[]]> {
  const settings = {
    servers: [{ id: 'notes', url: canary.url }],
    policy: RULES,
    limits: [LIMIT],
    storeUrl,
    clock: testClock(),
    oauth: { registration: { perAddress: 1000, total: 1000 } },
  }
  const first = await startGateway(settings)
  const others: TestGateway[] = []
  for (let at = 1; at < count; at++) others.push(await startGateway({ ...settings, server: { url: first.url } }))
  return [first, ...others]
}

function callAt(replicas: readonly TestGateway[], at: number, token: string) {
  const port = replicas[at % replicas.length]?.port
  return callTool(`http://127.0.0.1:${port}/servers/notes/mcp`, token, 'read_note')
}
