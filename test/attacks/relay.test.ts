// Ways into a replica from the side, and into what it holds for somebody else: the listener for replicas, and states and sessions that name
// a process. Catalogue rows E12 and E16, and the hop itself.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BOB, startGateway, type TestGateway, testClock } from '../support/gateway.ts'
import { answering, type Round, round } from '../support/held.ts'
import { type OneEraServer, startHandshakeOnly } from '../support/one-era.ts'
import { type FreshDatabase, freshDatabase } from '../support/postgres.ts'
import { freePort, memoryServer } from '../support/upstream.ts'
import { startWiretap, type Wiretap } from '../support/wiretap.ts'

const TOOL = 'test_input_required_result_elicitation'
const ANSWER = { action: 'accept', content: { name: 'Ann' } }

let folder: string
let database: FreshDatabase
let old: OneEraServer
/** In front of the first replica's listener for replicas. */
let tap: Wiretap
let ports: readonly [number, number]
let replicas: readonly [TestGateway, TestGateway]
const clock = testClock()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-hop-'))
  ;[database, old, tap] = await Promise.all([freshDatabase(), startHandshakeOnly(), startWiretap()])
  ports = [await freePort(), await freePort()]
  tap.toward(ports[0])
  const settings = {
    servers: [{ id: 'old', url: old.url }, memoryServer('memory', join(folder, 'memory.jsonl'))],
    policy: { rules: [{ allow: ['*/*', 'method:*/*'], to: ['*'] }] },
    storeUrl: database.url,
    clock,
  }
  const at = (port: number) => `127.0.0.1:${port}`
  const first = await startGateway({ ...settings, cluster: { advertise: tap.url, listen: at(ports[0]) } })
  const cluster = { advertise: `http://${at(ports[1])}`, listen: at(ports[1]) }
  replicas = [first, await startGateway({ ...settings, server: { url: first.url }, cluster })]
})
afterAll(async () => {
  for (const one of replicas ?? []) await one.close()
  await tap?.close()
  await old?.close()
  await database?.drop()
  rmSync(folder, { recursive: true, force: true })
})

const at = (replica: 0 | 1, path = '/servers/old/mcp') => `http://127.0.0.1:${replicas[replica].port}${path}`
const ann = () => replicas[0].tokenFor('old')
const bob = async () => replicas[0].tokenFor('old', { user: await replicas[0].person(BOB.username) })
const calls = () => old.seen.filter(({ method }) => method === 'tools/call').length

async function asked(token: string, replica: 0 | 1 = 0): Promise<Round> {
  const first = await round(at(replica), token, TOOL)
  expect(first.state).toBeDefined()
  return first
}

const finish = (first: Round, token: string, replica: 0 | 1 = 0, sent = {}) =>
  round(at(replica), token, TOOL, { state: first.state, responses: answering(first.questions, ANSWER), ...sent })

/** Told by its event stream. */
async function bootOf(replica: 0 | 1): Promise<string> {
  const headers = { authorization: `Bearer ${await replicas[0].tokenFor('memory')}` }
  const left = new AbortController()
  const stream = await fetch(at(replica, '/servers/memory/sse'), { headers, signal: left.signal })
  const { value } = (await stream.body?.getReader().read()) ?? {}
  left.abort()
  return /sessionId=([^.]+)\./.exec(Buffer.from(value ?? []).toString())?.[1] ?? ''
}

/** The replicas say that they are there now and then, by a clock that runs no faster than ours. */
async function advance(duration: string, address = tap.url): Promise<void> {
  const id = await bootOf(0)
  clock.advance(duration)
  await replicas[0].store.ephemeral.replicas.beat({ id, address }, clock.now() + 90_000)
}

