// An MCP server that wants a token of its own with everything, the handshake included, as remote servers do. It speaks both eras without
// sessions, and says whose token it was shown.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface TokenGuarded {
  readonly url: string
  /** Person by token. */
  readonly tokens: Map<string, string>
  /** What arrived: method and `Authorization`. */
  readonly seen: { readonly method: string; readonly authorization: string | undefined; readonly body: string }[]
  close(): Promise<void>
}

const TOOLS = ['whoami', 'echo'].map((name) => ({
  name,
  description: name,
  inputSchema: { type: 'object', properties: {} },
}))

export async function startTokenGuarded(tokens: Record<string, string> = {}): Promise<TokenGuarded> {
  const known = new Map(Object.entries(tokens))
  const seen: TokenGuarded['seen'] = []
  const server = createServer(async (req, res) => {
    const body = await textOf(req)
    const message = parse(body)
    const { authorization } = req.headers
    seen.push({ method: message.method ?? req.method ?? '', authorization, body })
    const person = known.get(authorization?.replace(/^Bearer /, '') ?? '')
    if (person === undefined) return void res.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
    if (req.method !== 'POST') return void res.writeHead(405).end()
    if (message.id === undefined) return void res.writeHead(202).end()
    send(res, message.id, answer(message, person))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    tokens: known,
    seen,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: Record<string, unknown>
}

function answer({ method, params }: Message, person: string): object | undefined {
  const caching = { ttlMs: 0, cacheScope: 'private' }
  const complete = { resultType: 'complete' }
  const serverInfo = { name: 'token-guarded', version: '1' }
  const capabilities = { tools: {} }
  if (method === 'initialize') return { protocolVersion: params?.['protocolVersion'], capabilities, serverInfo }
  if (method === 'server/discover')
    return { ...complete, ...caching, supportedVersions: ['2026-07-28', '2025-11-25'], capabilities, serverInfo }
  if (method === 'tools/list') return { ...complete, ...caching, tools: TOOLS }
  if (method === 'tools/call') return { ...complete, content: [{ type: 'text', text: said(params, person) }] }
  return undefined
}

const said = (params: Message['params'], person: string): string =>
  params?.['name'] === 'echo' ? JSON.stringify(params) : person

function send(res: ServerResponse, id: unknown, result: object | undefined): void {
  const error = { code: -32601, message: 'Method not found' }
  res.writeHead(result === undefined ? 404 : 200, { 'content-type': 'application/json' })
  res.end(JSON.stringify({ jsonrpc: '2.0', id, ...(result === undefined ? { error } : { result }) }))
}

function parse(body: string): Message {
  return body === '' ? {} : (JSON.parse(body) as Message)
}

async function textOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
