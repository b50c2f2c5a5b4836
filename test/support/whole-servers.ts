// The whole fixture on each wire that there is: Streamable HTTP in either era, HTTP+SSE of 2024-11-05, WebSocket. A session, stream or
// connection has a server of its own.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { toNodeHandler } from '@modelcontextprotocol/node'
import {
  createMcpHandler,
  type JSONRPCMessage,
  type McpHttpHandler,
  type McpServer,
  type Transport,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import { type WebSocket, WebSocketServer } from 'ws'
import { createWholeFixture, newWaits, type Waits } from './fixture/whole.ts'

export interface WholeServer {
  readonly url: string
  readonly waits: Waits
  close(): Promise<void>
}

/** MCP 2026-07-28 and nothing else: one server a request. */
export async function startWholeModern(): Promise<WholeServer> {
  const waits = newWaits()
  const changes = {
    tools: () => handler.notify.toolsChanged(),
    prompts: () => handler.notify.promptsChanged(),
    resource: (uri: string) => handler.notify.resourceUpdated(uri),
  }
  const handler: McpHttpHandler = createMcpHandler(() => createWholeFixture(changes, waits), { legacy: 'reject' })
  const http = await listening(overFetch((request) => handler.fetch(request)))
  return {
    url: `${http.url}/mcp`,
    waits,
    async close() {
      await handler.close()
      await http.close()
    },
  }
}

/** The handshake revisions and nothing else, with sessions. */
export async function startWholeLegacy(): Promise<WholeServer> {
  const waits = newWaits()
  const create = lasting(waits)
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>()
  async function begin(): Promise<WebStandardStreamableHTTPServerTransport> {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    })
    await create().connect(transport)
    return transport
  }
  const http = await listening(
    overFetch(async (request) => {
      const id = request.headers.get('mcp-session-id')
      if (id === null) return (await begin()).handleRequest(request)
      return sessions.get(id)?.handleRequest(request) ?? Response.json({}, { status: 404 })
    }),
  )
  return { url: `${http.url}/mcp`, waits, close: http.close }
}

/** HTTP+SSE of 2024-11-05. */
export async function startWholeSse(): Promise<WholeServer> {
  const waits = newWaits()
  const create = lasting(waits)
  const open = new Map<string, Transport>()
  async function stream(res: ServerResponse): Promise<void> {
    const id = randomUUID()
    const transport: Transport = {
      start: async () => void res.writeHead(200, { 'content-type': 'text/event-stream' }),
      send: async (message) => void res.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`),
      close: async () => void res.end(),
    }
    open.set(id, transport)
    res.once('close', () => {
      open.delete(id)
      transport.onclose?.()
    })
    await create().connect(transport)
    res.write(`event: endpoint\ndata: /messages?session=${id}\n\n`)
  }
  async function post(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const transport = open.get(new URL(req.url ?? '', 'http://localhost').searchParams.get('session') ?? '')
    const message = JSON.parse(await text(req)) as JSONRPCMessage
    res.writeHead(transport ? 202 : 404).end()
    transport?.onmessage?.(message)
  }
  const http = await listening((req, res) => void (req.method === 'GET' ? stream(res) : post(req, res)))
  return { url: `${http.url}/sse`, waits, close: http.close }
}

export async function startWholeSocket(): Promise<WholeServer> {
  const waits = newWaits()
  const create = lasting(waits)
  const http = await listening((_, res) => void res.writeHead(426).end())
  const sockets = new WebSocketServer({
    server: http.server,
    handleProtocols: (offered) => offered.has('mcp') && 'mcp',
  })
  sockets.on('connection', (socket) => void create().connect(socketTransport(socket)))
  return {
    url: `${http.url.replace('http', 'ws')}/mcp`,
    waits,
    async close() {
      for (const socket of sockets.clients) socket.terminate()
      await http.close()
    },
  }
}

function socketTransport(socket: WebSocket): Transport {
  const transport: Transport = {
    start: async () => {
      socket.on('message', (data) => transport.onmessage?.(JSON.parse(String(data)) as JSONRPCMessage))
      socket.once('close', () => transport.onclose?.())
    },
    send: async (message) => socket.send(JSON.stringify(message)),
    close: async () => socket.close(),
  }
  return transport
}

/** Servers of lasting wires: a change is told on each of them, that of a resource where it was subscribed to. */
function lasting(waits: Waits): () => McpServer {
  const open = new Map<McpServer, Set<string>>()
  const changes = {
    tools() {
      for (const server of open.keys()) server.sendToolListChanged()
    },
    prompts() {
      for (const server of open.keys()) server.sendPromptListChanged()
    },
    resource(uri: string) {
      for (const [server, uris] of open) if (uris.has(uri)) void server.server.sendResourceUpdated({ uri })
    },
  }
  return () => {
    const uris = new Set<string>()
    const server = createWholeFixture(changes, waits)
    open.set(server, uris)
    server.server.onclose = () => void open.delete(server)
    server.server.setRequestHandler('resources/subscribe', ({ params }) => {
      uris.add(params.uri)
      return {}
    })
    server.server.setRequestHandler('resources/unsubscribe', ({ params }) => {
      uris.delete(params.uri)
      return {}
    })
    return server
  }
}

function overFetch(fetch: (request: Request) => Promise<Response>): RequestListener {
  const handle = toNodeHandler({ fetch })
  return (req, res) => void handle(Object.assign(req, { method: req.method ?? 'GET', url: req.url ?? '/' }), res)
}

async function listening(listener: RequestListener) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