describe('the listener for replicas', () => {
  const hop = (body: Buffer | string, replica: 0 | 1 = 0) =>
    fetch(`http://127.0.0.1:${ports[replica]}/hop`, { method: 'POST', body: new Uint8Array(Buffer.from(body)) })

  it('answers nothing else', async () => {
    for (const [method, path] of [
      ['GET', '/hop'],
      ['GET', '/health'],
      ['GET', '/'],
      ['POST', '/servers/old/mcp'],
      ['GET', '/metrics'],
      ['POST', '/hop/'],
      ['POST', '/hop?x=1'],
    ] as const) {
      const answer = await fetch(`http://127.0.0.1:${ports[0]}${path}`, { method })
      expect([answer.status, await answer.text()], `${method} ${path}`).toEqual([404, ''])
    }
    expect((await fetch(`${replicas[0].url}/hop`, { method: 'POST' })).status).toBe(404)
  })

  it('takes nothing that no replica has sealed', async () => {
    const made = Buffer.concat([Buffer.from([0, 0, 0, 40]), Buffer.from('A'.repeat(40)), Buffer.from('{}')])
    for (const body of [Buffer.alloc(0), Buffer.from([0, 0, 0, 4]), Buffer.alloc(8, 255), made, Buffer.alloc(100_000)])
      expect((await hop(body)).status).toBe(421)
  })

  it('takes what a replica has sealed once, unaltered, in time, and at the replica that it is for', async () => {
    const token = await ann()
    const first = await asked(token)
    tap.swallow = true
    const before = tap.taken.length
    // The other replica learns that it is not there, and says so in one error.
    expect((await finish(first, token, 1)).error?.message).toContain('has ended')
    tap.swallow = false
    const envelope = tap.taken[before] ?? Buffer.alloc(0)
    expect(tap.taken).toHaveLength(before + 1)
    const changed = (where: number) => {
      const other = Buffer.from(envelope)
      other[where] = (other[where] ?? 0) ^ 1
      return other
    }
    const length = envelope.readUInt32BE(0)
    for (const where of [3, 4, 4 + (length >> 1), 4 + length, envelope.length - 1])
      expect((await hop(changed(where))).status, `byte ${where}`).toBe(421)
    expect((await hop(envelope.subarray(0, -1))).status).toBe(421)
    expect((await hop(Buffer.concat([envelope, Buffer.from(' ')]))).status).toBe(421)
    expect((await hop(envelope, 1)).status).toBe(421)
    const served = await hop(envelope)
    expect([served.status, await served.text()]).toEqual([200, expect.stringContaining('Hello, Ann!')])
    expect((await hop(envelope)).status).toBe(421)
  })

  it('takes nothing that was sent too long ago', async () => {
    const token = await ann()
    const first = await asked(token)
    tap.swallow = true
    const before = tap.taken.length
    await finish(first, token, 1)
    tap.swallow = false
    await advance('61s')
    expect((await hop(tap.taken[before] ?? '')).status).toBe(421)
    // The call itself is still there for whoever comes as themselves.
    expect((await finish(first, await ann(), 1)).result).toMatchObject({ content: [{ text: 'Hello, Ann!' }] })
  })

  it('shows the credential to nobody on the wire, and leaves the message itself to the network', async () => {
    const token = await ann()
    const before = tap.taken.length
    const first = await asked(token)
    await finish(first, token, 1)
    const wire = Buffer.concat(tap.taken.slice(before)).toString('latin1')
    expect(wire).not.toContain(token)
    expect(wire).toContain(first.state ?? '-')
  })
})

