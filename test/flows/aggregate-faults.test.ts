// Servers that do not do their part behind /mcp: hung, dead, crashing, lying. The others are shown and called as if they were alone.
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools } from '../support/mcp.ts'

const opened: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

let canary: Canary
beforeEach(async () => {
  canary = await startCanary()
  opened.push(canary.close)
})

async function server(
  handle: RequestListener,
): Promise<{ url: string; requests: () => number; use(next: RequestListener): void }> {
  let [answer, requests] = [handle, 0]
  const listening: Server = createServer((req, res) => {
    requests += 1
    answer(req, res)
  }).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  opened.push(() => {
    listening.closeAllConnections()
    listening.close()
  })
  return {
    url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/mcp`,
    requests: () => requests,
    use(next) {
      answer = next
    },
  }
}

async function gatewayOver(url: string, more: Parameters<typeof startGateway>[0] = {}): Promise<TestGateway> {
  const gateway = await startGateway({
    servers: [
      { id: 'bad', url, requestTimeout: '3s' },
      { id: 'good', url: canary.url },
    ],
    // Nobody but the hung server may take so long, on a slow machine either.
    aggregate: { timeout: '2s' },
    ...more,
  })
  opened.push(gateway.close)
  return gateway
}

const shown = ({ body }: { body: Record<string, unknown> }) => {
  const result = body['result'] as { tools: { name: string }[]; _meta: Record<string, unknown> }
  return { names: result.tools.map(({ name }) => name), unavailable: result._meta['portcullis/unavailable'] }
}
const GOOD = ['good__read_note', 'good__write_note', 'good__delete_note']
const json =
  (body: object | string): RequestListener =>
  (_, res) =>
    void res
      .writeHead(200, { 'content-type': 'application/json' })
      .end(typeof body === 'string' ? body : JSON.stringify(body))

/** A server of 2026-07-28 with one tool. */
const healthy: RequestListener = async (req, res) => {
  const { id, method } = JSON.parse(Buffer.concat(await req.toArray()).toString())
  const tools = [{ name: 'back', inputSchema: { type: 'object' } }]
  const result =
    method === 'tools/list' ? { tools } : { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }
  json({ jsonrpc: '2.0', id, result })(req, res)
}

const BAD: readonly (readonly [string, RequestListener, string])[] = [
  ['never answers', () => undefined, 'timeout'],
  ['breaks off', (req) => void req.socket.destroy(), 'reset'],
  ['answers a page', (_, res) => void res.writeHead(200, { 'content-type': 'text/html' }).end('<html>'), 'protocol'],
  ['answers somebody else', json({ jsonrpc: '2.0', id: 'other', result: { tools: [] } }), 'protocol'],
  ['answers no JSON', json('{"jsonrpc":'), 'protocol'],
  ['sends us elsewhere', (_, res) => void res.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), 'redirect'],
  ['fails', (_, res) => void res.writeHead(500).end(), 'upstream_error'],
]

describe.each(BAD)('a server that %s', (_what, handle, reason) => {
  it('is named as unavailable, and takes nothing from the others', async () => {
    const bad = await server(handle)
    const gateway = await gatewayOver(bad.url)
    const token = await gateway.tokenFor('*')
    expect(shown(await listTools(`${gateway.url}/mcp`, token))).toEqual({
      names: GOOD,
      unavailable: [{ server: 'bad', reason }],
    })
    const called = await callTool(`${gateway.url}/mcp`, token, 'good__read_note')
    expect(called.body['result']).toBeDefined()
    const unknown = await callTool(`${gateway.url}/mcp`, token, 'bad__read_note')
    expect(unknown.body['error']).toMatchObject({ message: 'Unknown tool: bad__read_note' })
  })
})

describe('a hung server', () => {
  it('is not waited for twice, nor asked again at once; when it is back, its tools are', async () => {
    const bad = await server(() => undefined)
    const gateway = await gatewayOver(bad.url)
    const token = await gateway.tokenFor('*')
    const list = async () => shown(await listTools(`${gateway.url}/mcp`, token))
    await list()
    const before = bad.requests()
    expect((await list()).names).toEqual(GOOD)
    expect(bad.requests()).toBe(before)
    bad.use(healthy)
    const later = async () => {
      gateway.clock.advance('6s')
      return (await list()).names
    }
    await expect.poll(later).toEqual(['bad__back', ...GOOD])
    expect((await list()).unavailable).toBeUndefined()
  })

  it('is nothing to callers who cannot see it: they are not told, and do not wait', async () => {
    const bad = await server(() => undefined)
    const gateway = await gatewayOver(bad.url, {
      policy: {
        rules: [
          { allow: ['good/*'], to: ['*'] },
          { allow: ['bad/*'], to: ['group:engineering'] },
        ],
      },
    })
    const bob = await gateway.tokenFor('*', { user: BOB })
    expect(shown(await listTools(`${gateway.url}/mcp`, bob))).toEqual({ names: GOOD, unavailable: undefined })
    expect(bad.requests()).toBe(0)
    const ann = await gateway.tokenFor('*')
    expect(shown(await listTools(`${gateway.url}/mcp`, ann)).unavailable).toEqual([
      { server: 'bad', reason: 'timeout' },
    ])
  })
})

describe('a server that goes away later', () => {
  it('keeps its place in the list, and its calls fail by themselves', async () => {
    const leaving = await startCanary()
    const gateway = await gatewayOver(leaving.url)
    const token = await gateway.tokenFor('*')
    const list = async () => shown(await listTools(`${gateway.url}/mcp`, token))
    expect((await list()).names).toHaveLength(6)
    await leaving.close()
    gateway.clock.advance('5m')
    expect(await list()).toEqual({
      names: expect.arrayContaining(['bad__read_note', ...GOOD]),
      unavailable: [{ server: 'bad', reason: 'connect' }],
    })
    const failed = await callTool(`${gateway.url}/mcp`, token, 'bad__read_note')
    expect([failed.status, failed.body['error']]).toEqual([502, expect.objectContaining({ code: -32603 })])
    expect((await callTool(`${gateway.url}/mcp`, token, 'good__read_note')).body['result']).toBeDefined()
  })
})
