// An MCP server over stdin and stdout that says its whole environment: on stderr, as a line that is no message, and to whoever calls.
import { createInterface } from 'node:readline'

const environment = JSON.stringify(process.env)
const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const RESULTS = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'talkative', version: '1.0.0' },
  }),
  'tools/list': () => ({ tools: [{ name: 'read', inputSchema: { type: 'object' } }] }),
  'tools/call': () => ({ content: [{ type: 'text', text: environment }] }),
}

process.stderr.write(`starting with ${environment}\n`)
process.stdout.write(`starting with ${environment}\n`)
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params = {} } = JSON.parse(line)
  if (id !== undefined) say({ id, result: RESULTS[method]?.(params) ?? {} })
})
