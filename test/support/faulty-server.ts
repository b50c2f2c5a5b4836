// A server behind the gate that does what a test tells it to, tool by tool: hangs, breaks off, drips, answers twice.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FaultyCall {
  /** As the gate wrote it. */
  readonly id: unknown
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

export interface FaultyServer {
  readonly port: number
  readonly url: string
  /** Tools that were called, in order. */
  readonly called: readonly string[]
  /** Calls whose connection ended before their answer had. */
  readonly abandoned: readonly string[]
  on(tool: string, act: (call: FaultyCall) => void): void
  close(): Promise<void>
}

/** Tools that nothing was said of answer at once. */
export async function startFaultyServer(port = 0): Promise<FaultyServer> {
  const acts = new Map<string, (call: FaultyCall) => void>()
  const called: string[] = []
  const abandoned: string[] = []
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const message = JSON.parse(Buffer.concat(chunks).toString() || '{}')
    const tool = String(message.params?.name ?? message.method ?? req.method)
    called.push(tool)
    res.on('close', () => {
      if (!res.writableFinished) abandoned.push(tool)
    })
    const act = acts.get(tool)
    if (act !== undefined) act({ id: message.id, req, res })
    else if (req.method === 'GET') res.writeHead(405).end()
    else if (message.id === undefined) res.writeHead(202).end()
    else json(res, resultOf(message.id, message.method))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const at = (server.address() as AddressInfo).port
  return {
    port: at,
    url: `http://127.0.0.1:${at}/mcp`,
    called,
    abandoned,
    on: (tool, act) => void acts.set(tool, act),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const resultOf = (id: unknown, method: string) =>
  method === 'server/discover'
    ? answer(id, {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {} },
        ttlMs: 0,
        cacheScope: 'private',
      })
    : answer(id)

export const answer = (id: unknown, result: object = { resultType: 'complete', content: [] }) => ({
  jsonrpc: '2.0',
  id,
  result,
})

export const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } }

export const json = (res: ServerResponse, body: unknown): void =>
  void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))

/** Opens an event stream; nothing is written yet. */
export const stream = (res: ServerResponse): ServerResponse =>
  res.writeHead(200, { 'content-type': 'text/event-stream' })

export const event = (message: unknown): string => `data: ${JSON.stringify(message)}\n\n`
