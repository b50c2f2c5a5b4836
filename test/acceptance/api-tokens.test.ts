// Acceptance case 21: API tokens. The value is shown once, lists are masked, the end is the end, a revocation counts at once, a rotation
// leaves the old secret its time; a token does what it was made for and makes no others; limits, addresses, hours.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { ActEvent, CallEvent } from '../../src/audit/event.ts'
import { type AdminApi, adminApi, adminApiOf, basic, bearer } from '../support/admin-api.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools, request } from '../support/mcp.ts'

let canary: Canary
let gateway: TestGateway
let api: AdminApi
let made = 0

beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({
    servers: [
      { id: 'notes', url: canary.url },
      { id: 'other', url: canary.url },
    ],
    policy: {
      rules: [
        { allow: ['*/*'], to: ['*'] },
        { deny: ['notes/delete_*'], to: ['*'] },
        { deny: ['notes/write_*'], to: ['user:service:ci'] },
      ],
    },
    scopes: {
      'mcp:tools': { title: 'All', covers: ['*/*'] },
      'notes:read': { title: 'Read notes', covers: ['notes/read_*'] },
    },
    tokens: { maxTtl: '30d', transition: '30m' },
    admin: { user: 'admin', password: 'twelve brave ducks by a pond' },
  })
  api = await adminApiOf(gateway, await gateway.person())
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const token = (asked: Record<string, unknown> = {}) => api.token({ name: `token ${made++}`, ...asked })
const call = (secret: string, tool = 'read_note', server = 'notes') => callTool(gateway.resource(server), secret, tool)
/** A person’s own access token lives ten minutes; the administration is asked again after a jump of the clock. */
async function later(duration: string): Promise<void> {
  gateway.clock.advance(duration)
  api = await adminApiOf(gateway, await gateway.person())
}

describe('a token that was created', () => {
  it('is shown once, and works as a bearer token and as an API key', async () => {
    const { id, secret, token: told } = await token({ description: 'nightly run' })
    expect(secret).toMatch(/^pc_[0-9A-Za-z]{36}$/)
    expect((await call(secret)).status).toBe(200)
    const withKey = await request(
      gateway.resource('notes'),
      undefined,
      'tools/call',
      { name: 'read_note', arguments: {} },
      { 'mcp-name': 'read_note', 'x-api-key': secret },
    )
    expect(withKey.status).toBe(200)
    expect(JSON.stringify(told)).not.toContain(secret)
    for (const answer of [await api.send('GET', `/tokens/${id}`), await api.send('GET', '/tokens')])
      expect(JSON.stringify(answer.body)).not.toContain(secret.slice(6, -4))
  })

  it('is listed masked, with its last use', async () => {
    const { id, secret } = await token()
    const find = async () => (await api.send('GET', `/tokens/${id}`)).body
    expect(await find()).toMatchObject({ masked: `${secret.slice(0, 6)}…${secret.slice(-4)}`, last_used_at: null })
    await call(secret)
    await expect.poll(async () => (await find()).last_used_at).toMatch(/Z$/)
    const { body } = await api.send('GET', '/tokens')
    expect(body.tokens.find((one: { id: string }) => one.id === id)).toMatchObject({ status: 'active' })
  })

  it('speaks for its owner, under its own id, and the record says so', async () => {
    const { id, secret } = await token()
    await call(secret, 'write_note')
    const calls = await gateway.audit((events) =>
      events.some((event) => event.kind === 'call' && event.family === id && event.outcome === 'answered'),
    )
    expect(calls.find((event) => event.family === id && event.kind === 'call')).toMatchObject({
      decision: 'allow',
      email: 'ann@example.com',
      name: 'write_note',
    })
    expect(calls.filter((event) => event.kind === 'act' && event.family === id)).toMatchObject([
      { act: 'token_created', decision: 'allow', reason: 'person' },
    ])
  })
})

