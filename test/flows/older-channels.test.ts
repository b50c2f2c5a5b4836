// WebSocket, and HTTP+SSE of 2024-11-05, with clients that others wrote: the guard, policy and record of the MCP door hold there too.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, SSEClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { memoryServer, startEverything, type TestUpstream } from '../support/upstream.ts'
import { socketTransport, untilClosed } from '../support/websocket.ts'

const WSCAT = join(import.meta.dirname, '../../node_modules/.bin/wscat')
const HELLO = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'wscat', version: '0' } },
}

let folder: string
let everything: TestUpstream
let gateway: TestGateway
let only: TestGateway

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-channels-'))
  everything = await startEverything()
  const policy = {
    rules: [
      { allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] },
      { deny: ['everything/get-env'], to: ['*'] },
    ],
  }
  gateway = await startGateway({
    servers: [{ id: 'everything', url: everything.url }, memoryServer('memory', join(folder, 'memory.jsonl'))],
    policy,
  })
  only = await startGateway({
    servers: [{ id: 'everything', url: everything.url }],
    policy,
    auth: { tokens: false, proxy: { userHeader: 'X-Authenticated-User' } },
    server: { trustedProxies: ['127.0.0.1'] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await only?.close()
  await everything?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const bearer = async (server: string) => ({ Authorization: `Bearer ${await gateway.tokenFor(server)}` })
const client = () => new Client({ name: 'older', version: '1' }, { versionNegotiation: { mode: 'legacy' } })

/** What each channel must be able to do, whatever carries it. */
async function tryOut(connected: Client, server: string): Promise<void> {
  const { tools } = await connected.listTools()
  const names = tools.map((tool) => tool.name)
  if (server === 'memory') {
    expect(names).toContain('read_graph')
    expect(JSON.stringify(await connected.callTool({ name: 'read_graph', arguments: {} }))).toContain('entities')
    return
  }
  expect(names).toContain('echo')
  expect(names).not.toContain('get-env')
  const echoed = await connected.callTool({ name: 'echo', arguments: { message: 'through the gate' } })
  expect(JSON.stringify(echoed.content)).toContain('through the gate')
  await expect(connected.callTool({ name: 'get-env', arguments: {} })).rejects.toThrow(/Unknown tool|get-env/)
  const progress: number[] = []
  await connected.callTool(
    { name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 3 } },
    { onprogress: (step) => progress.push(step.progress) },
  )
  expect(progress.length).toBeGreaterThan(0)
}

describe.each(['everything', 'memory'])('%s', (server) => {
  it('serves the official client over a WebSocket', async () => {
    const connected = client()
    await connected.connect(socketTransport(`${gateway.url}/servers/${server}/ws`, await bearer(server)))
    await tryOut(connected, server)
    await connected.close()
    const isCall = (event: Awaited<ReturnType<typeof gateway.audit>>[number]) =>
      event.kind === 'call' && event.server === server && event.method === 'tools/call'
    expect((await gateway.audit((all) => all.some(isCall))).filter(isCall).length).toBeGreaterThan(0)
  })

  it('serves the official client over HTTP+SSE', async () => {
    const connected = client()
    const headers = await bearer(server)
    await connected.connect(
      new SSEClientTransport(new URL(`${gateway.url}/servers/${server}/sse`), { requestInit: { headers } }),
    )
    await tryOut(connected, server)
    await connected.close()
  })
})

describe('wscat', () => {
  /** As people type it: one message, then its answer. */
  async function say(args: readonly string[]): Promise<{ out: string; code: number }> {
    const child = spawn(process.execPath, [WSCAT, '-c', `${only.url.replace('http', 'ws')}/ws`, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += String(chunk)
    })
    child.stderr.on('data', (chunk) => {
      out += String(chunk)
    })
    const [code] = await once(child, 'close')
    return { out, code: Number(code) }
  }

  it('is let in with the header of the proxy, and gets its answer', async () => {
    const { out } = await say(['-H', 'X-Authenticated-User: ann@example.com', '-x', JSON.stringify(HELLO), '-w', '2'])
    expect(out).toContain('"protocolVersion"')
  })

  it('is turned away with 1008 without it', async () => {
    const { out } = await say(['-x', JSON.stringify(HELLO), '-w', '2'])
    expect(out).not.toContain('"protocolVersion"')
    expect(await untilClosed(`${only.url}/ws`)).toEqual({ code: 1008, reason: 'Authentication required' })
  })
})

describe('the addresses at the root', () => {
  it('are those of the only server, and of all of them where there are several', async () => {
    const headers = { 'X-Authenticated-User': 'ann@example.com' }
    const connected = client()
    await connected.connect(new SSEClientTransport(new URL(`${only.url}/sse`), { requestInit: { headers } }))
    expect((await connected.listTools()).tools.length).toBeGreaterThan(3)
    await connected.close()
    const token = { Authorization: `Bearer ${await gateway.tokenFor('*')}` }
    const all = client()
    await all.connect(new SSEClientTransport(new URL(`${gateway.url}/sse`), { requestInit: { headers: token } }))
    const names = (await all.listTools()).tools.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['everything__echo', 'memory__read_graph']))
    const echo = await all.callTool({ name: 'everything__echo', arguments: { message: 'old' } })
    expect(echo.content).toEqual([{ type: 'text', text: 'Echo: old' }])
    await all.close()
    expect((await fetch(`${gateway.url}/sse`)).status).toBe(401)
    expect(await untilClosed(`${gateway.url}/ws`)).toEqual({ code: 1008, reason: 'Authentication required' })
  })

  it('have a protected-resource document each, which the challenge names', async () => {
    for (const path of ['/servers/everything/sse', '/servers/memory/messages']) {
      const answer = await fetch(gateway.url + path, { method: path.endsWith('sse') ? 'GET' : 'POST' })
      expect(answer.status).toBe(401)
      const document = /resource_metadata="([^"]+)"/.exec(answer.headers.get('www-authenticate') ?? '')?.[1] ?? ''
      expect(await (await fetch(document)).json()).toMatchObject({ resource: gateway.url + path })
    }
  })
})
