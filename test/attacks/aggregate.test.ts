// Attacks on the addresses that show many servers: names, lists, caches and states of others. Catalogue rows E16, E17, E19, E21, E23, E43.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools, request } from '../support/mcp.ts'

const opened: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

interface Message {
  readonly id?: number
  readonly method: string
  readonly params?: Record<string, unknown>
}

/** A server of 2026-07-28 that has these tools, and keeps what it was asked. */
async function serverOf(tools: readonly object[], more: Record<string, unknown> = {}) {
  const calls: Message[] = []
  const requests: string[] = []
  const listening = createServer(async (req: IncomingMessage, res: ServerResponse) => {
    requests.push(`${req.method} ${req.url}`)
    const message: Message = JSON.parse(Buffer.concat(await req.toArray()).toString() || '{}')
    if (message.method === 'tools/call') calls.push(message)
    const result =
      message.method === 'tools/list'
        ? { tools, ...more }
        : message.method === 'server/discover'
          ? { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }
          : { resultType: 'complete', content: [{ type: 'text', text: String(message.params?.['name']) }] }
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }))
  }).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  opened.push(() => {
    listening.closeAllConnections()
    listening.close()
  })
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/mcp`, calls, requests }
}

async function start(options: Parameters<typeof startGateway>[0]): Promise<TestGateway> {
  const gateway = await startGateway(options)
  opened.push(gateway.close)
  return gateway
}

async function canaryOpened(): Promise<Canary> {
  const canary = await startCanary()
  opened.push(canary.close)
  return canary
}

const tool = (name: string) => ({ name, inputSchema: { type: 'object' } })
const names = ({ body }: { body: Record<string, unknown> }) =>
  (body['result'] as { tools: { name: string }[] }).tools.map(({ name }) => name)
const error = ({ body }: { body: Record<string, unknown> }) => body['error']

describe('E19 names that collide or look alike', () => {
  it('belong to whoever came first by configuration, and a call reaches that server', async () => {
    const first = await serverOf([tool('b__c'), tool('search')])
    const second = await serverOf([tool('c'), tool('Search'), tool('se\u0430rch'), tool('other')])
    const third = await serverOf([tool('a__search'), tool('x'.repeat(300)), tool('a\u0000b')])
    const gateway = await start({
      servers: [
        { id: 'a', url: first.url },
        { id: 'a__b', url: second.url },
        { id: 'c', url: third.url, prefix: '' },
      ],
    })
    const token = await gateway.tokenFor('*')
    const shown = names(await listTools(`${gateway.url}/mcp`, token))
    expect(shown).toEqual([
      'a__b__c',
      'a__search',
      'a__b__Search',
      'a__b__other',
      expect.stringMatching(/^x{55}_[0-9a-f]{8}$/),
    ])
    await callTool(`${gateway.url}/mcp`, token, 'a__b__c')
    await callTool(`${gateway.url}/mcp`, token, 'a__search')
    expect(first.calls.map(({ params }) => params?.['name'])).toEqual(['b__c', 'search'])
    expect([...second.calls, ...third.calls]).toEqual([])
    const long = await callTool(`${gateway.url}/mcp`, token, shown.at(-1) ?? '')
    expect(long.body['result']).toMatchObject({ content: [{ text: 'x'.repeat(300) }] })
    expect(gateway.log.join('\n')).toMatch(/"reason":"name_taken".*something is not shown/)
    expect(gateway.log.join('\n')).toMatch(/"reason":"looks_alike".*something is not shown/)
    expect(gateway.log.join('\n')).toMatch(/"reason":"name_illegal".*something is not shown/)
  })
})

describe('E21 what is not listed is not called', () => {
  const rules = [
    { allow: ['notes/read_note'], to: ['*'] },
    { allow: ['secret/*'], to: ['group:secret'] },
  ]

  it('by no name that it has anywhere: hidden and unknown answer alike, and nothing reaches the server', async () => {
    const canary = await canaryOpened()
    const servers = ['notes', 'secret'].map((id) => ({ id, url: `${canary.url}?${id}` }))
    const gateway = await start({ servers, policy: { rules } })
    const token = await gateway.tokenFor('*')
    const at = `${gateway.url}/mcp`
    expect(names(await listTools(at, token))).toEqual(['notes__read_note'])
    for (const name of ['notes__write_note', 'secret__read_note', 'read_note', 'notes__nothing', 'notes__READ_note'])
      expect(error(await callTool(at, token, name))).toEqual({ code: -32602, message: `Unknown tool: ${name}` })
    expect(canary.requests.filter(({ body }) => body.includes('tools/call'))).toEqual([])
    expect(canary.requests.filter(({ url }) => url.endsWith('?secret'))).toEqual([])
    // The positive twin.
    expect((await callTool(at, token, 'notes__read_note')).body['result']).toBeDefined()
  })

  it('prompts, resources and completions alike', async () => {
    const fixture: Fixture = await startFixture()
    opened.push(fixture.close)
    const gateway = await start({
      servers: [{ id: 'fixture', url: fixture.url }],
      policy: {
        rules: [{ allow: ['prompt:fixture/test_simple_prompt', 'resource:fixture/test://static-text'], to: ['*'] }],
      },
    })
    const token = await gateway.tokenFor('*')
    const ask = (method: string, params: Record<string, unknown>, name: string) =>
      request(`${gateway.url}/mcp`, token, method, params, { 'mcp-name': name })
    const hidden = 'fixture__test_prompt_with_arguments'
    expect(error(await ask('prompts/get', { name: hidden }, hidden))).toMatchObject({
      message: `Unknown prompt: ${hidden}`,
    })
    const binary = 'test://static-binary'
    expect(error(await ask('resources/read', { uri: binary }, binary))).toMatchObject({ message: 'Resource not found' })
    const ref = { ref: { type: 'ref/prompt', name: hidden }, argument: { name: 'arg1', value: 'a' } }
    const completion = await request(`${gateway.url}/mcp`, token, 'completion/complete', ref)
    expect(error(completion)).toMatchObject({ message: `Unknown prompt: ${hidden}` })
    const shown = 'fixture__test_simple_prompt'
    expect((await ask('prompts/get', { name: shown }, shown)).body['result']).toBeDefined()
    const text = 'test://static-text'
    expect((await ask('resources/read', { uri: text }, text)).body['result']).toBeDefined()
  })
})

describe('E17 lists of others', () => {
  it('are never shown: what is kept is kept for one caller and one reach, whatever the server says of sharing', async () => {
    const server = await serverOf([tool('read'), tool('pay')], { ttlMs: 3_600_000, cacheScope: 'public' })
    const gateway = await start({
      servers: [{ id: 'bank', url: server.url }],
      scopes: { all: { title: 'All', covers: ['*/*'] }, 'mcp:tools': { title: 'Read', covers: ['bank/read'] } },
      policy: {
        rules: [
          { allow: ['bank/read'], to: ['*'] },
          { allow: ['bank/pay'], to: ['group:engineering'] },
        ],
      },
    })
    const ann = await gateway.tokenFor('*')
    const bob = await gateway.tokenFor('*', { user: BOB })
    const list = async (token: string) => {
      const answer = await listTools(`${gateway.url}/mcp`, token)
      expect(answer.body['result']).toMatchObject({ cacheScope: 'private' })
      return names(answer)
    }
    for (const _ of [1, 2]) {
      expect(await list(ann)).toEqual(['bank__read', 'bank__pay'])
      expect(await list(bob)).toEqual(['bank__read'])
    }
  })
})

describe('E23 an address that means no server', () => {
  it.each([
    '/servers/zzz/mcp',
    '/servers//mcp',
    '/servers/%20/mcp',
    '/servers/*/mcp',
    '/servers/%2A/mcp',
    '/servers/../mcp',
    '/mcp/',
  ])('%s is never everything', async (path) => {
    const canary = await canaryOpened()
    const gateway = await start({ servers: [{ id: 'notes', url: canary.url }] })
    const token = await gateway.tokenFor('*')
    // fetch would tidy the path: the request line is written as it is.
    const { request: raw } = await import('node:http')
    const status = await new Promise((resolve, reject) => {
      const asked = raw({
        port: gateway.port,
        host: '127.0.0.1',
        path,
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      })
      asked.once('response', (answer) => resolve(answer.resume().statusCode)).once('error', reject)
      asked.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }))
    })
    expect([400, 404]).toContain(status)
    expect(names(await listTools(`${gateway.url}/mcp`, token))).toHaveLength(3)
  })
})

describe('E16 state of a call that waits for its user', () => {
  const TOOL = 'fixture__test_input_required_result_request_state'
  async function waiting() {
    const fixture = await startFixture()
    opened.push(fixture.close)
    const gateway = await start({ servers: [{ id: 'fixture', url: fixture.url }] })
    const ask = async (token: string, params: Record<string, unknown>) => {
      const capabilities = { elicitation: {}, sampling: {}, roots: {} }
      const meta = {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': capabilities,
      }
      const response = await fetch(`${gateway.url}/mcp`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'tools/call',
          'mcp-name': String(params['name']),
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { ...params, _meta: meta } }),
      })
      const text = await response.text()
      const data = [...text.matchAll(/^data: ?(.+)$/gm)].at(-1)?.[1] ?? text
      return JSON.parse(data) as { result?: Record<string, unknown>; error?: { code: number; message: string } }
    }
    const ann = await gateway.tokenFor('*')
    const first = await ask(ann, { name: TOOL, arguments: {} })
    expect(first.result).toMatchObject({ resultType: 'input_required', requestState: expect.any(String) })
    const [key = ''] = Object.keys(first.result?.['inputRequests'] as object)
    const inputResponses = { [key]: { action: 'accept', content: { ok: true, confirm: true } } }
    const retry = { name: TOOL, arguments: {}, requestState: first.result?.['requestState'], inputResponses }
    return { gateway, ask, ann, retry }
  }

  it('is sealed for its owner, tool and arguments, and taken once', async () => {
    const { gateway, ask, ann, retry } = await waiting()
    const bob = await gateway.tokenFor('*', { user: BOB })
    const refused = { code: -32602, message: 'Invalid params: requestState' }
    const state = String(retry.requestState)
    const forged = `${state.slice(0, -4)}${state.at(-4) === 'A' ? 'B' : 'A'}${state.slice(-3)}`
    expect((await ask(bob, retry)).error).toEqual(refused)
    expect((await ask(ann, { ...retry, arguments: { other: 1 } })).error).toEqual(refused)
    expect((await ask(ann, { ...retry, requestState: forged })).error).toEqual(refused)
    expect((await ask(ann, { ...retry, name: 'fixture__test_simple_text' })).error).toEqual(refused)
    expect((await ask(ann, retry)).result).toMatchObject({ resultType: 'complete' })
    expect((await ask(ann, retry)).error).toEqual(refused)
  })
})

describe('E43 a schema that points elsewhere', () => {
  it('is handed on as it is, and nobody looks where it points', async () => {
    const target = await serverOf([])
    const $ref = `${target.url}/schema.json`
    const inputSchema = {
      type: 'object',
      properties: { a: { $ref }, b: { $ref: 'file:///etc/passwd' } },
      $defs: { c: { $ref: '#' } },
    }
    const server = await serverOf([
      { name: 'pointing', inputSchema },
      { name: 'wide', inputSchema: { allOf: Array(10_000).fill({}) } },
    ])
    const gateway = await start({ servers: [{ id: 'a', url: server.url }] })
    const token = await gateway.tokenFor('*')
    const answer = await listTools(`${gateway.url}/mcp`, token)
    const { tools } = answer.body['result'] as { tools: { inputSchema: unknown }[] }
    expect(tools[0]?.inputSchema).toEqual(inputSchema)
    expect(tools).toHaveLength(2)
    await callTool(`${gateway.url}/mcp`, token, 'a__pointing', { a: 1 })
    expect(server.calls).toHaveLength(1)
    expect(target.requests).toEqual([])
  })
})
