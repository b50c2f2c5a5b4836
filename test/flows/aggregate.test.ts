// /mcp: many servers as one, for clients of both eras. Real servers of both eras and of both kinds behind it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools, request } from '../support/mcp.ts'
import { createSdkHost, type Mode } from '../support/sdk.ts'
import { memoryServer, startEverything, type TestUpstream } from '../support/upstream.ts'

let folder: string
let everything: TestUpstream
let fixture: Fixture
let gateway: TestGateway
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-aggregate-'))
  ;[everything, fixture] = await Promise.all([startEverything(), startFixture()])
  gateway = await startGateway({
    servers: [
      { id: 'old', url: everything.url },
      { id: 'new', url: fixture.url },
      memoryServer('memory', join(folder, 'memory.json')),
    ],
    policy: { rules: [{ allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await everything?.stop()
  await fixture?.close()
  rmSync(folder, { recursive: true, force: true })
})

const names = (body: Record<string, unknown>) =>
  (body['result'] as { tools: { name: string }[] }).tools.map(({ name }) => name)

describe('a client of 2026-07-28', () => {
  it('sees the tools of all servers, each with the prefix of its server', async () => {
    const token = await gateway.tokenFor('*')
    const { status, body } = await listTools(`${gateway.url}/mcp`, token)
    expect(status).toBe(200)
    expect(names(body)).toEqual(expect.arrayContaining(['old__echo', 'new__test_simple_text', 'memory__read_graph']))
    expect(body['result']).toMatchObject({ cacheScope: 'private', resultType: 'complete' })
  })

  it('calls a tool of each', async () => {
    const token = await gateway.tokenFor('*')
    const at = `${gateway.url}/mcp`
    const old = await callTool(at, token, 'old__echo', { message: 'hé' })
    expect(old.body['result']).toMatchObject({ content: [{ type: 'text', text: 'Echo: hé' }], resultType: 'complete' })
    const modern = await callTool(at, token, 'new__test_simple_text')
    expect(modern.body['result']).toMatchObject({ content: [{ type: 'text' }] })
    const child = await callTool(at, token, 'memory__read_graph')
    expect(child.body['result']).toMatchObject({ structuredContent: { entities: [] } })
  })

  it('gets the same answer for a tool that is not there as an MCP server gives', async () => {
    const token = await gateway.tokenFor('*')
    const { body } = await callTool(`${gateway.url}/mcp`, token, 'old__nothing')
    expect(body['error']).toMatchObject({ code: -32602, message: 'Unknown tool: old__nothing' })
  })
})

describe.each<Mode>(['legacy', { pin: '2026-07-28' }])('the official client, %j', (mode) => {
  let client: Client
  beforeAll(async () => {
    client = await createSdkHost(await gateway.person()).connect(`${gateway.url}/mcp`, mode)
  })
  afterAll(() => client?.close())

  it('lists and calls what all of them have', async () => {
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['old__echo', 'new__test_simple_text', 'memory__read_graph']),
    )
    const calls = [
      client.callTool({ name: 'old__echo', arguments: { message: 'hello' } }),
      client.callTool({ name: 'new__test_simple_text', arguments: {} }),
      client.callTool({ name: 'memory__read_graph', arguments: {} }),
    ]
    const [echo, text, graph] = await Promise.all(calls)
    expect(echo?.content).toEqual([{ type: 'text', text: 'Echo: hello' }])
    expect(text?.isError).not.toBe(true)
    expect(graph?.structuredContent).toEqual({ entities: [], relations: [] })
  })

  it('reads resources and gets prompts, wherever they are', async () => {
    const { resources } = await client.listResources()
    const uris = resources.map(({ uri }) => uri)
    expect(uris).toContain('test://static-text')
    expect((await client.readResource({ uri: 'test://static-text' })).contents).toHaveLength(1)
    expect((await client.readResource({ uri: 'test://template/7/data' })).contents).toHaveLength(1)
    const { prompts } = await client.listPrompts()
    expect(prompts.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['old__simple-prompt', 'new__test_simple_prompt']),
    )
    const { messages } = await client.getPrompt({ name: 'new__test_simple_prompt' })
    expect(messages).not.toHaveLength(0)
  })
})

it('records a call under the names of the server, and the place where it was made', async () => {
  const token = await gateway.tokenFor('*')
  await request(
    `${gateway.url}/mcp`,
    token,
    'tools/call',
    { name: 'old__get-sum', arguments: { a: 1, b: 2 } },
    { 'mcp-name': 'old__get-sum' },
  )
  const events = await gateway.audit((all) => all.some((event) => event.kind === 'call' && event.name === 'get-sum'))
  expect(events).toContainEqual(
    expect.objectContaining({ kind: 'call', server: 'old', via: '*', name: 'get-sum', decision: 'allow' }),
  )
})
