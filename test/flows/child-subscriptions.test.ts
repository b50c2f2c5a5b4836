// A child process knows one subscriber, the gate: whoever wants to hear of a resource, at its own address or at /mcp, is counted together.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'

/** Answers everything, and says in a tool what it was asked. */
const CHILD = `
  const asked = []
  const offer = { protocolVersion: '2025-11-25', capabilities: { tools: {}, resources: { subscribe: true } }, serverInfo: { name: 'c' } }
  const results = {
    'initialize': () => offer,
    'tools/list': () => ({ tools: [{ name: 'asked', inputSchema: { type: 'object' } }] }),
    'resources/list': () => ({ resources: [{ uri: 'file:///docs', name: 'docs' }] }),
    'tools/call': () => ({ content: [{ type: 'text', text: asked.join() }] }),
  }
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line)
    if (/subscribe/.test(method)) asked.push(method.slice('resources/'.length))
    if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result: results[method]?.() ?? {} }))
  })`

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startGateway({
    servers: [{ id: 'child', command: [process.execPath, '-e', CHILD] }],
    policy: { rules: [{ allow: ['*/*', 'resource:*/*', 'method:*/*'], to: ['*'] }] },
  })
})
afterAll(() => gateway?.close())

/** A session of the handshake era, as a function that asks in it. */
async function begin(url: string, token: string) {
  let session: string | null = null
  const post = async (method: string, params: object): Promise<unknown> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
        ...(session !== null && { 'mcp-session-id': session }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    session ??= response.headers.get('mcp-session-id')
    expect(response.status).toBe(200)
    return ((await response.json()) as { result: unknown }).result
  }
  await post('initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'c', version: '1' },
  })
  return post
}

const DOCS = { uri: 'file:///docs' }

it.each([
  ['at /mcp', '*', 'child'],
  ['at its own address', 'child', '*'],
])('who leaves %s takes nothing from who stays elsewhere', async (_where, leaving, staying) => {
  const server = 'child'
  const [leaves, stays] = [
    await begin(gateway.resource(leaving), await gateway.tokenFor(leaving, { user: ANN })),
    await begin(gateway.resource(staying), await gateway.tokenFor(staying, { user: BOB })),
  ]
  const asked = async () => {
    const ask = staying === server ? stays : leaves
    const { content } = (await ask('tools/call', { name: 'asked', arguments: {} })) as { content: { text: string }[] }
    return content[0]?.text.split(',').filter((word) => word === 'unsubscribe').length
  }
  const before = (await asked()) ?? 0
  await leaves('resources/subscribe', DOCS)
  await stays('resources/subscribe', DOCS)
  await leaves('resources/unsubscribe', DOCS)
  expect(await asked()).toBe(before)
  await stays('resources/unsubscribe', DOCS)
  expect(await asked()).toBe(before + 1)
})
