// The MCP SDK's own client as a process that can be weighed: `sdk-client.ts MODE URL` or `sdk-client.ts MODE COMMAND ARGUMENT …`. Calls as
// often as it is asked to.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { paced, type Shape } from './pace.ts'

const [, , mode, first = '', ...rest] = process.argv
const client = new Client(
  { name: 'bench', version: '1' },
  { versionNegotiation: { mode: mode === 'modern' ? 'auto' : 'legacy' } },
)
await client.connect(
  first.startsWith('http')
    ? new StreamableHTTPClientTransport(new URL(first))
    : new StdioClientTransport({ command: first, args: rest }),
)

const message = 'Words that a person wrote and a tool shall read. '.repeat(40).slice(0, 1680)
const call = async (): Promise<boolean> => {
  const { content, isError } = await client.callTool({ name: 'tool_0', arguments: { message } })
  return isError !== true && content.length === 1
}

process.on('message', async (order: Shape | 'usage') => {
  // That one is the meter's.
  if (order !== 'usage') process.send?.(await paced(call, order))
})
// The meter lets the process end; orders come over the same channel.
process.channel?.ref()
process.stdout.write('ready\n')
