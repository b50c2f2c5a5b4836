// A server that people bring accounts to, at its own address and among all others: what it says before its answer reaches whoever may hear
// it, its lists are read again when it says so, and the state it gives out is carried sealed. MCP 2026-07-28, Multi round-trip requests.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { listTools } from '../support/mcp.ts'

interface Params {
  readonly name?: string
  readonly requestState?: string
  readonly _meta?: { readonly progressToken?: string }
}

interface Said {
  readonly id?: number
  readonly result?: object
  readonly error?: object
}

const STATE = 'state-of-the-server'
const said: { method: string; params: Params }[] = []
let server: Server
let gateway: TestGateway
const tokens = new Map<string, string>()

const progress = (progressToken: unknown) => ({
  jsonrpc: '2.0',
  method: 'notifications/progress',
  params: { progressToken, progress: 1 },
})
const EVENTS = ({ _meta }: Params) => [
  progress(_meta?.progressToken),
  progress('of-another-call'),
  { jsonrpc: '2.0', method: 'notifications/tools/list_changed' },
  { jsonrpc: '2.0', method: 'notifications/of_the_server' },
]

function resultOf(method: string, { name, requestState }: Params): object {
  if (method === 'server/discover') return { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }
  if (method === 'tools/list')
    return {
      tools: ['talk', 'ask', 'lure'].map((each) => ({ name: each, inputSchema: { type: 'object' } })),
      ttlMs: 9e6,
    }
  const url = name === 'lure' ? 'javascript:alert(1)' : 'https://notes.example/agree'
  const question = { method: 'elicitation/create', params: { mode: 'url', message: 'Agree?', url } }
  if (name !== 'talk' && requestState === undefined)
    return { resultType: 'input_required', inputRequests: { agree: question }, requestState: STATE }
  return { resultType: 'complete', content: [{ type: 'text', text: `done with ${requestState}` }] }
}

beforeAll(async () => {
  server = createServer(async (req, res) => {
    if (req.method !== 'POST') return void res.writeHead(405).end()
    const { id, method, params = {} } = JSON.parse(await text(req)) as { id: number; method: string; params?: Params }
    said.push({ method, params })
    const answer = { jsonrpc: '2.0', id, result: resultOf(method, params) }
    if (params.name !== 'talk')
      return void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.end([...EVENTS(params), answer].map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  gateway = await startGateway({
    servers: [{ id: 'notes', url, credentials: { type: 'secret' } }],
    policy: { rules: [{ allow: ['*/*', 'method:*/*'], to: ['*'] }] },
  })
  const ann = await gateway.person(ANN.username)
  const page = await ann.follow(`${gateway.url}/connections/connect?server=notes`)
  expect((await ann.submit(page, /^connect$/i, { secret: 'hers' })).html).toContain('Connected')
  for (const at of ['notes', '*']) tokens.set(at, await gateway.tokenFor(at, { user: ann }))
})
afterAll(async () => {
  await gateway?.close()
  server?.close()
})

describe.each([
  ['notes', ''],
  ['*', 'notes__'],
])('at %s', (place, prefix) => {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { url: {} } },
    progressToken: 'mine',
  }
  /** All that comes before the answer, and the answer. */
  async function call(tool: string, more: object = {}): Promise<readonly Said[]> {
    const name = prefix + tool
    const params = { name, arguments: {}, _meta: meta, ...more }
    const response = await fetch(gateway.resource(place), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${tokens.get(place)}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': name,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    })
    const body = await response.text()
    const events = [...body.matchAll(/^data: ?(.*)$/gm)].map(([, data = '']) => data)
    return (events.length > 0 ? events : [body]).map((data) => JSON.parse(data) as Said)
  }
  const answerTo = async (tool: string, more?: object): Promise<Said> => (await call(tool, more)).at(-1) ?? {}
  const listings = () => said.filter(({ method }) => method === 'tools/list').length

  it('its caller hears what is of the call, and nothing else', async () => {
    const heard = await call('talk')
    expect(heard.slice(0, -1)).toEqual([
      progress('mine'),
      { jsonrpc: '2.0', method: 'notifications/tools/list_changed' },
    ])
    expect(heard.at(-1)).toMatchObject({ id: 1, result: { resultType: 'complete' } })
  })

  it('a list that has changed is read again, once', async () => {
    await listTools(gateway.resource(place), tokens.get(place))
    const before = listings()
    await listTools(gateway.resource(place), tokens.get(place))
    expect(listings()).toBe(before)
    await call('talk')
    await listTools(gateway.resource(place), tokens.get(place))
    expect(listings()).toBe(before + 1)
  })

  it('the state of its question comes back to it, and is shown to nobody', async () => {
    const { requestState } = (await answerTo('ask')).result as { requestState: string }
    expect(requestState).not.toContain(STATE)
    const inputResponses = { agree: { action: 'accept' } }
    const { result } = await answerTo('ask', { requestState, inputResponses })
    expect(result).toMatchObject({ content: [{ text: `done with ${STATE}` }] })
    expect((await answerTo('ask', { requestState: STATE, inputResponses })).error).toMatchObject({ code: -32602 })
  })

  it('nobody is led to what is no page', async () => {
    expect((await answerTo('ask')).result).toMatchObject({ resultType: 'input_required' })
    expect((await answerTo('lure')).error).toMatchObject({ code: -32603 })
  })
})
