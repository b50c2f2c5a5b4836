// One server's own address, for clients that do not speak its era: the official client, pinned to one revision, before servers that
// speak the other. Where both speak one, bytes go through.
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client, type ClientCapabilities, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { request } from '../support/mcp.ts'
import { type OneEraServer, startHandshakeOnly, startModernOnly } from '../support/one-era.ts'
import type { Mode } from '../support/sdk.ts'
import { memoryServer, startEverything, type TestUpstream } from '../support/upstream.ts'

let folder: string
let everything: TestUpstream
let modernOnly: OneEraServer
let handshakeOnly: OneEraServer
let gateway: TestGateway
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-bridge-'))
  ;[everything, modernOnly, handshakeOnly] = await Promise.all([
    startEverything(),
    startModernOnly(),
    startHandshakeOnly(),
  ])
  gateway = await startGateway({
    servers: [
      { id: 'everything', url: everything.url },
      { id: 'new', url: modernOnly.url },
      { id: 'old', url: handshakeOnly.url },
      memoryServer('memory', join(folder, 'memory.jsonl')),
    ],
    policy: {
      rules: [
        { allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] },
        { deny: ['everything/get-env', '*/test_image_content', 'resource:*/test://static-binary'], to: ['*'] },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([everything?.stop(), modernOnly?.close(), handshakeOnly?.close()])
  rmSync(folder, { recursive: true, force: true })
})

const MODERN: Mode = { pin: '2026-07-28' }
const open: Client[] = []
afterEach(async () => {
  for (const client of open.splice(0)) await client.close()
})

const tokens = new Map<string, Promise<string>>()
/** One for each person and server. */
function tokenFor(server: string, user = ANN): Promise<string> {
  const key = `${user.username} ${server}`
  const token = tokens.get(key) ?? gateway.tokenFor(server, { user })
  tokens.set(key, token)
  return token
}

async function connect(server: string, mode: Mode, { user = ANN, capabilities = {} as ClientCapabilities } = {}) {
  const token = await tokenFor(server, user)
  const client = new Client({ name: 'host', version: '1' }, { capabilities, versionNegotiation: { mode } })
  const heard: { method: string; params?: unknown }[] = []
  client.fallbackNotificationHandler = async ({ method, params }) => void heard.push({ method, params })
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  const transport = new StreamableHTTPClientTransport(new URL(gateway.resource(server)), { requestInit })
  await client.connect(transport)
  open.push(client)
  return { client, heard, token, transport }
}

const textOf = (result: unknown) => JSON.stringify((result as { content?: unknown }).content)
const namesOf = async (client: Client) => (await client.listTools()).tools.map(({ name }) => name)

async function until(holds: () => boolean): Promise<void> {
  for (let left = 2000; !holds(); left--) {
    if (left === 0) throw new Error('It never came true.')
    await delay(10)
  }
}

function proxied(req: IncomingMessage, res: ServerResponse, url: string): void {
  const { method, headers } = req
  const onward = send(url, { method, headers: { ...headers, host: new URL(url).host } }, (answer) => {
    res.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(res)
  })
  req.pipe(onward)
}

describe('a client of 2026-07-28 and nothing else', () => {
  it('uses server-everything over HTTP as if it spoke its revision', async () => {
    const { client } = await connect('everything', MODERN)
    expect(client.getServerVersion()?.name).toContain('everything')
    const names = await namesOf(client)
    expect(names).toContain('echo')
    expect(names).not.toContain('get-env')
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hello' } }))).toContain('hello')
    await expect(client.callTool({ name: 'get-env', arguments: {} })).rejects.toThrow('Unknown tool: get-env')
    expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0)
    const { messages } = await client.getPrompt({ name: 'args-prompt', arguments: { city: 'Rome' } })
    expect(JSON.stringify(messages)).toContain('Rome')
    const { resources, ...caching } = await client.listResources()
    expect(caching).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
    expect((await client.readResource({ uri: resources[0]?.uri ?? '' })).contents).toHaveLength(1)
    const { completion } = await client.complete({
      ref: { type: 'ref/prompt', name: 'completable-prompt' },
      argument: { name: 'department', value: 'E' },
    })
    expect(completion.values).toEqual(['Engineering'])
  })

  it('hears the progress of its call, and the log as far as it asked for it', async () => {
    const { client, heard } = await connect('old', MODERN)
    const steps: number[] = []
    const call = { name: 'test_tool_with_progress', arguments: {} }
    await client.callTool(call, { onprogress: ({ progress }) => void steps.push(progress) })
    expect(steps).toEqual([0, 50, 100])
    await client.callTool({ name: 'test_tool_with_logging', arguments: {} })
    expect(heard.filter(({ method }) => method === 'notifications/message')).toEqual([])
    const _meta = { 'io.modelcontextprotocol/logLevel': 'info' }
    await client.callTool({ name: 'test_tool_with_logging', arguments: {}, _meta })
    expect(heard.filter(({ method }) => method === 'notifications/message')).toHaveLength(3)
  })

  it('ends a call at the server by leaving it', async () => {
    const { client } = await connect('old', MODERN)
    const stop = new AbortController()
    const before = handshakeOnly.seen.length
    const call = client.callTool({ name: 'test_tool_with_progress', arguments: {} }, { signal: stop.signal })
    call.catch(() => undefined)
    await until(() => handshakeOnly.seen.slice(before).some(({ method }) => method === 'tools/call'))
    stop.abort()
    await expect(call).rejects.toThrow()
    await until(() => handshakeOnly.seen.slice(before).some(({ method }) => method === 'notifications/cancelled'))
  })

  it('listens to changes of lists and resources, and hears of nothing that it may not read', async () => {
    const { client, heard } = await connect('old', MODERN)
    const uris = ['test://watched-resource', 'test://static-text']
    const listening = await client.listen({ toolsListChanged: true, resourceSubscriptions: uris })
    handshakeOnly.toolsChanged()
    await until(() => heard.some(({ method }) => method === 'notifications/tools/list_changed'))
    handshakeOnly.resourceUpdated('test://watched-resource')
    await until(() => heard.some(({ method }) => method === 'notifications/resources/updated'))
    expect(heard.find(({ method }) => method === 'notifications/resources/updated')?.params).toMatchObject({
      uri: 'test://watched-resource',
    })
    await listening.close()
    await expect(client.listen({ resourceSubscriptions: ['test://static-binary'] })).rejects.toThrow(/not found/i)
  })

  it('hears what its calls bring about in their session alone, and nobody else does', async () => {
    const uri = 'demo://resource/dynamic/text/1'
    const [hers, his] = [await connect('everything', MODERN), await connect('everything', MODERN, { user: BOB })]
    const listening = [hers, his].map(({ client }) => client.listen({ resourceSubscriptions: [uri] }))
    const streams = await Promise.all(listening)
    const updates = ({ heard }: typeof hers) => heard.filter(({ method }) => method.endsWith('resources/updated'))
    await hers.client.callTool({ name: 'toggle-subscriber-updates', arguments: {} })
    await until(() => updates(hers).length > 0)
    await hers.client.callTool({ name: 'toggle-subscriber-updates', arguments: {} })
    expect(updates(hers)[0]?.params).toMatchObject({ uri })
    expect(updates(his)).toEqual([])
    for (const stream of streams) await stream.close()
  })

  it('shares a session at the server with nobody, and the server sees no trace of its own', async () => {
    const before = handshakeOnly.seen.length
    const [ann, bob] = await Promise.all([connect('old', MODERN), connect('old', MODERN, { user: BOB })])
    const call = { name: 'test_simple_text', arguments: {} }
    await Promise.all([ann, bob, ann, bob].map(({ client }) => client.callTool(call)))
    const calls = handshakeOnly.seen.slice(before).filter(({ method }) => method === 'tools/call')
    expect(calls.map(({ revision }) => revision)).toEqual(Array.from({ length: 4 }, () => '2025-11-25'))
    expect(new Set(calls.map(({ session }) => session)).size).toBe(2)
  })

  it('uses a child process, too', async () => {
    const { client } = await connect('memory', MODERN)
    expect(client.getServerVersion()?.name).toBe('memory-server')
    expect(client.getServerCapabilities()).not.toHaveProperty('logging')
    expect(await namesOf(client)).toContain('create_entities')
    const entities = [{ name: 'gate', entityType: 'thing', observations: ['is shut'] }]
    await client.callTool({ name: 'create_entities', arguments: { entities } })
    expect(textOf(await client.callTool({ name: 'read_graph', arguments: {} }))).toContain('is shut')
    const listening = await client.listen({ toolsListChanged: true })
    await listening.close()
  })

  it('is told of a revision that nobody speaks in the words of its own', async () => {
    const token = await tokenFor('old')
    const answer = await fetch(gateway.resource('old'), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2027-01-01',
        'mcp-method': 'server/discover',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'server/discover',
        params: {
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2027-01-01',
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { code: -32022, data: { requested: '2027-01-01' } } })
  })
})