describe('a request that names its owner', () => {
  it('is handed to nobody twice: a replica that is said to be this one, or the one it came from', async () => {
    const token = await ann()
    const first = await asked(token)
    // Whoever can write to the store sends the second replica to itself.
    await advance('6s', `http://127.0.0.1:${ports[1]}`)
    const { error } = await finish(first, token, 1)
    expect(error).toMatchObject({ code: -32603 })
    await advance('6s')
    expect((await finish(first, token, 1)).result).toMatchObject({ content: [{ text: 'Hello, Ann!' }] })
  })

  it('of another person goes nowhere: states', async () => {
    const [token, other] = [await ann(), await bob()]
    const first = await asked(token)
    const [hops, before] = [tap.taken.length, calls()]
    for (const replica of [0, 1] as const)
      expect((await finish(first, other, replica)).error).toMatchObject({ code: -32602 })
    expect([tap.taken.length, calls()]).toEqual([hops, before])
    expect((await finish(first, token, 1)).result).toMatchObject({ content: [{ text: 'Hello, Ann!' }] })
  })

  it('of another person goes nowhere: sessions of a process', async () => {
    const path = '/servers/memory/mcp'
    const send = (replica: 0 | 1, token: string, message: object, session = '') =>
      fetch(at(replica, path), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${token}`,
          ...(session !== '' && { 'mcp-session-id': session }),
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
      })
    const token = await replicas[0].tokenFor('memory')
    const other = await replicas[0].tokenFor('memory', { user: await replicas[0].person(BOB.username) })
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }
    const hello = await send(0, token, { method: 'initialize', params })
    const session = hello.headers.get('mcp-session-id') ?? ''
    const hops = tap.taken.length
    for (const replica of [0, 1] as const)
      expect((await send(replica, other, { method: 'tools/list' }, session)).status).toBe(404)
    expect(tap.taken).toHaveLength(hops)
    expect((await send(1, token, { method: 'tools/list' }, session)).status).toBe(200)
    expect(tap.taken).toHaveLength(hops + 1)
  })
})

describe('E16: the state of a held call', () => {
  it.each<[string, (first: Round) => object]>([
    [
      'a bit is flipped',
      ({ state = '' }) => ({ state: `${state.slice(0, 20)}${state[20] === 'A' ? 'B' : 'A'}${state.slice(21)}` }),
    ],
    ['the arguments are others', () => ({ args: { more: true } })],
    ['it is none of ours', () => ({ state: 'held.AAAA' })],
    ['the answers are none', () => ({ responses: { q1: 'yes' } })],
  ])('is refused where %s, and its call goes on', async (_, sent) => {
    const token = await ann()
    const first = await asked(token)
    const before = calls()
    for (const replica of [0, 1] as const)
      expect((await finish(first, token, replica, sent(first))).error).toMatchObject({ code: -32602 })
    expect(calls()).toBe(before)
    expect((await finish(first, token, 1)).result).toMatchObject({ content: [{ text: 'Hello, Ann!' }] })
  })

  it('is refused for another tool, at another address, and a second time', async () => {
    const token = await replicas[0].tokenFor('old')
    const all = await replicas[0].tokenFor('*')
    const first = await asked(token)
    const responses = answering(first.questions, ANSWER)
    const sent = { state: first.state, responses }
    expect((await round(at(1), token, 'test_simple_text', sent)).error).toMatchObject({ code: -32602 })
    expect((await round(at(1, '/mcp'), all, `old__${TOOL}`, sent)).error).toMatchObject({ code: -32602 })
    expect((await finish(first, token, 0)).result).toBeDefined()
    for (const replica of [0, 1] as const) expect((await finish(first, token, replica)).error).toBeDefined()
  })

  it('is refused after its time', async () => {
    const token = await ann()
    const first = await asked(token)
    await advance('5m')
    expect((await finish(first, await ann(), 1)).error).toMatchObject({ code: -32602 })
    expect((await finish(await asked(await ann()), await ann(), 1)).result).toBeDefined()
  })

  it('is used once by many at the same time, at both replicas', async () => {
    const token = await ann()
    const first = await asked(token)
    const all = await Promise.all(Array.from({ length: 12 }, (_, n) => finish(first, token, n % 2 === 0 ? 0 : 1)))
    expect(all.filter(({ result }) => result !== undefined)).toHaveLength(1)
  })
})
