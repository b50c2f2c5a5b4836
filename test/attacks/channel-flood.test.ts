// A client that asks faster than anybody answers fills its own buffers, not the gate's: RFC 6455 has no flow control but that of TCP.
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { MOST_RUNNING } from '../../src/mcp/lasting.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { toolCall } from '../support/range.ts'
import { socketUrl } from '../support/websocket.ts'

/** More than the buffers of both kernels hold. */
const CALLS = 4000
const TEXT = 'x'.repeat(10_000)
/** What one read of the socket has brought is handed on whole. */
const MOST = MOST_RUNNING + Math.ceil(65_536 / TEXT.length)

/** An upstream whose answers wait until they are let go. */
const waiting: (() => void)[] = []
let holds = true
let upstream: Server
let gateway: TestGateway

beforeAll(async () => {
  upstream = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString())
    // It speaks the handshake revisions alone.
    if (method === 'server/discover') res.writeHead(400).end()
    else if (holds && method === 'tools/call') waiting.push(() => answer(res, id))
    else answer(res, id)
  })
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const { port } = upstream.address() as AddressInfo
  gateway = await startGateway({ servers: [{ id: 'slow', url: `http://127.0.0.1:${port}/mcp` }] })
})
afterAll(async () => {
  await gateway?.close()
  upstream?.closeAllConnections()
  upstream?.close()
})

function answer(res: ServerResponse, id: unknown): void {
  res.writeHead(200, { 'Content-Type': 'application/json' })
  res.end(JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } }))
}

it('reads no further than so many calls of one WebSocket at a time, and all of them in the end', async () => {
  const socket = new WebSocket(socketUrl(`${gateway.url}/servers/slow/ws`), {
    headers: { Authorization: `Bearer ${await gateway.tokenFor('slow')}` },
  })
  await once(socket, 'open')
  const answered = new Set<unknown>()
  socket.on('message', (data) => answered.add(JSON.parse(String(data)).id))
  for (let id = 1; id <= CALLS; id++) socket.send(toolCall('legacy', 'any', JSON.stringify({ TEXT }), String(id)))

  await expect.poll(() => waiting.length).toBeGreaterThanOrEqual(MOST_RUNNING)
  // The rest stands in the sender's own memory: nothing leaves it any more.
  let before = -1
  await expect
    .poll(
      () => {
        const still = socket.bufferedAmount === before
        before = socket.bufferedAmount
        return still
      },
      { interval: 300 },
    )
    .toBe(true)
  expect(waiting.length).toBeLessThanOrEqual(MOST)
  expect(before).toBeGreaterThan((CALLS * TEXT.length) / 2)

  holds = false
  for (const letGo of waiting.splice(0)) letGo()
  await expect.poll(() => answered.size, { timeout: 30_000 }).toBe(CALLS)
  socket.close()
})
