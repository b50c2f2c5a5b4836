// What holds for one server holds through a view of it, and what the view asks for besides: rules on arguments, limits, revisions,
// denials aloud, tools that changed; and prompts and resources as its picks.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CANARY_TOOLS, type Canary, startCanary } from '../support/canary.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { type GatewayOptions, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, type McpAnswer, request } from '../support/mcp.ts'

let canary: Canary
let fixture: Fixture
const tools: string[] = [...CANARY_TOOLS]
beforeAll(async () => {
  ;[canary, fixture] = await Promise.all([startCanary({ tools, prompts: ['greet', 'part'] }), startFixture()])
})
afterAll(async () => {
  await canary?.close()
  await fixture?.close()
})

const DESK = {
  id: 'desk',
  tools: ['notes/write_note', { from: 'notes/read_note', name: 'look' }],
  prompts: ['notes/greet', { from: 'docs/test_simple_prompt', name: 'simple', title: 'Simple' }],
  resources: [{ from: 'docs/test://static-text', name: 'handbook' }, 'docs/test://template/*'],
}
const OPEN = { id: 'desk', allow: ['desk/*', 'prompt:desk/*', 'resource:desk/*'], to: ['*'] }

function open(more: GatewayOptions = {}, notes: { minimumRevision?: '2025-11-25'; pin?: 'quarantine' } = {}) {
  const servers = [{ id: 'notes', url: canary.url, ...notes }, { id: 'docs', url: fixture.url }, DESK]
  return startGateway({ servers, policy: { rules: [OPEN] }, ...more })
}

const callsReceived = () => canary.requests.filter(({ body }) => body.includes('"tools/call"')).length
const keysOf = ({ body }: McpAnswer, kind: string, key: string) =>
  (body['result'] as Record<string, Record<string, unknown>[]>)[kind]?.map((entry) => entry[key])
const UNKNOWN = (name: string) => ({ code: -32602, message: `Unknown tool: ${name}` })
const NOT_THESE = { code: -32602, message: 'Not allowed with these arguments.' }

describe('prompts and resources of a virtual server', () => {
  let gateway: TestGateway
  let token: string
  beforeAll(async () => {
    gateway = await open()
    token = await gateway.tokenFor('desk')
  })
  afterAll(() => gateway?.close())
  const ask = (method: string, params: Record<string, unknown> = {}) => {
    const name = params['name'] ?? params['uri']
    return request(gateway.resource('desk'), token, method, params, name === undefined ? {} : { 'mcp-name': `${name}` })
  }

  it('are those that are picked, as they are called there', async () => {
    const prompts = await ask('prompts/list')
    expect(keysOf(prompts, 'prompts', 'name')).toEqual(['simple', 'greet'])
    expect(keysOf(prompts, 'prompts', 'title')).toEqual(['Simple', undefined])
    const resources = await ask('resources/list')
    expect(keysOf(resources, 'resources', 'uri')).toEqual(['test://static-text'])
    expect(keysOf(resources, 'resources', 'name')).toEqual(['handbook'])
    expect(keysOf(await ask('resources/templates/list'), 'resourceTemplates', 'uriTemplate')).toEqual([
      'test://template/{id}/data',
    ])
  })

  it('are got and read, and no other is', async () => {
    for (const name of ['simple', 'greet'])
      expect((await ask('prompts/get', { name })).body['result']).toHaveProperty('messages')
    for (const name of ['part', 'test_simple_prompt', 'docs__simple'])
      expect((await ask('prompts/get', { name })).body['error']).toEqual({
        code: -32602,
        message: `Unknown prompt: ${name}`,
      })
    for (const uri of ['test://static-text', 'test://template/7/data'])
      expect((await ask('resources/read', { uri })).body['result']).toHaveProperty('contents')
    for (const uri of ['test://static-binary', 'test://watched-resource', 'test://template', 'file:///etc/passwd'])
      expect((await ask('resources/read', { uri })).body['error']).toMatchObject({ message: 'Resource not found' })
  })
})

