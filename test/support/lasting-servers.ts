// MCP servers over WebSocket and over HTTP+SSE of 2024-11-05, as small as the protocol allows: each connection is a server of its own, and
// says in a tool what it was given.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { WebSocketServer } from 'ws'

type Message = Readonly<Record<string, unknown>>

interface Connection {
  readonly number: number
  readonly headers: IncomingHttpHeaders
  /** Of the last message, where a message has headers. */
  last: IncomingHttpHeaders
  /** What the client said it can do. */
  capabilities: unknown
  readonly pending: Map<unknown, (answer: Message) => void>
  say(message: Message): void
  drop(): void
}

export interface LastingServer {
  readonly url: string
  readonly port: number
  /** Heads of the handshakes or streams, in order. */
  readonly heads: readonly IncomingHttpHeaders[]
  /** Heads of posted messages. */
  readonly posts: readonly IncomingHttpHeaders[]
  open(): number
  /** Ends all connections; new ones are taken. */
  dropAll(): void
  close(): Promise<void>
}

const TOOLS = ['whoami', 'echo', 'ask', 'hold', 'big', 'drop', 'progress', 'capabilities']

async function callTool(connection: Connection, { name, arguments: args, _meta }: Record<string, unknown>) {
  const given = (args ?? {}) as Record<string, unknown>
  const meta = (_meta ?? {}) as Record<string, unknown>
  if (name === 'hold') return new Promise<string>(() => undefined)
  if (name === 'drop') connection.drop()
  if (name === 'big') return 'x'.repeat(Number(given['size']))
  if (name === 'capabilities') return JSON.stringify(connection.capabilities)
  if (name === 'whoami') {
    const { authorization, ...rest } = connection.headers
    const said = Object.entries({ ...rest, ...connection.last }).filter(([field]) => field.startsWith('x-'))
    return JSON.stringify({ connection: connection.number, authorization, ...Object.fromEntries(said), meta })
  }
  if (name === 'progress') {
    const params = { progressToken: meta['progressToken'], progress: 1 }
    connection.say({ jsonrpc: '2.0', method: 'notifications/progress', params })
  }
  if (name === 'ask') {
    const id = randomUUID()
    const answer = new Promise<Message>((resolve) => connection.pending.set(id, resolve))
    connection.say({ jsonrpc: '2.0', id, method: String(given['method'] ?? 'roots/list'), params: {} })
    const { result, error } = await answer
    return JSON.stringify(result ?? error)
  }
  return JSON.stringify(given)
}

async function take(connection: Connection, message: Message): Promise<void> {
  const { id, method } = message
  const params = (message['params'] ?? {}) as Record<string, unknown>
  if (method === undefined) {
    connection.pending.get(id)?.(message)
    return
  }
  if (id === undefined) return
  const say = (result: unknown) => connection.say({ jsonrpc: '2.0', id, result })
  if (method === 'initialize') {
    connection.capabilities = params['capabilities']
    say({ protocolVersion: '2024-11-05', capabilities: { tools: {} }, serverInfo: { name: 'lasting', version: '1' } })
  } else if (method === 'tools/list')
    say({ tools: TOOLS.map((name) => ({ name, description: name, inputSchema: { type: 'object' } })) })
  else if (method === 'tools/call') say({ content: [{ type: 'text', text: await callTool(connection, params) }] })
  else connection.say({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } })
}

const newConnection = (number: number, headers: IncomingHttpHeaders, wire: Pick<Connection, 'say' | 'drop'>) => ({
  number,
  headers,
  last: {},
  capabilities: undefined,
  pending: new Map<unknown, (answer: Message) => void>(),
  ...wire,
})

/** `accept`: status that the handshake or the stream is refused with, where it is. */
interface Options {
  accept?(headers: IncomingHttpHeaders): number | undefined
  readonly tls?: ServerOptions
}

export async function startSocketServer({ accept, tls }: Options = {}): Promise<LastingServer> {
  const heads: IncomingHttpHeaders[] = []
  const http = tls === undefined ? createServer() : createTlsServer(tls)
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => offered.has('mcp') && 'mcp' })
  http.on('upgrade', (req, socket, head) => {
    heads.push(req.headers)
    const status = accept?.(req.headers)
    if (status !== undefined) return socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`)
    return sockets.handleUpgrade(req, socket, head, (accepted) => {
      const connection = newConnection(heads.length, req.headers, {
        say: (message) => accepted.send(JSON.stringify(message)),
        drop: () => accepted.terminate(),
      })
      accepted.on('message', (data) => void take(connection, JSON.parse(String(data)) as Message))
    })
  })
  const port = await listen(http)
  const dropAll = () => {
    for (const socket of sockets.clients) socket.terminate()
  }
  return {
    url: `${tls === undefined ? 'ws' : 'wss'}://127.0.0.1:${port}/mcp`,
    port,
    heads,
    posts: [],
    open: () => sockets.clients.size,
    dropAll,
    close: () => closing(http, dropAll),
  }
}

export interface SseOptions extends Options {
  /** Data of the `endpoint` event; the session is added. */
  readonly endpoint?: string
  /** Status of the answer to a message. */
  readonly taken?: number
}

export async function startSseServer({ accept, endpoint = '/messages?session=', taken = 202, tls }: SseOptions = {}) {
  const heads: IncomingHttpHeaders[] = []
  const posts: IncomingHttpHeaders[] = []
  const open = new Map<string, { connection: Connection; res: ServerResponse }>()

  function openStream(req: IncomingMessage, res: ServerResponse): void {
    const session = randomUUID()
    heads.push(req.headers)
    const status = accept?.(req.headers)
    if (status !== undefined) return void res.writeHead(status).end()
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write(`event: endpoint\ndata: ${endpoint}${session}\n\n`)
    const say = (message: Message) => void res.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
    const connection = newConnection(heads.length, req.headers, { say, drop: () => res.destroy() })
    open.set(session, { connection, res })
    res.once('close', () => open.delete(session))
  }

  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    if (req.method === 'GET') return openStream(req, res)
    const session = new URL(req.url ?? '', 'http://localhost').searchParams.get('session') ?? ''
    const found = open.get(session)
    const body = await text(req)
    posts.push(req.headers)
    if (found === undefined) return res.writeHead(404).end()
    res.writeHead(taken).end('Accepted')
    found.connection.last = req.headers
    return void take(found.connection, JSON.parse(body) as Message)
  }
  const http = tls === undefined ? createServer(answer) : createTlsServer(tls, answer)
  const port = await listen(http)
  const dropAll = () => {
    for (const { res } of open.values()) res.destroy()
  }
  const server: LastingServer = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/sse`,
    port,
    heads,
    posts,
    open: () => open.size,
    dropAll,
    close: () => closing(http, dropAll),
  }
  return server
}

async function listen(http: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return (http.address() as AddressInfo).port
}

async function closing(http: ReturnType<typeof createServer>, dropAll: () => void): Promise<void> {
  dropAll()
  http.closeAllConnections()
  await new Promise((resolve) => http.close(resolve))
}
