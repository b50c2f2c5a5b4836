// Virtual servers: picks of other servers under an address, names, rules and tokens of their own.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { curl } from '../support/curl.ts'
import { BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools, request } from '../support/mcp.ts'
import type { NewUser } from '../support/people.ts'
import { createSdkHost, type Mode } from '../support/sdk.ts'

let canary: Canary
let gateway: TestGateway
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({
    servers: [
      { id: 'notes', url: `${canary.url}?notes` },
      { id: 'archive', url: `${canary.url}?archive` },
      {
        id: 'support',
        name: 'team/support',
        title: 'Support desk',
        instructions: 'Read before you write.',
        tools: [
          'notes/read_*',
          { from: 'notes/write_note', name: 'add', title: 'Add a note', description: 'Adds one.' },
          'archive/delete_note',
        ],
      },
      { id: 'finance', tools: ['notes/*'] },
    ],
    policy: {
      rules: [
        { allow: ['support/*'], to: ['group:engineering'] },
        { allow: ['finance/*'], to: ['group:finance'] },
        { deny: ['archive/delete_note'], to: ['*'] },
        { allow: ['notes/read_note'], to: ['user:nobody@example.com'] },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

/** One of each: registrations are counted. */
const tokens = new Map<string, Promise<string>>()
function tokenFor(server: string, options: { user?: NewUser } = {}): Promise<string> {
  const key = `${server} ${options.user?.username}`
  const known = tokens.get(key) ?? gateway.tokenFor(server, options)
  tokens.set(key, known)
  return known
}

const tools = ({ body }: { body: Record<string, unknown> }) =>
  (body['result'] as { tools: Record<string, unknown>[] }).tools
const reached = () =>
  canary.requests.flatMap(({ body, url }) => (body.includes('tools/call') ? [[url, String(body)]] : []))

describe('what it shows', () => {
  it('is what is picked, as it is called here, and nothing that is denied where it is at home', async () => {
    const token = await tokenFor('support')
    const shown = tools(await listTools(gateway.resource('support'), token))
    expect(shown).toEqual([
      { name: 'add', title: 'Add a note', description: 'Adds one.', inputSchema: { type: 'object' } },
      expect.objectContaining({ name: 'read_note', description: 'read_note of the canary' }),
    ])
  })

  it('is its own introduction', async () => {
    const token = await tokenFor('support')
    const { body } = await request(gateway.resource('support'), token, 'server/discover', {})
    expect(body['result']).toMatchObject({
      instructions: 'Read before you write.',
      capabilities: { tools: { listChanged: true } },
      _meta: { 'io.modelcontextprotocol/serverInfo': { title: 'Support desk' } },
    })
  })

  it.each<Mode>(['legacy', { pin: '2026-07-28' }])('the official client, %j', async (mode) => {
    const client = await createSdkHost(await gateway.person()).connect(gateway.resource('support'), mode)
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['add', 'read_note'])
    const { content } = await client.callTool({ name: 'add', arguments: { text: 'x' } })
    expect(content).toEqual([{ type: 'text', text: expect.stringContaining('"name":"write_note"') }])
    await client.close()
  })
})

describe('a call through it', () => {
  it('reaches the tool under its own name, with the arguments as they were written', async () => {
    const token = await tokenFor('support')
    const before = reached().length
    const { status, body } = await callTool(gateway.resource('support'), token, 'add', { text: 'é', n: 1 })
    expect([status, body['error']]).toEqual([200, undefined])
    const [url, text] = reached().at(-1) ?? []
    expect(reached()).toHaveLength(before + 1)
    expect(url).toBe('/mcp?notes')
    expect(text).toContain('"params":{"name":"write_note","arguments":{"text":"é","n":1}')
    expect(canary.requests.at(-1)?.rawHeaders.join('\n')).toMatch(/mcp-name\nwrite_note/i)
  })

  it('needs an allow of its own rules, whatever those of the server say', async () => {
    const bob = await tokenFor('finance', { user: BOB })
    const allowed = await callTool(gateway.resource('finance'), bob, 'read_note')
    expect(allowed.body['result']).toBeDefined()
    // The server's own address is closed to everybody here: that is what a view is for.
    const direct = await callTool(gateway.resource('notes'), await tokenFor('notes', { user: BOB }), 'read_note')
    expect(direct.status).toBe(404)
    const stranger = await callTool(gateway.resource('support'), await tokenFor('support', { user: BOB }), 'add')
    expect(stranger.status).toBe(404)
  })

  it.each([
    ['delete_note', 'denied where it is at home'],
    ['write_note', 'the name it has elsewhere'],
    ['notes__read_note', 'the name it has at /mcp'],
    ['nothing', 'not there'],
  ])('%s is unknown: %s', async (name) => {
    const token = await tokenFor('support')
    const before = reached().length
    const { status, body } = await callTool(gateway.resource('support'), token, name)
    expect([status, body['error']]).toEqual([200, { code: -32602, message: `Unknown tool: ${name}` }])
    expect(reached()).toHaveLength(before)
  })

  it('is recorded as a call of the server behind it, by way of it', async () => {
    const token = await tokenFor('support')
    await callTool(gateway.resource('support'), token, 'read_note')
    await callTool(gateway.resource('support'), token, 'delete_note')
    const isCall = (name: string) => (event: { kind: string }) =>
      event.kind === 'call' && 'name' in event && event.name === name && 'via' in event && event.via === 'support'
    const events = await gateway.audit((all) => all.some(isCall('read_note')) && all.some(isCall('delete_note')))
    expect(events.find(isCall('read_note'))).toMatchObject({ server: 'notes', decision: 'allow' })
    expect(events.find(isCall('delete_note'))).toMatchObject({
      server: 'archive',
      decision: 'deny',
      reason: 'denied_by_rule',
    })
  })

  it('wants a token that was made for it', async () => {
    for (const other of ['notes', 'finance', '*']) {
      const { status } = await callTool(gateway.resource('support'), await tokenFor(other), 'add')
      expect([other, status]).toEqual([other, 401])
    }
  })
})

describe('X-Mcp-Virtualserver at /mcp', () => {
  const at = (name: string) => ({ 'x-mcp-virtualserver': name })
  const list = async (name: string) =>
    tools(await request(`${gateway.url}/mcp`, await tokenFor('*'), 'tools/list', {}, at(name)))

  it('shows that virtual server and nothing else, and calls go through it', async () => {
    expect((await list('team/support')).map(({ name }) => name)).toEqual(['add', 'read_note'])
    const token = await tokenFor('*')
    const called = await callTool(`${gateway.url}/mcp`, token, 'add', {}, at('team/support'))
    expect(called.body['result']).toBeDefined()
    const outside = await callTool(`${gateway.url}/mcp`, token, 'delete_note', {}, at('team/support'))
    expect(outside.body['error']).toMatchObject({ message: 'Unknown tool: delete_note' })
  })

  it.each(['team/unknown', 'support', 'finance', '', '*', 'team/support, team/support'])(
    'shows nothing for %j, which is none that the caller sees',
    async (name) => {
      expect(await list(name)).toEqual([])
      const token = await tokenFor('*')
      const called = await callTool(`${gateway.url}/mcp`, token, 'notes__read_note', {}, at(name))
      expect(called.body['error']).toMatchObject({ message: 'Unknown tool: notes__read_note' })
    },
  )
})

it('stands in the overviews like any server', async () => {
  const headers = [`Authorization: Bearer ${await tokenFor('support')}`]
  expect((await curl(gateway.port, '/servers', { headers })).body).toEqual({
    servers: [{ id: 'support', title: 'Support desk', url: gateway.resource('support') }],
  })
  expect((await curl(gateway.port, '/tools', { headers })).body).toEqual({
    tools: [
      { server: 'support', name: 'add', title: 'Add a note', description: 'Adds one.' },
      { server: 'support', name: 'read_note', description: 'read_note of the canary' },
    ],
    unavailable: [],
  })
})
