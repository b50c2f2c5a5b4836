// An upstream that believes everything and writes it down: attacks are judged by what reached it, or did not.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export interface CanaryRequest {
  readonly method: string
  readonly url: string
  /** Names and values by turns, as they came. */
  readonly rawHeaders: readonly string[]
  /** Complete once the request is; empty while its head alone has arrived. */
  readonly body: Buffer
  readonly trailers: readonly string[]
}

export interface CanaryRefusal {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
}

interface Offered {
  readonly tools?: readonly string[]
  readonly prompts?: readonly string[]
  /** What it answers a request that it does not take. */
  refuses?(request: CanaryRequest): CanaryRefusal | undefined
}

export interface Canary {
  readonly url: string
  /** In the order in which their heads arrived, unfinished ones included; without what the gate asks by itself, to learn what we speak. */
  readonly requests: readonly CanaryRequest[]
  close(): Promise<void>
}

/** What the canary can do: enough for a rule that allows one, refuses one and hides one. */
export const CANARY_TOOLS = ['read_note', 'write_note', 'delete_note'] as const

type Recorded = { -readonly [Member in keyof CanaryRequest]: CanaryRequest[Member] }
type Message = { id?: unknown; method?: unknown; params?: Record<string, unknown> }

export async function startCanary(offered: Offered = {}): Promise<Canary> {
  const requests: Recorded[] = []
  const server = createServer(async (req, res) => {
    const { method = '', url = '', rawHeaders } = req
    const seen: Recorded = { method, url, rawHeaders, body: Buffer.alloc(0), trailers: [] }
    requests.push(seen)
    seen.body = await readBody(req)
    seen.trailers = req.rawTrailers
    if (isOfTheGate(req, seen)) requests.splice(requests.indexOf(seen), 1)
    const refused = offered.refuses?.(seen)
    if (refused === undefined) answer(seen, res, offered)
    else res.writeHead(refused.status, refused.headers).end()
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('No port.')
  return {
    url: `http://127.0.0.1:${address.port}/mcp`,
    requests,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** It asks once, and whatever goes on for a caller has that caller's request id: a request without one that says anything else counts. */
function isOfTheGate({ headers, method }: IncomingMessage, { body }: Recorded): boolean {
  if (headers['x-request-id'] !== undefined) return false
  if (method === 'DELETE') return body.length === 0
  return /"method":"(?:server\/discover|initialize|notifications\/initialized)"/.test(body.toString())
}

/** What arrived until the end, or until the other side broke off. */
async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise((resolve) => req.once('close', resolve).once('end', resolve))
  return Buffer.concat(chunks)
}

function answer({ method, body }: CanaryRequest, res: ServerResponse, offered: Offered): void {
  if (method === 'DELETE') return void res.writeHead(200).end()
  if (method !== 'POST') return void res.writeHead(405, { Allow: 'POST, DELETE' }).end()
  const message = parseMessage(body)
  if (message === undefined) return void res.writeHead(400).end()
  if (message.id === undefined) return void res.writeHead(202).end()
  const session = message.method === 'initialize' ? { 'Mcp-Session-Id': 'canary-session' } : {}
  res.writeHead(200, { 'Content-Type': 'application/json', ...session })
  res.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: resultOf(message, offered) }))
}

function parseMessage(body: Buffer): Message | undefined {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null ? (value as Message) : undefined
  } catch {
    return undefined
  }
}

function resultOf(
  { method, params = {} }: Message,
  { tools = CANARY_TOOLS, prompts }: Offered,
): Record<string, unknown> {
  const meta = params['_meta']
  const modern = typeof meta === 'object' && meta !== null && 'io.modelcontextprotocol/protocolVersion' in meta
  const wire = modern ? { resultType: 'complete' } : {}
  const cached = modern ? { ttlMs: 0, cacheScope: 'private' } : {}
  const capabilities = { tools: {}, ...(prompts !== undefined && { prompts: {} }) }
  switch (method) {
    case 'initialize':
      return { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'canary', version: '1.0.0' } }
    case 'server/discover':
      return { ...wire, ...cached, supportedVersions: ['2026-07-28'], capabilities }
    case 'ping':
      return wire
    case 'tools/list':
      return { ...wire, ...cached, tools: tools.map(describeTool) }
    case 'prompts/list':
      return { ...wire, ...cached, prompts: (prompts ?? []).map((name) => ({ name })) }
    case 'prompts/get':
      return { ...wire, messages: [{ role: 'user', content: { type: 'text', text: String(params['name']) } }] }
    default:
      return { ...wire, content: [{ type: 'text', text: JSON.stringify({ method, params }) }] }
  }
}

const describeTool = (name: string) => ({ name, description: `${name} of the canary`, inputSchema: { type: 'object' } })