describe('rules that read arguments', () => {
  const RULES = [
    OPEN,
    { id: 'big', deny: ['notes/write_note'], to: ['*'], when: 'has(args.amount) && args.amount > 1000' },
    { id: 'signed', deny: ['desk/write_note'], to: ['*'], unless: 'has(args.signed) && args.signed' },
  ]
  let gateway: TestGateway
  let token: string
  beforeAll(async () => {
    gateway = await open({ policy: { rules: RULES } })
    token = await gateway.tokenFor('desk')
  })
  afterAll(() => gateway?.close())
  const write = (args: Record<string, unknown>) => callTool(gateway.resource('desk'), token, 'write_note', args)

  it('hold on both sides, aloud, and nothing of a refused call reaches the server', async () => {
    expect((await write({ amount: 1000, signed: true })).body['result']).toBeDefined()
    const before = callsReceived()
    const big = await write({ amount: 1001, signed: true, note: 'private' })
    const unsigned = await write({ amount: 5 })
    expect([big.body['error'], unsigned.body['error']]).toEqual([NOT_THESE, NOT_THESE])
    expect(callsReceived()).toBe(before)
    const id = big.headers.get('x-request-id')
    const events = await gateway.audit((all) => all.some((event) => event.id === id))
    const event = events.find((one) => one.id === id)
    expect(event).toMatchObject({ server: 'notes', name: 'write_note', via: 'desk', rule: 'big', decision: 'deny' })
    expect(event).toMatchObject({ args: { amount: 1001, signed: true } })
    expect(JSON.stringify(event)).not.toContain('private')
  })

  it('are read as every reader reads them: a key twice is refused before anything else', async () => {
    const before = callsReceived()
    const name = 'write_note'
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }
    const rest = { 'io.modelcontextprotocol/clientCapabilities': {} }
    const send = (args: string) =>
      fetch(gateway.resource('desk'), {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'tools/call',
          'mcp-name': name,
        },
        body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${name}","arguments":${args},"_meta":${JSON.stringify({ ...meta, ...rest })}}}`,
      })
    expect((await send('{"signed":true,"amount":5,"amount":5000}')).status).toBe(400)
    expect((await send('{"signed":true,"n":{"amount":90071992547409930}}')).status).toBe(400)
    expect(callsReceived()).toBe(before)
    expect((await send('{"signed":true,"amount":5}')).status).toBe(200)
    expect(callsReceived()).toBe(before + 1)
  })
})

describe('limits', () => {
  it('on the thing and on the view count the call once each, whichever way it came', async () => {
    const limits = [
      { id: 'home', match: 'notes/write_note', rate: '3/h' },
      { id: 'view', match: 'desk/look', rate: '1/h' },
    ]
    const policy = { rules: [OPEN, { allow: ['notes/*'], to: ['*'] }] }
    const gateway = await open({ limits, policy })
    try {
      const at = async (server: string, name: string) => {
        const token = tokens.get(server) ?? (await gateway.tokenFor(server))
        tokens.set(server, token)
        return callTool(gateway.resource(server), token, name)
      }
      const tokens = new Map<string, string>()
      for (const [server, name] of [
        ['desk', 'write_note'],
        ['notes', 'write_note'],
        ['*', 'notes__write_note'],
        ['desk', 'look'],
      ] as const)
        expect([server, name, (await at(server, name)).status]).toEqual([server, name, 200])
      const before = callsReceived()
      for (const [server, name] of [
        ['desk', 'write_note'],
        ['notes', 'write_note'],
        ['*', 'notes__write_note'],
        ['desk', 'look'],
      ] as const) {
        const { status, headers } = await at(server, name)
        expect([server, name, status]).toEqual([server, name, 429])
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
      }
      expect(callsReceived()).toBe(before)
      // The view's own limit says nothing of the thing elsewhere.
      expect((await at('notes', 'read_note')).status).toBe(200)
    } finally {
      await gateway.close()
    }
  })
})