describe('the end of a token', () => {
  it('comes when it was said', async () => {
    const { secret } = await token({ expires_in: '2h' })
    await later('119m')
    expect((await call(secret)).status).toBe(200)
    await later('1m')
    const answer = await call(secret)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"')
  })

  it('comes with its revocation, at once', async () => {
    const { id, secret } = await token()
    expect((await call(secret)).status).toBe(200)
    expect((await api.send('DELETE', `/tokens/${id}`, { reason: 'leaked' })).status).toBe(204)
    expect((await call(secret)).status).toBe(401)
    expect((await api.send('GET', `/tokens/${id}`)).body).toMatchObject({ status: 'revoked', revoked_reason: 'leaked' })
    expect((await api.send('DELETE', `/tokens/${id}`)).status).toBe(204)
  })

  it('is told beforehand, once', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const gate = await startGateway({ servers: [], tokens: { expiresSoon: '1h' } })
    try {
      const { id } = await (await adminApiOf(gate, await gate.person())).token({ name: 'ci', expires_in: '8h' })
      const isTold = (event: CallEvent | ActEvent) => event.kind === 'act' && event.act === 'token_expires_soon'
      const told = async (until?: (events: readonly (CallEvent | ActEvent)[]) => boolean) => {
        // The gate looks twice a minute.
        await vi.advanceTimersByTimeAsync(30_000)
        return (await gate.audit(until)).filter(isTold)
      }
      expect(await told()).toEqual([])
      gate.clock.advance('7h')
      for (let look = 0; look < 3; look++)
        expect(await told((all) => all.some(isTold))).toMatchObject([{ family: id, name: 'ci' }])
    } finally {
      await gate.close()
      vi.useRealTimers()
    }
  })
})

describe('a rotation', () => {
  it('keeps the id; the old secret works until the transition ends, the new one on', async () => {
    const { id, secret } = await token({ expires_in: '7d' })
    const { status, body } = await api.send('POST', `/tokens/${id}/rotate`)
    expect([status, body.token.id]).toEqual([200, id])
    expect(Date.parse(body.token.transition_ends_at) - gateway.clock.now()).toBeGreaterThan(29 * 60_000)
    expect([(await call(secret)).status, (await call(body.secret)).status]).toEqual([200, 200])
    const again = await api.send('POST', `/tokens/${id}/rotate`)
    expect([again.status, again.body.error]).toEqual([409, 'Conflict'])
    await later('30m')
    expect([(await call(secret)).status, (await call(body.secret)).status]).toEqual([401, 200])
    expect((await api.send('POST', `/tokens/${id}/rotate`)).status).toBe(200)
  })

  it('without a transition ends the old secret at once', async () => {
    const { id, secret } = await token()
    expect((await call(secret)).status).toBe(200)
    const { body } = await api.send('POST', `/tokens/${id}/rotate`, { transition: 0 })
    expect([(await call(secret)).status, (await call(body.secret)).status]).toEqual([401, 200])
  })
})