describe('lists in pages', () => {
  it('are the server’s own, screened page by page', async () => {
    const asked: unknown[] = []
    const pages = createServer(async (req, res) => {
      const { id, method, params } = JSON.parse(Buffer.concat(await req.toArray()).toString() || '{}')
      if (method === 'server/discover' || method === undefined) return void res.writeHead(400).end()
      if (id === undefined) return void res.writeHead(202).end()
      const introduction = {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'pages', version: '1' },
      }
      if (method === 'tools/list') asked.push(params?.cursor)
      const tools = [{ name: `page_${params?.cursor ?? 'one'}` }, { name: 'hidden' }].map((tool) => ({
        ...tool,
        inputSchema: { type: 'object' },
      }))
      const page = params?.cursor === undefined ? { tools, nextCursor: 'two' } : { tools }
      res.writeHead(200, { 'content-type': 'application/json' })
      res.end(JSON.stringify({ jsonrpc: '2.0', id, result: method === 'initialize' ? introduction : page }))
    })
    await once(pages.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(pages.address() as AddressInfo).port}/mcp`
    const policy = { rules: [{ allow: ['pages/page_*', 'method:*/*'], to: ['*'] }] }
    const gate = await startGateway({ servers: [{ id: 'pages', url }], policy })
    try {
      const token = await gate.tokenFor('pages')
      const list = async (params: Record<string, unknown>) =>
        (await request(gate.resource('pages'), token, 'tools/list', params)).body['result']
      const names = (page: unknown) => (page as { tools: { name: string }[] }).tools.map(({ name }) => name)
      const first = await list({})
      expect(first).toMatchObject({ nextCursor: 'two', ttlMs: 0, cacheScope: 'private', resultType: 'complete' })
      expect(names(first)).toEqual(['page_one'])
      const second = await list({ cursor: 'two' })
      expect(second).not.toHaveProperty('nextCursor')
      expect(names(second)).toEqual(['page_two'])
      expect(asked).toEqual([undefined, 'two'])
    } finally {
      await gate.close()
      pages.closeAllConnections()
      pages.close()
    }
  })
})

describe('a credential that the server takes no more', () => {
  it('is had anew, and the server asked once more, whatever is asked over the bridge', async () => {
    const state = { taken: 'one', refused: 0 }
    const file = join(folder, 'credential')
    writeFileSync(file, state.taken)
    const guard = createServer((req, res) => {
      if (req.headers.authorization === `Bearer ${state.taken}`) return void proxied(req, res, handshakeOnly.url)
      state.refused += 1
      res.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
    })
    await once(guard.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(guard.address() as AddressInfo).port}/mcp`
    const credentials = { type: 'headers', headers: { Authorization: { file, prefix: 'Bearer ' } } } as const
    const gate = await startGateway({ servers: [{ id: 'guarded', url, credentials }] })
    try {
      const [ann, bob] = [await gate.tokenFor('guarded', { user: ANN }), await gate.tokenFor('guarded', { user: BOB })]
      const ask = async (token: string, method: string, params = {}) =>
        (await request(gate.resource('guarded'), token, method, params)).body
      expect(await ask(ann, 'tools/list')).toHaveProperty('result')
      // Rotated at both ends; ours is read again in a minute.
      state.taken = 'two'
      writeFileSync(file, state.taken)
      expect(await ask(ann, 'resources/list')).toHaveProperty('result')
      expect(state.refused).toBe(1)
      state.taken = 'three'
      writeFileSync(file, state.taken)
      expect(await ask(bob, 'server/discover')).toMatchObject({ result: { capabilities: { tools: {} } } })
      expect(state.refused).toBe(2)
      // Nothing better is to be had: one error, and no third try.
      state.taken = 'four'
      expect(await ask(bob, 'tools/list')).toMatchObject({ error: { code: -32603 } })
      expect(state.refused).toBe(3)
    } finally {
      await gate.close()
      guard.closeAllConnections()
      guard.close()
    }
  })
})

