// An MCP server that answers every call with the same 2 KB, and does nothing else: `echo.ts PORT` speaks the handshake era over Streamable
// HTTP (/mcp), HTTP+SSE of 2024-11-05 (/sse) and WebSocket (/ws); `echo.ts stdio` over stdio, and `echo.ts modern` 2026-07-28 over stdio.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'
import { WebSocketServer } from 'ws'

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: { readonly protocolVersion?: string }
}

const [, , way = ''] = process.argv
const isModern = way === 'modern'
const text = 'A tool that answers with a paragraph of plain text. '.repeat(40).slice(0, 1900)
const serverInfo = { name: 'echo', version: '1' }
const capabilities = { tools: {} }
const tools = [{ name: 'tool_0', description: 'Says a paragraph.', inputSchema: { type: 'object' } }]
const complete = isModern ? { resultType: 'complete' } : {}
const listed = isModern ? { ...complete, ttlMs: 3_600_000, cacheScope: 'public' } : {}

function resultOf({ method, params }: Message): object | undefined {
  if (method === 'tools/call') return { ...complete, content: [{ type: 'text', text }] }
  if (method === 'tools/list') return { ...listed, tools }
  if (method === 'ping') return {}
  if (method === 'server/discover' && isModern)
    return { ...listed, supportedVersions: ['2026-07-28'], capabilities, serverInfo }
  if (method === 'initialize' && !isModern)
    return { protocolVersion: params?.protocolVersion ?? '2025-11-25', capabilities, serverInfo }
  return undefined
}

/** `undefined` for what is not answered. */
function answerTo(line: string): string | undefined {
  const message = JSON.parse(line) as Message
  const { id } = message
  if (id === undefined) return undefined
  const result = resultOf(message)
  const error = { code: -32601, message: 'Method not found' }
  return JSON.stringify({ jsonrpc: '2.0', id, ...(result === undefined ? { error } : { result }) })
}

function speakLines(): void {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const answer = answerTo(line)
    if (answer !== undefined) process.stdout.write(`${answer}\n`)
  })
}

const streams = new Map<string, ServerResponse>()

function openEvents(res: ServerResponse): void {
  const session = randomUUID()
  streams.set(session, res)
  res.once('close', () => streams.delete(session))
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  res.write(`event: endpoint\ndata: /messages?session=${session}\n\n`)
}

function take(req: IncomingMessage, res: ServerResponse, body: string): void {
  const answer = answerTo(body)
  const events = req.url?.split('session=')[1]
  if (events !== undefined) {
    res.writeHead(202, { 'content-length': 0 }).end()
    if (answer !== undefined) streams.get(events)?.write(`event: message\ndata: ${answer}\n\n`)
    return
  }
  if (answer === undefined) return void res.writeHead(202, { 'content-length': 0 }).end()
  const session = req.headers['mcp-session-id'] ?? randomUUID()
  const length = Buffer.byteLength(answer)
  const head = { 'content-type': 'application/json', 'content-length': length, 'mcp-session-id': session }
  res.writeHead(200, head).end(answer)
}

function listen(port: number): void {
  const server = createServer((req, res) => {
    if (req.method === 'GET' && req.url === '/sse') return openEvents(res)
    if (req.method === 'DELETE') return void res.writeHead(200, { 'content-length': 0 }).end()
    if (req.method !== 'POST') return void res.writeHead(405).end()
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => take(req, res, Buffer.concat(chunks).toString()))
  })
  const sockets = new WebSocketServer({ server, path: '/ws' })
  sockets.on('connection', (socket) =>
    socket.on('message', (data) => {
      const answer = answerTo(String(data))
      if (answer !== undefined) socket.send(answer)
    }),
  )
  server.keepAliveTimeout = 120_000
  server.listen(port, '127.0.0.1', () => process.stdout.write('ready\n'))
}

if (way === 'stdio' || isModern) speakLines()
else listen(Number(way))
