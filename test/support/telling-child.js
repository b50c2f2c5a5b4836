// An MCP server over stdin and stdout whose one tool tells what it was told: `_meta` of the call.
import { createInterface } from 'node:readline'

const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const RESULTS = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'telling', version: '1.0.0' },
  }),
  'tools/list': () => ({ tools: [{ name: 'tell', inputSchema: { type: 'object' } }] }),
  'tools/call': ({ _meta = null }) => ({ content: [{ type: 'text', text: JSON.stringify(_meta) }] }),
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params = {} } = JSON.parse(line)
  if (id !== undefined) say({ id, result: RESULTS[method]?.(params) ?? {} })
})
