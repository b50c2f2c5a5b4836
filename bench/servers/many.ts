// Many MCP servers of 2026-07-28 in one process, by path: /COUNT/NUMBER has COUNT tools, `tool_0` and so on; /hung never answers.
import { createServer } from 'node:http'

const TEXT = 'A tool that answers with a paragraph of plain text. '.repeat(40).slice(0, 1900)
const SCHEMA = {
  type: 'object',
  properties: { message: { type: 'string', description: 'What to say.' }, count: { type: 'integer', minimum: 1 } },
  required: ['message'],
}
const describe = (at: number) => ({
  name: `tool_${at}`,
  description: 'Says what it is told, as often as it is told, and never anything else.',
  inputSchema: SCHEMA,
})

function resultOf(method: string, count: number): object {
  const whole = { resultType: 'complete', ttlMs: 3_600_000, cacheScope: 'public' }
  if (method === 'server/discover') return { ...whole, supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }
  if (method === 'tools/list') return { ...whole, tools: Array.from({ length: count }, (_, at) => describe(at)) }
  return { resultType: 'complete', content: [{ type: 'text', text: TEXT }] }
}

const server = createServer((req, res) => {
  if (req.url === '/hung') return
  if (req.method !== 'POST') return void res.writeHead(405).end()
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString()) as { id: unknown; method: string }
    const result = resultOf(method, Number(req.url?.split('/')[1]))
    const body = JSON.stringify({ jsonrpc: '2.0', id, result })
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
  })
})
server.keepAliveTimeout = 120_000
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('ready\n'))