describe('a client of the handshake era', () => {
  it('uses a server of 2026-07-28 as if it spoke its revision', async () => {
    const { client } = await connect('new', 'legacy')
    expect(client.getServerVersion()).toEqual({ name: 'fixture', version: '1.0.0' })
    expect(client.getServerCapabilities()).toMatchObject({ tools: {}, prompts: {}, resources: {}, completions: {} })
    await client.ping()
    const names = await namesOf(client)
    expect(names).toContain('test_simple_text')
    expect(names).not.toContain('test_image_content')
    expect(textOf(await client.callTool({ name: 'test_simple_text', arguments: {} }))).toContain('simple text')
    await expect(client.callTool({ name: 'test_image_content', arguments: {} })).rejects.toThrow('Unknown tool')
    expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0)
    const prompt = { name: 'test_prompt_with_arguments', arguments: { arg1: 'one', arg2: 'two' } }
    expect(JSON.stringify((await client.getPrompt(prompt)).messages)).toContain("arg1='one'")
    const listed = await client.listResources()
    expect(listed.resources.map(({ uri }) => uri)).toContain('test://static-text')
    expect(listed.resources.map(({ uri }) => uri)).not.toContain('test://static-binary')
    expect(listed).not.toHaveProperty('ttlMs')
    expect((await client.listResourceTemplates()).resourceTemplates).toHaveLength(1)
    expect((await client.readResource({ uri: 'test://static-text' })).contents).toHaveLength(1)
    const { completion } = await client.complete({
      ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' },
      argument: { name: 'arg1', value: 'par' },
    })
    expect(completion.values).toEqual(['paris', 'park', 'party'])
    const calls = modernOnly.seen.filter(({ method }) => method === 'tools/call')
    expect(new Set(calls.map(({ revision, session }) => `${revision} ${session}`))).toEqual(
      new Set(['2026-07-28 null']),
    )
  })

  it('hears progress, and the log from the level on that it has set', async () => {
    const { client, heard } = await connect('new', 'legacy')
    const steps: number[] = []
    const call = { name: 'test_tool_with_progress', arguments: {} }
    await client.callTool(call, { onprogress: ({ progress }) => void steps.push(progress) })
    expect(steps).toEqual([0, 50, 100])
    const logged = () => heard.filter(({ method }) => method === 'notifications/message').length
    await client.callTool({ name: 'test_tool_with_logging', arguments: {} })
    expect(logged()).toBe(0)
    await client.setLoggingLevel('info')
    await client.callTool({ name: 'test_tool_with_logging', arguments: {} })
    expect(logged()).toBe(3)
    await client.setLoggingLevel('error')
    await client.callTool({ name: 'test_tool_with_logging', arguments: {} })
    expect(logged()).toBe(3)
  })

  it('hears of lists and of the resources that it subscribed to', async () => {
    const { client, heard } = await connect('new', 'legacy')
    const told = (method: string) => heard.filter((each) => each.method === method)
    await client.callTool({ name: 'test_trigger_tool_change', arguments: {} })
    await until(() => told('notifications/tools/list_changed').length > 0)
    const uri = 'test://watched-resource'
    await client.subscribeResource({ uri })
    await until(() => {
      modernOnly.resourceUpdated(uri)
      return told('notifications/resources/updated').length > 0
    })
    expect(told('notifications/resources/updated')[0]?.params).toMatchObject({ uri })
    await client.unsubscribeResource({ uri })
    await expect(client.subscribeResource({ uri: 'test://static-binary' })).rejects.toThrow(/not found/i)
  })

  it('cancels a call, and ends its session', async () => {
    const { client, transport, token } = await connect('new', 'legacy')
    const stop = new AbortController()
    const before = modernOnly.seen.length
    const call = client.callTool({ name: 'test_tool_with_progress', arguments: {} }, { signal: stop.signal })
    call.catch(() => undefined)
    await until(() => modernOnly.seen.slice(before).some(({ method }) => method === 'tools/call'))
    stop.abort()
    await expect(call).rejects.toThrow()
    const id = transport.sessionId ?? ''
    await transport.terminateSession()
    const after = await fetch(gateway.resource('new'), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': id,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
    })
    expect(after.status).toBe(404)
  })

  it('has a session that opens for nobody else, and at no other address', async () => {
    const ann = await connect('new', 'legacy')
    const ping = (server: string, token: string) =>
      fetch(gateway.resource(server), {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-session-id': ann.transport.sessionId ?? '',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
      })
    expect((await ping('new', ann.token)).status).toBe(200)
    expect((await ping('new', await tokenFor('new', BOB))).status).toBe(404)
    expect((await ping('old', await tokenFor('old'))).status).toBe(404)
  })
})