describe('what a token is for', () => {
  it('a server and a tool: others are 403, and not listed; what policy hides is hidden', async () => {
    const { secret } = await token({ reach: ['notes/read_*', 'notes/delete_*'] })
    expect((await call(secret)).status).toBe(200)
    for (const [tool, server] of [
      ['write_note', 'notes'],
      ['read_note', 'other'],
    ]) {
      const answer = await call(secret, tool, server)
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
        403,
        expect.stringContaining('error="insufficient_scope"'),
      ])
    }
    const hidden = await call(secret, 'delete_note')
    expect([hidden.status, JSON.stringify(hidden.body)]).toEqual([200, expect.stringContaining('Unknown tool')])
    expect((await listTools(gateway.resource('other'), secret)).status).toBe(403)
    const { result } = (await listTools(gateway.resource('notes'), secret)).body as {
      result: { tools: { name: string }[] }
    }
    expect(result.tools.map(({ name }) => name)).toEqual(['read_note'])
    const seen = async (path: string) =>
      (await fetch(gateway.url + path, { headers: { authorization: bearer(secret) } })).json()
    expect(await seen('/servers')).toMatchObject({ servers: [{ id: 'notes' }] })
    expect(await seen('/tools')).toMatchObject({ tools: [{ name: 'read_note' }], unavailable: [] })
    expect(await seen('/whoami')).toMatchObject({ method: 'api_token', email: 'ann@example.com' })
  })

  it('a service: rules speak of it by its name', async () => {
    const root = adminApi(gateway, basic('admin', 'twelve brave ducks by a pond'))
    const ci = await root.token({ name: 'deploy', kind: 'service', owner: 'ci' })
    const other = await root.token({ name: 'deploy', kind: 'service', owner: 'other' })
    expect([(await call(ci.secret)).status, (await call(other.secret, 'write_note')).status]).toEqual([200, 200])
    expect(JSON.stringify((await call(ci.secret, 'write_note')).body)).toContain('Unknown tool')
  })

  it('scopes: what they cover', async () => {
    const { secret } = await token({ scopes: ['notes:read'] })
    expect([(await call(secret)).status, (await call(secret, 'write_note')).status]).toEqual([200, 403])
    const unbound = await token()
    expect((await call(unbound.secret, 'write_note')).status).toBe(200)
  })

  it('not the administration: it creates, lists, rotates and revokes nothing', async () => {
    const { id, secret } = await token()
    const script = adminApi(gateway, bearer(secret))
    const before = (await api.send('GET', '/tokens')).body.tokens.length
    for (const [method, path, body] of [
      ['POST', '/tokens', { name: 'child' }],
      ['GET', '/tokens', undefined],
      ['GET', `/tokens/${id}`, undefined],
      ['PATCH', `/tokens/${id}`, { name: 'other' }],
      ['POST', `/tokens/${id}/rotate`, {}],
      ['DELETE', `/tokens/${id}`, undefined],
      ['GET', '/me', undefined],
    ] as const)
      expect((await script.send(method, path, body)).status).toBe(403)
    expect((await api.send('GET', '/tokens')).body.tokens.length).toBe(before)
    expect((await call(secret)).status).toBe(200)
    const refused = (await gateway.audit()).filter((event) => event.reason === 'api_token_cannot_administer')
    expect(refused).toHaveLength(7)
  })
})

describe('limits', () => {
  it('how often: 429 with the time to wait, and again when it is over', async () => {
    const { secret } = await token({ rate: '2/min' })
    expect([(await call(secret)).status, (await call(secret)).status]).toEqual([200, 200])
    const answer = await call(secret)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '60'])
    gateway.clock.advance('1m')
    expect((await call(secret)).status).toBe(200)
  })

  it('from where: 403 from elsewhere, and recorded', async () => {
    const here = await token({ addresses: ['127.0.0.0/8', '::1'] })
    const elsewhere = await token({ addresses: ['192.0.2.0/24'] })
    expect([(await call(here.secret)).status, (await call(elsewhere.secret)).status]).toEqual([200, 403])
    const events = await gateway.audit((all) => all.some(({ reason }) => reason === 'address_not_allowed'))
    expect(events.find(({ reason }) => reason === 'address_not_allowed')).toMatchObject({ decision: 'deny' })
  })

  it('when: 403 outside its hours', async () => {
    const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
    const today = days[new Date(gateway.clock.now()).getUTCDay()]
    const all = { from: '00:00', to: '24:00' }
    const inside = await token({ hours: { ...all, days: [today] } })
    const outside = await token({ hours: { ...all, days: days.filter((day) => day !== today) } })
    expect([(await call(inside.secret)).status, (await call(outside.secret)).status]).toEqual([200, 403])
  })

  it('how many, and one of a name', async () => {
    const small = await startGateway({ servers: [], tokens: { perPrincipal: 2 } })
    const own = await adminApiOf(small, await small.person())
    await own.token({ name: 'one' })
    expect((await own.send('POST', '/tokens', { name: 'one' })).status).toBe(409)
    await own.token({ name: 'two' })
    expect((await own.send('POST', '/tokens', { name: 'three' })).status).toBe(409)
    const others = await adminApiOf(small, await small.person('bob'))
    await others.token({ name: 'one' })
    await small.close()
  })
})
