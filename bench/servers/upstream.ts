// The MCP server of 2026-07-28 behind every contender: reads the call, answers 2 KB of text, does nothing else.
import { createServer } from 'node:http'

const text = 'A tool that answers with a paragraph of plain text. '.repeat(40).slice(0, 1900)

const called = { resultType: 'complete', content: [{ type: 'text', text }] }
/** What the gate asks first, once in a while. */
const discovered = {
  resultType: 'complete',
  ttlMs: 3_600_000,
  cacheScope: 'public',
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: {} },
  serverInfo: { name: 'bench', version: '1' },
}

const server = createServer((req, res) => {
  if (req.method !== 'POST') return void res.writeHead(405).end()
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString()) as { id: unknown; method: string }
    const body = JSON.stringify({ jsonrpc: '2.0', id, result: method === 'server/discover' ? discovered : called })
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
  })
})
server.keepAliveTimeout = 120_000
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('ready\n'))
