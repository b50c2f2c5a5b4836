// What servers say by themselves, through /mcp: questions in the middle of a call, changes, progress, subscriptions. Real servers of
// both eras and a child process behind it, the official client in front.
import { setTimeout as delay } from 'node:timers/promises'
import { Client, type ClientCapabilities, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { startEverything, type TestUpstream } from '../support/upstream.ts'
import { socketTransport } from '../support/websocket.ts'

let everything: TestUpstream
let fixture: Fixture
let gateway: TestGateway
beforeAll(async () => {
  ;[everything, fixture] = await Promise.all([startEverything(), startFixture()])
  gateway = await startGateway({
    servers: [
      { id: 'old', url: everything.url },
      { id: 'new', url: fixture.url },
    ],
    policy: { rules: [{ allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await everything?.stop()
  await fixture?.close()
})

const LEGACY = { mode: 'legacy' } as const
const open: Client[] = []
afterEach(async () => {
  for (const client of open.splice(0)) await client.close()
})

/** A host of the handshake era; what it is asked it answers with `name`. */
async function connect(name: string, capabilities: ClientCapabilities, user = ANN, way: 'http' | 'socket' = 'http') {
  const token = await gateway.tokenFor('*', { user })
  const client = new Client({ name, version: '1' }, { capabilities, versionNegotiation: LEGACY })
  const heard: { method: string; params?: unknown }[] = []
  const asked: string[] = []
  if (capabilities.roots)
    client.setRequestHandler('roots/list', async () => {
      asked.push('roots/list')
      return { roots: [{ uri: `file:///of-${name}`, name }] }
    })
  if (capabilities.sampling)
    client.setRequestHandler('sampling/createMessage', async () => {
      asked.push('sampling/createMessage')
      return { role: 'assistant', model: 'none', content: { type: 'text', text: `thought by ${name}` } }
    })
  if (capabilities.elicitation)
    client.setRequestHandler('elicitation/create', async () => {
      asked.push('elicitation/create')
      return { action: 'accept', content: { username: name, email: `${name}@example.com`, name } }
    })
  client.fallbackNotificationHandler = async ({ method, params }) => void heard.push({ method, params })
  const headers = { authorization: `Bearer ${token}` }
  const transport =
    way === 'socket'
      ? socketTransport(`${gateway.url}/ws`, headers)
      : new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`), { requestInit: { headers } })
  await client.connect(transport)
  open.push(client)
  return { client, heard, asked, token }
}

const textOf = (result: unknown) => JSON.stringify((result as { content?: unknown }).content)

async function until(holds: () => boolean): Promise<void> {
  for (let left = 2000; !holds(); left--) {
    if (left === 0) throw new Error('It never came true.')
    await delay(10)
  }
}

describe('a client of the handshake era', () => {
  const ALL: ClientCapabilities = { roots: { listChanged: true }, sampling: {}, elicitation: { form: {} } }

  it('is asked in the middle of a call and beside it, and its answers reach the servers', async () => {
    const { client, asked } = await connect('ann', ALL)
    const sampled = await client.callTool({ name: 'new__test_sampling', arguments: { prompt: 'Think.' } })
    expect(textOf(sampled)).toContain('thought by ann')
    const elicited = await client.callTool({ name: 'new__test_elicitation', arguments: { message: 'Who?' } })
    expect(textOf(elicited)).toContain('ann@example.com')
    // This one asks by itself, on the stream of its session, once it has one.
    await client.callTool({ name: 'old__echo', arguments: { message: 'hello' } })
    await until(() => asked.includes('roots/list'))
    expect(new Set(asked)).toEqual(new Set(['sampling/createMessage', 'elicitation/create', 'roots/list']))
  })

  it('is asked and told over a WebSocket as well', async () => {
    const { client, asked, heard } = await connect('ann', ALL, ANN, 'socket')
    const sampled = await client.callTool({ name: 'new__test_sampling', arguments: { prompt: 'Think.' } })
    expect(textOf(sampled)).toContain('thought by ann')
    expect(asked).toContain('sampling/createMessage')
    await client.callTool({ name: 'new__test_trigger_tool_change', arguments: {} })
    await until(() => heard.some(({ method }) => method === 'notifications/tools/list_changed'))
  })

  it('sees and uses the tools that a server keeps for clients it can ask, as at the server’s own address', async () => {
    const every: ClientCapabilities = { ...ALL, elicitation: { form: {}, url: {} } }
    const { client } = await connect('ann', every)
    const transport = new StreamableHTTPClientTransport(new URL(gateway.resource('old')), {
      requestInit: { headers: { authorization: `Bearer ${await gateway.tokenFor('old')}` } },
    })
    const direct = new Client({ name: 'ann', version: '1' }, { capabilities: every, versionNegotiation: LEGACY })
    await direct.connect(transport)
    open.push(direct)
    const there = (await direct.listTools()).tools.map(({ name }) => `old__${name}`)
    const here = (await client.listTools()).tools.map(({ name }) => name).filter((name) => name.startsWith('old__'))
    expect(here).toEqual(there)
    expect(here).toContain('old__trigger-sampling-request')
    const sampled = await client.callTool({ name: 'old__trigger-sampling-request', arguments: { prompt: 'Think.' } })
    expect(textOf(sampled)).toContain('thought by ann')
    // Who cannot be asked has the server's word for it.
    const { client: plain } = await connect('plain', {})
    const call = plain.callTool({ name: 'old__trigger-sampling-request', arguments: { prompt: 'Think.' } })
    await expect(call).rejects.toMatchObject({ code: -32602 })
  })

  it('is asked for nothing that it did not declare', async () => {
    const { client, asked } = await connect('plain', {})
    const result = await client
      .callTool({ name: 'new__test_sampling', arguments: { prompt: 'Think.' } })
      .catch((error: unknown) => error)
    expect(result instanceof Error || (result as { isError?: boolean }).isError).toBe(true)
    expect(asked).toEqual([])
    expect(textOf(await client.callTool({ name: 'old__echo', arguments: { message: 'still' } }))).toContain('still')
  })

  it('answers its own questions, however many are asked at once under the same ids (row E14)', async () => {
    const people = await Promise.all([
      connect('ann', ALL),
      connect('bob', ALL, BOB),
      connect('ann-at-work', ALL),
      connect('bob-at-work', ALL, BOB),
    ])
    const names = ['ann', 'bob', 'ann-at-work', 'bob-at-work']
    for (let round = 0; round < 3; round++) {
      const results = await Promise.all(
        people.flatMap(({ client }) => [
          client.callTool({ name: 'new__test_sampling', arguments: { prompt: 'Think.' } }),
          client.callTool({ name: 'new__test_elicitation', arguments: { message: 'Who?' } }),
        ]),
      )
      for (const [at, result] of results.entries())
        expect(textOf(result)).toMatch(new RegExp(`[ "]${names[Math.floor(at / 2)]}[^-a-z]`))
    }
  })

  it('hears the progress of its call, and of no other', async () => {
    const [ann, bob] = await Promise.all([connect('ann', {}), connect('bob', {}, BOB)])
    const run = async ({ client }: typeof ann) => {
      const told: number[] = []
      const call = { name: 'old__trigger-long-running-operation', arguments: { duration: 0.3, steps: 3 } }
      await client.callTool(call, { onprogress: ({ progress }) => void told.push(progress) })
      return told
    }
    expect(await Promise.all([run(ann), run(bob), run(ann)])).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ])
    expect(ann.heard.filter(({ method }) => method === 'notifications/progress')).toEqual([])
  })

  it('hears that a list has changed, and of a resource that it subscribed to', async () => {
    const { client, heard } = await connect('ann', {})
    const told = (method: string) => heard.filter((each) => each.method === method)
    await client.callTool({ name: 'new__test_trigger_tool_change', arguments: {} })
    await until(() => told('notifications/tools/list_changed').length > 0)
    const uri = 'demo://resource/dynamic/text/1'
    await client.subscribeResource({ uri })
    await client.callTool({ name: 'old__toggle-subscriber-updates', arguments: {} })
    await until(() => told('notifications/resources/updated').length > 0)
    expect(told('notifications/resources/updated')[0]?.params).toMatchObject({ uri })
    await client.unsubscribeResource({ uri })
  })
})

describe('a client of 2026-07-28', () => {
  it('listens to all servers with one request', async () => {
    const token = await gateway.tokenFor('*')
    const stop = new AbortController()
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const response = await fetch(`${gateway.url}/mcp`, {
      method: 'POST',
      signal: stop.signal,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'subscriptions/listen',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 'mine',
        method: 'subscriptions/listen',
        params: {
          notifications: { toolsListChanged: true, resourceSubscriptions: ['test://watched-resource', 'no://where'] },
          _meta: meta,
        },
      }),
    })
    expect(response.status).toBe(200)
    const events = messagesOf(response)
    const subscription = { 'io.modelcontextprotocol/subscriptionId': 'mine' }
    expect((await events.next()).value).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: {
        notifications: { toolsListChanged: true, resourceSubscriptions: ['test://watched-resource'] },
        _meta: subscription,
      },
    })
    await callTool(`${gateway.url}/mcp`, token, 'new__test_trigger_tool_change')
    expect((await events.next()).value).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/tools/list_changed',
      params: { _meta: subscription },
    })
    stop.abort()
  })
})

async function* messagesOf(response: Response): AsyncGenerator<unknown> {
  let held = ''
  for await (const chunk of response.body ?? []) {
    const events = (held + Buffer.from(chunk).toString()).split('\n\n')
    held = events.pop() ?? ''
    for (const event of events) {
      const data = /^data: (.+)$/m.exec(event)?.[1]
      if (data !== undefined) yield JSON.parse(data)
    }
  }
}
