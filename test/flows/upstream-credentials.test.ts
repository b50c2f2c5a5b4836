// What servers behind the gate are given, through the real gateway: shared tokens that are renewed when a server refuses them, in every
// pairing of eras; keys that are rotated in place; and what a caller brings along.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Guarded, startGuarded } from '../support/guarded.ts'
import { callTool, listTools } from '../support/mcp.ts'
import { type OneEraServer, startHandshakeOnly, startModernOnly } from '../support/one-era.ts'
import { createSdkHost, type Mode } from '../support/sdk.ts'
import { bearer, startTokenServer, type TokenServer } from '../support/token-server.ts'

let folder: string
let backs: readonly OneEraServer[]
let [modern, legacy, filed, brought]: Guarded[] = []
let tokens: TokenServer
let gateway: TestGateway

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-credentials-'))
  writeFileSync(join(folder, 'key'), 'key-1')
  const [newer, older] = await Promise.all([startModernOnly(), startHandshakeOnly()])
  backs = [newer, older]
  modern = await startGuarded(newer.url)
  legacy = await startGuarded(older.url)
  filed = await startGuarded(newer.url)
  brought = await startGuarded(newer.url)
  tokens = await startTokenServer()
  const credentials = {
    type: 'client-credentials' as const,
    tokenUrl: tokens.tokenUrl,
    clientId: 'gate',
    clientSecret: 's',
  }
  const key = { file: join(folder, 'key'), prefix: 'Bearer ' }
  gateway = await startGateway({
    servers: [
      { id: 'modern', url: modern.url, credentials },
      { id: 'legacy', url: legacy.url, credentials },
      { id: 'filed', url: filed.url, credentials: { type: 'headers', headers: { Authorization: key } } },
      { id: 'brought', url: brought.url, credentials: { type: 'caller' } },
    ],
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([...(backs ?? []), modern, legacy, filed, brought, tokens].map((one) => one?.close()))
  rmSync(folder, { recursive: true, force: true })
})

const server = (one: Guarded | undefined): Guarded => {
  if (one === undefined) throw new TypeError('It was not started.')
  return one
}
const guards = () => ({ modern: server(modern), legacy: server(legacy) })

describe.each(['modern', 'legacy'] as const)('a token of our own for a server of the %s era', (id) => {
  let given: string
  beforeEach(() => {
    given = ''
    tokens.answer = () => {
      const answer = bearer()
      given = `Bearer ${answer.body.access_token}`
      return answer
    }
    const guard = guards()[id]
    guard.takes = () => true
    guard.refusal = { status: 401, challenge: 'Bearer error="invalid_token"' }
  })

  describe.each<Mode>(['legacy', { pin: '2026-07-28' }])('the official client, %j', (mode) => {
    it.each([
      ['its own address', () => gateway.resource(id), 'test_simple_text'],
      ['/mcp', () => `${gateway.url}/mcp`, `${id}__test_simple_text`],
    ])('at %s: refused in the middle, it is had anew, and the call is answered', async (_at, url, name) => {
      gateway.clock.advance('11s')
      const client = await createSdkHost(await gateway.person()).connect(url(), mode)
      try {
        expect((await client.callTool({ name, arguments: {} })).content).toHaveLength(1)
        const guard = guards()[id]
        const asked = tokens.asked.length
        const old = guard.seen.at(-1)?.authorization
        guard.takes = (authorization) => authorization !== old
        expect((await client.callTool({ name, arguments: {} })).content).toHaveLength(1)
        expect(tokens.asked.length).toBe(asked + 1)
        expect(guard.seen.at(-1)?.authorization).toBe(given)
        expect(given).not.toBe(old)
      } finally {
        await client.close()
      }
    })
  })

  it('refused again at once, the caller is told, and there is no loop', async () => {
    gateway.clock.advance('11s')
    const token = await gateway.tokenFor(id)
    await callTool(gateway.resource(id), token, 'test_simple_text')
    const guard = guards()[id]
    guard.takes = () => false
    const [seen, asked] = [guard.seen.length, tokens.asked.length]
    const { status, body } = await callTool(gateway.resource(id), token, 'test_simple_text')
    expect({ status, body }).toMatchObject({
      status: 502,
      body: { error: { message: 'The server behind the gate refused the gate.' } },
    })
    expect(guard.seen.length - seen).toBeLessThanOrEqual(3)
    expect(tokens.asked.length - asked).toBe(1)
    await callTool(gateway.resource(id), token, 'test_simple_text')
    expect(tokens.asked.length - asked).toBe(1)
  })
})

