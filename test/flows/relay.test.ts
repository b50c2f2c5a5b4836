// Two replicas behind a balancer that knows nothing of sessions: what lives in one process is found there, whichever of them is asked.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectAsked, textOf } from '../support/asked.ts'
import { type Balancer, startBalancer } from '../support/balancer.ts'
import { startGateway, type TestGateway, testClock } from '../support/gateway.ts'
import { answering, round } from '../support/held.ts'
import { type OneEraServer, startHandshakeOnly, startModernOnly } from '../support/one-era.ts'
import { type FreshDatabase, freshDatabase } from '../support/postgres.ts'
import { freePort, memoryServer } from '../support/upstream.ts'

const REPLICA = 'replica.example'

let folder: string
let balancer: Balancer
let database: FreshDatabase
let servers: { readonly handshake: OneEraServer; readonly modern: OneEraServer }
let replicas: readonly [TestGateway, TestGateway]
let start: (name?: string) => Promise<TestGateway>
let token: (server: string) => Promise<string>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-relay-'))
  ;[balancer, database] = await Promise.all([startBalancer(), freshDatabase()])
  servers = { handshake: await startHandshakeOnly(), modern: await startModernOnly() }
  const settings = {
    servers: [
      { id: 'old', url: servers.handshake.url },
      { id: 'new', url: servers.modern.url },
      memoryServer('memory', join(folder, 'memory.jsonl')),
    ],
    policy: { rules: [{ allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] }] },
    storeUrl: database.url,
    clock: testClock(),
    server: { url: balancer.url },
    // Nobody else knows the name.
    resolve: async (host: string) => (host === REPLICA ? ['127.0.0.1'] : []),
  }
  start = async (name = REPLICA) => {
    const port = await freePort()
    const cluster = { advertise: `http://${name}:${port}`, listen: `127.0.0.1:${port}` }
    return startGateway({ ...settings, cluster })
  }
  replicas = [await start(), await start()]
  balancer.use(replicas.map(({ port }) => port))
  token = (server) => replicas[0].tokenFor(server)
})
afterAll(async () => {
  await balancer?.close()
  for (const one of replicas ?? []) await one.close()
  await servers?.handshake.close()
  await servers?.modern.close()
  await database?.drop()
  rmSync(folder, { recursive: true, force: true })
})

const at = (replica: 0 | 1, path: string) => `http://127.0.0.1:${replicas[replica].port}${path}`

/** One record a request, by the replica that served it. */
async function recordedOnce(method: string, atLeast: number): Promise<void> {
  const events = await replicas[0].audit(
    (all) => all.filter((e) => 'method' in e && e.method === method).length >= atLeast,
  )
  const ids = events.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
}

const MEMORY = '/servers/memory/mcp'
const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }

/** A session that a replica has, the first of them if it is not said which. */
async function atMemory(home = replicas[0]) {
  const bearer = { authorization: `Bearer ${await token('memory')}` }
  const headers = { ...bearer, 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  const sendTo = (port: number, message: object, session = '') =>
    fetch(`http://127.0.0.1:${port}${MEMORY}`, {
      method: 'POST',
      headers: session === '' ? headers : { ...headers, 'mcp-session-id': session },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
    })
  const send = (replica: 0 | 1, message: object, session?: string) => sendTo(replicas[replica].port, message, session)
  const hello = await sendTo(home.port, { method: 'initialize', params: HELLO })
  const session = hello.headers.get('mcp-session-id') ?? ''
  await hello.text()
  return { bearer, session, send, sendTo }
}

describe('a session at a child process', () => {
  it('is used through both replicas by the official client', async () => {
    const client = new Client({ name: 'relay', version: '1' }, { versionNegotiation: { mode: 'legacy' } })
    const transport = new StreamableHTTPClientTransport(new URL(`${balancer.url}/servers/memory/mcp`), {
      requestInit: { headers: { authorization: `Bearer ${await token('memory')}` } },
    })
    await client.connect(transport)
    const entities = [{ name: 'relay', entityType: 'word', observations: [] }]
    for (let turn = 0; turn < 4; turn++) {
      const { tools } = await client.listTools()
      expect(tools.map(({ name }) => name)).toContain('read_graph')
    }
    await client.callTool({ name: 'create_entities', arguments: { entities } })
    expect(textOf(await client.callTool({ name: 'read_graph', arguments: {} }))).toContain('relay')
    await transport.terminateSession()
    await client.close()
    await recordedOnce('tools/list', 4)
  })

  it('is over on both when it has been ended through one', async () => {
    const { bearer, session, send } = await atMemory()
    for (const replica of [0, 1] as const) {
      const listed = await send(replica, { method: 'tools/list' }, session)
      expect([listed.status, await listed.text()]).toEqual([200, expect.stringContaining('read_graph')])
    }
    const ended = await fetch(at(1, MEMORY), { method: 'DELETE', headers: { ...bearer, 'mcp-session-id': session } })
    expect(ended.status).toBe(200)
    for (const replica of [0, 1] as const)
      expect((await send(replica, { method: 'tools/list' }, session)).status).toBe(404)
  })
})

describe('a session at a replica with a name that means nothing', () => {
  it('is over for the others, and goes on there', async () => {
    const third = await start('nobody.example')
    const { session, sendTo } = await atMemory(third)
    const statusAt = async ({ port }: TestGateway) => (await sendTo(port, { method: 'tools/list' }, session)).status
    expect([await statusAt(replicas[0]), await statusAt(third)]).toEqual([404, 200])
    await third.close()
  })
})

describe('a stream through another replica', () => {
  const listen = async (
    port: number,
    { bearer, session }: Awaited<ReturnType<typeof atMemory>>,
    signal?: AbortSignal,
  ) =>
    fetch(`http://127.0.0.1:${port}${MEMORY}`, {
      headers: { ...bearer, accept: 'text/event-stream', 'mcp-session-id': session },
      ...(signal !== undefined && { signal }),
    })
  const open = async () => Number(/^portcullis_streams_open (\d+)$/m.exec(await replicas[0].metrics())?.[1])

  it('ends where it is when its client leaves', async () => {
    const opened = await atMemory()
    const left = new AbortController()
    const before = await open()
    const stream = await listen(replicas[1].port, opened, left.signal)
    expect(stream.status).toBe(200)
    await expect.poll(open).toBe(before + 1)
    left.abort()
    await expect.poll(open).toBe(before)
  })

  it('ends without an error when that replica goes, and the session goes on', async () => {
    const third = await start()
    const opened = await atMemory()
    const stream = await listen(third.port, opened)
    expect(stream.status).toBe(200)
    const read = stream.text()
    await third.close()
    expect(await read).toBe('')
    expect((await opened.send(1, { method: 'tools/list' }, opened.session)).status).toBe(200)
  })
})

describe('a held call', () => {
  it('goes on where it is held, whichever replica the client comes back to', async () => {
    const bearer = await token('*')
    const tool = 'old__test_input_required_result_multi_round'
    let sent = await round(at(0, '/mcp'), bearer, tool)
    for (const replica of [1, 1, 0] as const) {
      if (sent.state === undefined) break
      const responses = answering(sent.questions, { action: 'accept', content: { name: 'Ann', color: 'blue' } })
      sent = await round(at(replica, '/mcp'), bearer, tool, { state: sent.state, responses })
    }
    expect(sent.result).toMatchObject({ content: [{ text: 'Both rounds are done.' }], resultType: 'complete' })
  })

  it('is answered by the official client behind the balancer', async () => {
    const url = `${balancer.url}/servers/old/mcp`
    const host = await connectAsked(url, await token('old'), { pin: '2026-07-28' })
    for (let turn = 0; turn < 3; turn++) {
      const result = await host.client.callTool({ name: 'test_input_required_result_elicitation', arguments: {} })
      expect(textOf(result)).toBe('Hello, Ann!')
    }
    await host.close()
    await recordedOnce('tools/call', 6)
  })
})

it('an answer to a question on the stream of a call finds the replica that asked', async () => {
  const host = await connectAsked(`${balancer.url}/mcp`, await token('*'), 'legacy')
  for (let turn = 0; turn < 3; turn++) {
    const result = await host.client.callTool({ name: 'new__test_input_required_result_elicitation', arguments: {} })
    expect(textOf(result)).toBe('Hello, Ann!')
  }
  expect(host.asked).toHaveLength(3)
  await host.close()
})

it('messages for an event stream of 2024-11-05 reach the replica that has it', async () => {
  const client = new Client({ name: 'relay', version: '1' }, { versionNegotiation: { mode: 'legacy' } })
  const headers = { authorization: `Bearer ${await token('memory')}` }
  await client.connect(
    new SSEClientTransport(new URL(`${balancer.url}/servers/memory/sse`), {
      requestInit: { headers },
      eventSourceInit: { fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...headers } }) },
    }),
  )
  for (let turn = 0; turn < 3; turn++)
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('read_graph')
  await client.close()
})
