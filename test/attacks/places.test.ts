// One caller who calls as often as they can, at a server with few places: others are served all the same, and what the caller may have
// they have. So it is for a server over HTTP, for a program, for whoever has not signed in, and while a person is being asked.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answer, type FaultyCall, type FaultyServer, json, startFaultyServer } from '../support/faulty-server.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { round } from '../support/held.ts'
import { callTool, type McpAnswer } from '../support/mcp.ts'
import { type OneEraServer, startHandshakeOnly } from '../support/one-era.ts'
import { until } from '../support/tls.ts'

const NASTY = join(import.meta.dirname, '../support/nasty-child.js')
const EVERYTHING = join(import.meta.dirname, '../../node_modules/@modelcontextprotocol/server-everything/dist/index.js')
const QUESTION = 'trigger-elicitation-request'
/** Calls at once; there are four places, and two for each caller. */
const MANY = 12
const BUSY = { status: 503, body: { error: { code: -32603, data: { retryAfter: 1 } } } }

let faulty: FaultyServer
let handshake: OneEraServer
let gateway: TestGateway
const held: FaultyCall[] = []
beforeAll(async () => {
  ;[faulty, handshake] = await Promise.all([startFaultyServer(), startHandshakeOnly()])
  faulty.on('held', (one) => void held.push(one))
  const narrow = { concurrency: 4 }
  gateway = await startGateway({
    servers: [
      { id: 'remote', url: faulty.url, ...narrow, connectTimeout: '2s' },
      { id: 'open', url: faulty.url, ...narrow, connectTimeout: '2s', auth: { anonymous: true } },
      { id: 'child', command: ['node', NASTY], ...narrow },
      { id: 'older', url: handshake.url, concurrency: 2, connectTimeout: '2s' },
      { id: 'asking', command: ['node', EVERYTHING, 'stdio'], instances: 'per-principal', concurrency: 1 },
    ],
    server: { trustedProxies: ['127.0.0.1'] },
    auth: { anonymous: true },
    policy: {
      rules: [
        { allow: ['*/*', 'method:*/*'], to: ['*'] },
        { allow: ['open/*'], to: ['anonymous'] },
      ],
    },
    metrics: { allow: ['loopback'] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await faulty?.close()
  await handshake?.close()
})

const tokenOf = async (server: string, { username }: typeof ANN) =>
  gateway.tokenFor(server, { user: await gateway.person(username) })
const refusedAt = async (server: string, reason: string): Promise<number> => {
  const line = new RegExp(`mcp_upstream_refused_total\\{server="${server}",reason="${reason}"\\} (\\d+)`)
  return Number(line.exec(await gateway.metrics())?.[1])
}
const finish = () => {
  for (const { id, res } of held.splice(0)) json(res, answer(id))
}

type Call = (tool: string) => Promise<McpAnswer>

/** Many slow calls of one, and one call of another. */
async function crowd(server: string, one: Call, other: Call) {
  const calls = Array.from({ length: MANY }, () => one('held'))
  await until(() => held.length === 2, 'the share of one')
  expect(await other('fine')).toMatchObject({ status: 200 })
  expect(await other('fine')).toMatchObject({ status: 200 })
  // Nobody but the server ends a call under way; those that wait give up, and the others were sent away at once.
  await until(async () => (await refusedAt(server, 'busy_principal')) >= MANY - 2, 'the others')
  expect(held).toHaveLength(2)
  finish()
  const done = await Promise.all(calls)
  expect(done.filter(({ status }) => status === 200)).toHaveLength(2)
  for (const refused of done.filter(({ status }) => status !== 200)) {
    expect(refused).toMatchObject(BUSY)
    expect(refused.headers.get('retry-after')).toBe('1')
  }
  expect(await refusedAt(server, 'busy')).toBe(0)
}

describe('calls of one person at a server', () => {
  it('leave room for another’s, and are told why', async () => {
    const [ann, bob] = [await tokenOf('remote', ANN), await tokenOf('remote', BOB)]
    const url = gateway.resource('remote')
    await crowd(
      'remote',
      (tool) => callTool(url, ann, tool),
      (tool) => callTool(url, bob, tool),
    )
  })

  it('reach the share, and go on as soon as one of them has ended', async () => {
    const ann = await tokenOf('remote', ANN)
    const calls = ['held', 'held', 'fine'].map((tool) => callTool(gateway.resource('remote'), ann, tool))
    await until(() => held.length === 2, 'two calls')
    finish()
    for (const done of await Promise.all(calls)) expect(done).toMatchObject({ status: 200 })
  })

  it('at a program that callers share leave room for another’s', async () => {
    const [ann, bob] = [await tokenOf('child', ANN), await tokenOf('child', BOB)]
    const url = gateway.resource('child')
    const leaving = new AbortController()
    const calls = Array.from({ length: MANY }, () =>
      round(url, ann, 'hold', { signal: leaving.signal }).then(({ status }) => status),
    )
    await until(async () => (await refusedAt('child', 'busy_principal')) >= MANY - 4, 'those beyond the queue')
    expect(await callTool(url, bob, 'echo')).toMatchObject({ status: 200 })
    leaving.abort()
    const statuses = await Promise.allSettled(calls)
    expect(statuses.filter((one) => one.status === 'fulfilled' && one.value === 200)).toEqual([])
  })
})

describe('calls of whoever has not signed in', () => {
  it('leave room for those from elsewhere, and for who has', async () => {
    const url = gateway.resource('open')
    const from = (address: string) => (tool: string) =>
      callTool(url, undefined, tool, {}, { 'x-forwarded-for': address })
    await crowd('open', from('192.0.2.1'), from('192.0.2.2'))
    const bob = await tokenOf('open', BOB)
    const before = await refusedAt('open', 'busy_principal')
    const calls = Array.from({ length: MANY }, () => from('192.0.2.1')('held'))
    await until(() => held.length === 2, 'the share of one')
    expect(await callTool(url, bob, 'fine')).toMatchObject({ status: 200 })
    await until(async () => (await refusedAt('open', 'busy_principal')) - before >= MANY - 2, 'the others')
    finish()
    await Promise.all(calls)
  })
})

describe('a question to one person', () => {
  it('does not keep the only place of the server, and is answered all the same', async () => {
    const [ann, bob] = [await tokenOf('asking', ANN), await tokenOf('asking', BOB)]
    const url = gateway.resource('asking')
    const capabilities = { elicitation: { form: {} } }
    const asked = await round(url, ann, QUESTION, { capabilities })
    expect(asked.state).toBeDefined()
    expect(await callTool(url, bob, 'echo', { message: 'hello' })).toMatchObject({ status: 200, body: { result: {} } })
    // Hers is one call still, as long as nobody answers.
    expect(await callTool(url, ann, 'echo', { message: 'hello' })).toMatchObject(BUSY)
    const [key = ''] = Object.keys(asked.questions)
    const responses = { [key]: { action: 'accept', content: { name: 'Ann', check: true } } }
    const done = await round(url, ann, QUESTION, { capabilities, state: asked.state, responses })
    expect(JSON.stringify(done.result)).toContain('Ann')
    expect(await callTool(url, ann, 'echo', { message: 'hello' })).toMatchObject({ status: 200, body: { result: {} } })
  })

  it('at a server of the handshake revisions over HTTP keeps the place of that person alone', async () => {
    const [ann, bob] = [await tokenOf('older', ANN), await tokenOf('older', BOB)]
    const url = gateway.resource('older')
    const capabilities = { elicitation: { form: {} } }
    const asked = await round(url, ann, 'test_elicitation', { capabilities, args: { message: 'Who?' } })
    expect(asked.state).toBeDefined()
    expect(await callTool(url, ann, 'test_simple_text')).toMatchObject(BUSY)
    for (let call = 0; call < 3; call++)
      expect(await callTool(url, bob, 'test_simple_text')).toMatchObject({ status: 200, body: { result: {} } })
  })
})