describe('403', () => {
  it('for more scopes is a refusal of the token; any other is the server’s own and asks nothing again', async () => {
    gateway.clock.advance('11s')
    const guard = server(modern)
    const token = await gateway.tokenFor('modern')
    guard.takes = () => true
    await callTool(gateway.resource('modern'), token, 'test_simple_text')
    const old = guard.seen.at(-1)?.authorization
    guard.takes = (authorization) => authorization !== old
    guard.refusal = { status: 403, challenge: 'Bearer error="invalid_request"' }
    const asked = tokens.asked.length
    expect((await callTool(gateway.resource('modern'), token, 'test_simple_text')).status).toBe(502)
    expect(tokens.asked.length).toBe(asked)
    guard.refusal = { status: 403, challenge: 'Bearer error="insufficient_scope", scope="more"' }
    expect((await callTool(gateway.resource('modern'), token, 'test_simple_text')).status).toBe(200)
    expect(tokens.asked.length).toBe(asked + 1)
  })
})

describe('a key in a file', () => {
  it('is read again when the server refuses the one we have', async () => {
    const guard = server(filed)
    const token = await gateway.tokenFor('filed')
    expect((await callTool(gateway.resource('filed'), token, 'test_simple_text')).status).toBe(200)
    expect(guard.seen.at(-1)?.authorization).toBe('Bearer key-1')
    guard.takes = (authorization) => authorization === 'Bearer key-2'
    expect((await callTool(gateway.resource('filed'), token, 'test_simple_text')).status).toBe(502)
    writeFileSync(join(folder, 'key'), 'key-2\n')
    expect((await callTool(gateway.resource('filed'), token, 'test_simple_text')).status).toBe(200)
    rmSync(join(folder, 'key'))
    expect((await callTool(gateway.resource('filed'), token, 'test_simple_text')).status).toBe(200)
    expect(gateway.log.join('\n')).not.toMatch(/key-[12]/)
  })
})

describe('what a caller brings along', () => {
  const field = { 'X-Upstream-Authorization': 'Bearer brought-by-ann' }

  it('is Authorization at the one server that is configured so', async () => {
    const guard = server(brought)
    const token = await gateway.tokenFor('brought')
    expect((await callTool(gateway.resource('brought'), token, 'test_simple_text', {}, field)).status).toBe(200)
    expect(guard.seen.at(-1)?.authorization).toBe('Bearer brought-by-ann')
    await callTool(gateway.resource('brought'), token, 'test_simple_text')
    expect(guard.seen.at(-1)?.authorization).toBeUndefined()
  })

  it('and goes to no other', async () => {
    for (const id of ['modern', 'filed'] as const) {
      const token = await gateway.tokenFor(id)
      const guard = id === 'modern' ? server(modern) : server(filed)
      guard.takes = () => true
      await callTool(gateway.resource(id), token, 'test_simple_text', {}, field)
      expect(guard.seen.at(-1)?.authorization).not.toContain('brought-by-ann')
    }
  })

  it('counts for lists, too: what one account shows, another does not', async () => {
    const token = await gateway.tokenFor('brought')
    const guard = server(brought)
    guard.takes = (authorization) => authorization === 'Bearer brought-by-ann'
    const list = (headers: Record<string, string>) => listWith(gateway.resource('brought'), token, headers)
    expect((await list(field)).status).toBe(200)
    expect((await list({})).status).toBe(502)
    expect((await list({ 'X-Upstream-Authorization': 'Bearer of-bob' })).status).toBe(502)
    expect((await listTools(gateway.resource('brought'), token)).status).toBe(502)
  })
})

const listWith = async (url: string, token: string, headers: Record<string, string>) => {
  const { request } = await import('../support/mcp.ts')
  return request(url, token, 'tools/list', {}, headers)
}