describe('denials aloud', () => {
  const OF_TOOLS = { error: 'Forbidden', message: 'MCP Tool Access denied. Insufficient permissions for this tool.' }
  it('say so at a virtual server and at /mcp, for a thing and for its arguments', async () => {
    const rules = [
      { allow: ['desk/look', 'notes/read_note'], to: ['*'] },
      { allow: ['desk/write_note', 'notes/write_note'], to: ['*'], when: 'args.amount <= 1000' },
      { deny: ['desk/look'], to: ['group:finance'] },
    ]
    const gateway = await open({ policy: { denials: 'explicit', rules } })
    try {
      const before = callsReceived()
      const everywhere = await gateway.tokenFor('*')
      for (const [url, token, prefix] of [
        [gateway.resource('desk'), await gateway.tokenFor('desk'), ''],
        [`${gateway.url}/mcp`, everywhere, 'notes__'],
      ] as const)
        expect(await callTool(url, token, `${prefix}write_note`, { amount: 5000 })).toMatchObject({
          status: 403,
          body: OF_TOOLS,
        })
      expect(await callTool(`${gateway.url}/mcp`, everywhere, 'notes__delete_note')).toMatchObject({
        status: 403,
        body: OF_TOOLS,
      })
      expect(callsReceived()).toBe(before)
      expect(
        (await callTool(`${gateway.url}/mcp`, everywhere, 'notes__write_note', { amount: 5 })).body['result'],
      ).toBeDefined()
    } finally {
      await gateway.close()
    }
  })
})

describe('a server with a minimum revision', () => {
  it('is not called below it through a view, whatever the others take', async () => {
    const policy = { rules: [OPEN, { allow: ['*/*', 'resource:*/*'], to: ['*'] }] }
    const gateway = await open({ policy }, { minimumRevision: '2025-11-25' })
    try {
      for (const [server, look] of [
        ['desk', 'look'],
        ['*', 'notes__read_note'],
      ] as const) {
        const token = await gateway.tokenFor(server)
        const ask = async (version: string, message: object, session?: string) => {
          const response = await fetch(gateway.resource(server), {
            method: 'POST',
            headers: {
              authorization: `Bearer ${token}`,
              'content-type': 'application/json',
              accept: 'application/json, text/event-stream',
              'mcp-protocol-version': version,
              ...(session !== undefined && { 'mcp-session-id': session }),
            },
            body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
          })
          await response.text()
          return response
        }
        const call = { method: 'tools/call', params: { name: look, arguments: {} } }
        const read = { method: 'resources/read', params: { uri: 'test://static-text' } }
        const statuses = []
        for (const version of ['2025-06-18', '2025-11-25']) {
          const params = { protocolVersion: version, capabilities: {}, clientInfo: { name: 'c', version: '1' } }
          const session = (await ask(version, { method: 'initialize', params })).headers.get('mcp-session-id') ?? ''
          const before = callsReceived()
          statuses.push((await ask(version, call, session)).status, callsReceived() - before)
          statuses.push((await ask(version, read, session)).status)
        }
        expect([server, ...statuses]).toEqual([server, 400, 0, 200, 200, 1, 200])
      }
    } finally {
      await gateway.close()
    }
  })
})

describe('a tool that nobody has looked at', () => {
  it('is neither shown nor called through a view, and the others are', async () => {
    const gateway = await startGateway({
      servers: [
        { id: 'notes', url: canary.url, pin: 'quarantine' },
        { id: 'desk', tools: ['notes/*'] },
      ],
      aggregate: { ttl: '1s' },
    })
    try {
      const token = await gateway.tokenFor('desk')
      const url = gateway.resource('desk')
      const listed = async () => keysOf(await request(url, token, 'tools/list', {}), 'tools', 'name')
      expect(await listed()).toEqual([...CANARY_TOOLS])
      tools.push('erase')
      const isTold = (event: { kind: string }) => JSON.stringify(event).includes('"notes/erase"')
      // The server's own list is looked at with every reading; the gate has seen the new tool when it says so.
      await expect
        .poll(async () => [await listed(), (await gateway.audit()).some(isTold)])
        .toEqual([[...CANARY_TOOLS], true])
      const before = callsReceived()
      expect((await callTool(url, token, 'erase')).body['error']).toEqual(UNKNOWN('erase'))
      expect(callsReceived()).toBe(before)
      expect((await callTool(url, token, 'read_note')).body['result']).toBeDefined()
    } finally {
      tools.splice(CANARY_TOOLS.length)
      await gateway.close()
    }
  })
})