describe('what one era has and the other has not', () => {
  const post = async (server: string, headers: Record<string, string>, body: object) => {
    const answer = await fetch(gateway.resource(server), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await tokenFor(server)}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
    })
    return [answer.status, ((await answer.json()) as { error?: { code: number } }).error?.code]
  }
  const params = {
    uri: 'test://static-text',
    level: 'info',
    protocolVersion: '2025-11-25',
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  }

  it.each(['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe'])(
    'is %s no method of 2026-07-28, and never reaches the server',
    async (method) => {
      const before = handshakeOnly.seen.length
      const head = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method }
      expect(await post('old', head, { method, params })).toEqual([404, -32601])
      expect(handshakeOnly.seen.slice(before).map((each) => each.method)).not.toContain(method)
      expect(await post('old', { ...head, 'mcp-method': 'tools/list' }, { method: 'tools/list', params })).toEqual([
        200,
        undefined,
      ])
    },
  )

  it.each(['server/discover', 'subscriptions/listen'])('is %s no method of the handshake revisions', async (method) => {
    const { transport } = await connect('new', 'legacy')
    const head = { 'mcp-session-id': transport.sessionId ?? '' }
    expect(await post('new', head, { method, params: { notifications: {} } })).toEqual([200, -32601])
    expect(await post('new', head, { method: 'ping' })).toEqual([200, undefined])
  })
})

describe('the record and the bytes', () => {
  it('names the server alone, as for a call that passes', async () => {
    const { client } = await connect('new', 'legacy')
    await client.callTool({ name: 'test_error_handling', arguments: {} })
    const called = (await gateway.audit((events) => events.some(isOfTool))).find(isOfTool)
    expect(called).toMatchObject({ server: 'new', era: 'legacy', decision: 'allow', outcome: 'answered' })
    expect(called).not.toHaveProperty('via')
  })

  it('pass where client and server speak one era', async () => {
    const before = [modernOnly.seen.length, handshakeOnly.seen.length] as const
    const [modern, legacy] = [await connect('new', MODERN), await connect('old', 'legacy')]
    await modern.client.callTool({ name: 'test_simple_text', arguments: {} })
    await legacy.client.callTool({ name: 'test_simple_text', arguments: {} })
    const initialized = handshakeOnly.seen.slice(before[1]).filter(({ method }) => method === 'initialize')
    expect(initialized.length).toBeLessThanOrEqual(1)
    expect(modernOnly.seen.slice(before[0]).map(({ method }) => method)).not.toContain('initialize')
  })
})

const isOfTool = (event: object) => 'name' in event && event.name === 'test_error_handling' && 'outcome' in event
