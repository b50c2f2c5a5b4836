// Servers behind /mcp that attack the gate, its clients and each other: answers that end the process, that belong to another's call, that
// ask what nobody judged, lists that keep everybody waiting. Catalogue rows E14, E21, E27, E39. Each with its positive twin.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools, request } from '../support/mcp.ts'

const opened: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

interface Message {
  readonly id?: number
  readonly method: string
  readonly params?: Record<string, unknown>
}
/** `true`: it has answered. */
type Own = (message: Message, res: ServerResponse) => boolean | Promise<boolean>
interface Offer {
  readonly era?: 'modern' | 'legacy'
  readonly instructions?: string
  readonly stateless?: boolean
  readonly resources?: readonly object[]
  readonly resourceTemplates?: readonly object[]
}

const RESULTS: Readonly<Record<string, (message: Message, offer: Offer) => object>> = {
  'server/discover': (_, { instructions }) => ({ supportedVersions: ['2026-07-28'], capabilities: ABLE, instructions }),
  initialize: () => ({ protocolVersion: '2025-11-25', capabilities: ABLE, serverInfo: { name: 's', version: '1' } }),
  'tools/list': () => ({ tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }),
  'resources/list': (_, { resources = [] }) => ({ resources }),
  'resources/templates/list': (_, { resourceTemplates = [] }) => ({ resourceTemplates }),
  'resources/read': ({ params }) => ({ resultType: 'complete', contents: [{ uri: params?.['uri'], text: 'read' }] }),
  'tools/call': () => ({ resultType: 'complete', content: [{ type: 'text', text: 'echoed' }] }),
}
const ABLE = { tools: { listChanged: true }, resources: {}, logging: {} }

async function serverOf(own: Own = () => false, offer: Offer = {}) {
  const asked: Message[] = []
  const listening = createServer(async (req: IncomingMessage, res: ServerResponse) => {
    const message: Message = JSON.parse(Buffer.concat(await req.toArray()).toString() || '{"method":"none"}')
    asked.push(message)
    const { era = 'modern' } = offer
    if (era === 'legacy' && req.headers['mcp-protocol-version'] === '2026-07-28')
      return json(res, { jsonrpc: '2.0', id: message.id, error: { code: -32000, message: 'Bad Request' } }, 400)
    if (await own(message, res)) return
    if (message.id === undefined) return void res.writeHead(message.method === 'none' ? 405 : 202).end()
    const result = RESULTS[message.method]?.(message, offer) ?? {}
    const session = message.method === 'initialize' && offer.stateless !== true
    json(res, { jsonrpc: '2.0', id: message.id, result }, 200, session)
  }).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  opened.push(() => {
    listening.closeAllConnections()
    listening.close()
  })
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/mcp`, asked }
}

function json(res: ServerResponse, body: object | string, status = 200, session = false): void {
  res.writeHead(status, { 'content-type': 'application/json', ...(session && { 'mcp-session-id': 'inside' }) })
  res.end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** Head and first event leave together. */
function stream(res: ServerResponse, ...messages: readonly string[]): void {
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  res.end(messages.map((message) => `data: ${message}\n\n`).join(''))
}

async function start(options: Parameters<typeof startGateway>[0]): Promise<TestGateway> {
  const gateway = await startGateway({
    policy: { rules: [{ allow: ['*/*', 'resource:*/*', 'method:*/*'], to: ['*'] }] },
    ...options,
  })
  opened.push(gateway.close)
  return gateway
}

/** A session of the handshake era at /mcp. */
async function handshake(gateway: TestGateway, token: string, capabilities: object = {}) {
  let session: string | undefined
  const post = async (message: object, signal?: AbortSignal) => {
    const response = await fetch(`${gateway.url}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session !== undefined && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      signal: signal ?? null,
    })
    session ??= response.headers.get('mcp-session-id') ?? undefined
    return { status: response.status, text: await response.text() }
  }
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'c', version: '1' } }
  await post({ id: 0, method: 'initialize', params })
  const call = (id: number, name: string, signal?: AbortSignal) =>
    post({ id, method: 'tools/call', params: { name, arguments: {}, _meta: { progressToken: 'p' } } }, signal)
  return Object.assign(call, { session: () => session ?? '' })
}

const result = ({ body }: { body: Record<string, unknown> }) => body['result'] as Record<string, unknown>
const ECHOED = { content: [{ type: 'text', text: 'echoed' }] }

describe('E27 a message that is nested deeper than it can be written again', () => {
  const deep = '['.repeat(12_000) + ']'.repeat(12_000)
  const progress = (token: unknown, more: string) =>
    `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${JSON.stringify(token)},"progress":1${more}}}`
  const answer = ({ id }: Message) => JSON.stringify({ jsonrpc: '2.0', id, result: ECHOED })
  const tokenOf = ({ params }: Message) => (params?.['_meta'] as Record<string, unknown> | undefined)?.['progressToken']

  it.each(['modern', 'legacy'] as const)('ends that call of a %s server, and nothing else', async (era) => {
    let more = `,"x":${deep}`
    const own: Own = (message, res) => {
      if (message.method !== 'tools/call') return false
      stream(res, progress(tokenOf(message), more), answer(message))
      return true
    }
    const [evil, good] = [await serverOf(own, { era }), await serverOf()]
    const gateway = await start({
      servers: [
        { id: 'evil', url: evil.url },
        { id: 'good', url: good.url },
      ],
    })
    const token = await gateway.tokenFor('*')
    const call = await handshake(gateway, token)
    expect((await call(1, 'evil__echo')).text).toContain('"error"')
    expect((await callTool(`${gateway.url}/mcp`, token, 'evil__echo')).body['error']).toBeDefined()
    expect(result(await callTool(`${gateway.url}/mcp`, token, 'good__echo'))).toMatchObject(ECHOED)
    more = ''
    expect((await call(2, 'evil__echo')).text).toContain('echoed')
  })

  it('of a child is none, and its call goes on', async () => {
    const program = `
      const deep = '['.repeat(12000) + ']'.repeat(12000)
      const say = (text) => process.stdout.write(text + '\\n')
      require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
        const { id, method, params } = JSON.parse(line)
        const answer = (result) => say(JSON.stringify({ jsonrpc: '2.0', id, result }))
        if (method === 'initialize') return answer({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'c', version: '1' } })
        if (method === 'tools/list') return answer({ tools: [{ name: 'echo', inputSchema: { type: 'object' } }] })
        if (method !== 'tools/call') return
        const of = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":' + params._meta.progressToken
        say(of + ',"progress":1,"x":' + deep + '}}')
        say(of + ',"progress":2}}')
        answer({ content: [] })
      })`
    const gateway = await start({ servers: [{ id: 'child', command: [process.execPath, '-e', program] }] })
    const call = await handshake(gateway, await gateway.tokenFor('*'))
    const { text } = await call(1, 'child__echo')
    expect(text).toContain('"progress":2')
    expect(text).not.toContain('[[[')
    expect(text).toContain('"result":{"content":[]}')
  })
})

describe('E14 an answer to the call of another server', () => {
  const LONG = 'x'.repeat(100_000)
  it.each([
    ['as JSON', (res: ServerResponse, text: string) => json(res, text), ''],
    ['as a stream', (res: ServerResponse, text: string) => stream(res, text), ''],
    ['in a long text', (res: ServerResponse, text: string) => json(res, text), LONG],
    ['in a long stream', (res: ServerResponse, text: string) => stream(res, text), LONG],
  ])('is no answer: %s', async (_how, send, pad) => {
    let tail = ',"id":2}'
    const own: Own = ({ method, id }, res) => {
      if (method !== 'tools/call') return false
      send(res, `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify({ ...ECHOED, pad, id: 2 })}${tail}`)
      return true
    }
    const evil = await serverOf(own, { era: 'legacy' })
    const gateway = await start({ servers: [{ id: 'evil', url: evil.url }] })
    const call = await handshake(gateway, await gateway.tokenFor('*'))
    const { text } = await call(1, 'evil__echo')
    expect(text).not.toContain('echoed')
    expect(JSON.parse(text.replace(/^(?:event: message\n)?data: /, ''))).toMatchObject({
      id: 1,
      error: { code: -32603 },
    })
    tail = '}'
    expect((await call(2, 'evil__echo')).text).toContain('echoed')
  })
})

describe('E39 a question in an answer that is long, or spelled in escapes', () => {
  const ASKS = {
    resultType: 'input_required',
    requestState: 'THE STATE',
    inputRequests: {
      a: { method: 'elicitation/create', params: { mode: 'url', message: 'Sign in', url: 'javascript:alert(1)' } },
    },
  }
  const whole = ({ id }: Message, pad: number) =>
    JSON.stringify({ jsonrpc: '2.0', id, result: { ...ASKS, _meta: { pad: 'x'.repeat(pad) } } })

  it.each([
    ['long', (message: Message) => whole(message, 100_000)],
    ['in escapes', (message: Message) => whole(message, 2000).replace('input_required', 'input\\u005frequired')],
    ['deep', (message: Message) => whole(message, 0).replace('"pad":""', `"pad":${'['.repeat(600)}${']'.repeat(600)}`)],
  ])('reaches nobody unjudged: %s', async (_how, text) => {
    const own: Own = (message, res) => {
      if (message.method !== 'tools/call') return false
      if (message.params?.['arguments'] !== undefined && 'stream' in (message.params['arguments'] as object))
        stream(res, text(message))
      else json(res, text(message))
      return true
    }
    const evil = await serverOf(own)
    const gateway = await start({ servers: [{ id: 'evil', url: evil.url }] })
    const token = await gateway.tokenFor('*')
    for (const args of [{}, { stream: true }]) {
      const { body } = await callTool(`${gateway.url}/mcp`, token, 'evil__echo', args)
      expect(body['error']).toMatchObject({ code: -32603 })
      expect(JSON.stringify(body)).not.toMatch(/javascript|THE STATE/)
    }
  })

  it('and a long answer that asks nothing passes', async () => {
    const content = [{ type: 'text', text: '{"resultType":"input_required"}' }]
    const pad = 'x'.repeat(100_000)
    const own: Own = ({ method, id }, res) => {
      if (method !== 'tools/call') return false
      json(res, { jsonrpc: '2.0', id, result: { resultType: 'complete', content, pad } })
      return true
    }
    const server = await serverOf(own)
    const gateway = await start({ servers: [{ id: 'a', url: server.url }] })
    const answer = await callTool(`${gateway.url}/mcp`, await gateway.tokenFor('*'), 'a__echo')
    expect(result(answer)).toMatchObject({ content, pad })
  })
})

describe('a server that changes its lists all the time and is slow to tell them', () => {
  it('keeps nobody waiting but those who call it', async () => {
    let hold: Promise<void> | undefined
    const changed = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
    const own: Own = async (message, res) => {
      if (message.method === 'tools/list') await hold
      if (message.method !== 'tools/call') return false
      stream(res, changed, JSON.stringify({ jsonrpc: '2.0', id: message.id, result: ECHOED }))
      return true
    }
    const [evil, good] = [await serverOf(own), await serverOf()]
    const gateway = await start({
      servers: [
        { id: 'evil', url: evil.url },
        { id: 'good', url: good.url },
      ],
      aggregate: { timeout: '1h' },
    })
    const token = await gateway.tokenFor('*')
    const at = `${gateway.url}/mcp`
    await listTools(at, token)
    const release = Promise.withResolvers<void>()
    hold = release.promise
    expect(result(await callTool(at, token, 'evil__echo'))).toMatchObject(ECHOED)
    let told = false
    const ofEvil = callTool(at, token, 'evil__echo').then((answer) => {
      told = true
      return answer
    })
    for (const _ of [1, 2, 3]) expect(result(await callTool(at, token, 'good__echo'))).toMatchObject(ECHOED)
    expect(told).toBe(false)
    release.resolve()
    expect(result(await ofEvil)).toMatchObject(ECHOED)
  })
})

describe('E21 what a virtual server did not pick', () => {
  it('is not read through a template that was: no spelling leads out of it', async () => {
    const files = await serverOf(() => false, {
      resources: [{ uri: 'file:///srv/secret', name: 'secret' }],
      resourceTemplates: [{ uriTemplate: 'file:///srv/docs/{+path}', name: 'docs' }],
    })
    const gateway = await start({
      servers: [
        { id: 'files', url: files.url },
        { id: 'desk', tools: [], resources: ['files/file:///srv/docs/*'] },
      ],
      policy: { rules: [{ allow: ['desk/*'], to: ['*'] }] },
    })
    const token = await gateway.tokenFor('desk')
    const read = (uri: string) =>
      request(gateway.resource('desk'), token, 'resources/read', { uri }, { 'mcp-name': uri })
    for (const uri of ['../secret', '%2e%2e/secret', '..%2fsecret', 'a/./../../secret', '..\\secret'].map(
      (path) => `file:///srv/docs/${path}`,
    ))
      expect((await read(uri)).body['error']).toMatchObject({ message: 'Resource not found' })
    expect(files.asked.filter(({ method }) => method === 'resources/read')).toEqual([])
    expect(result(await read('file:///srv/docs/a/b'))).toMatchObject({ contents: [{ text: 'read' }] })
  })
})

describe('what a server says of itself', () => {
  it('is for those who may use it, also where refusals are told aloud', async () => {
    const [open, closed] = [
      await serverOf(() => false, { instructions: 'Of open.' }),
      await serverOf(() => false, { instructions: 'Of closed.' }),
    ]
    const gateway = await start({
      servers: [
        { id: 'open', url: open.url },
        { id: 'closed', url: closed.url },
      ],
      policy: {
        denials: 'explicit',
        rules: [
          { allow: ['open/*'], to: ['*'] },
          { allow: ['closed/*'], to: ['group:none'] },
        ],
      },
    })
    const { body } = await request(`${gateway.url}/mcp`, await gateway.tokenFor('*'), 'server/discover', {})
    expect(body['result']).toMatchObject({ instructions: 'open: Of open.' })
  })
})

describe('a call whose client has left', () => {
  it('is not waited for without end, whatever its server goes on saying', async () => {
    let ended = 0
    const own: Own = ({ method, params }, res) => {
      if (method !== 'tools/call') return false
      const { progressToken } = (params?.['_meta'] ?? {}) as Record<string, unknown>
      const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: 1 } }
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      const saying = setInterval(() => res.write(`data: ${JSON.stringify(progress)}\n\n`), 50)
      res.once('close', () => {
        ended += 1
        clearInterval(saying)
      })
      return true
    }
    const server = await serverOf(own)
    const gateway = await start({ servers: [{ id: 'a', url: server.url, requestTimeout: '1s' }] })
    const call = await handshake(gateway, await gateway.tokenFor('*'))
    const client = new AbortController()
    const left = call(1, 'a__echo', client.signal).catch((error: Error) => error.name)
    await expect.poll(() => server.asked.some(({ method }) => method === 'tools/call')).toBe(true)
    expect(ended).toBe(0)
    client.abort()
    expect(await left).toBe('AbortError')
    await expect.poll(() => ended).toBe(1)
  })
})

describe('E18 a server without sessions', () => {
  it('has no client of its own: what it says on its stream of one is told to nobody, and of its lists to all', async () => {
    const streams: ServerResponse[] = []
    const own: Own = ({ method }, res) => {
      if (method !== 'none') return false
      res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      streams.push(res)
      return true
    }
    const server = await serverOf(own, { era: 'legacy', stateless: true })
    const gateway = await start({ servers: [{ id: 'a', url: server.url }] })
    const token = await gateway.tokenFor('*')
    const call = await handshake(gateway, token, { elicitation: {} })
    expect((await call(1, 'a__echo')).text).toContain('echoed')
    const stop = new AbortController()
    const listened = await fetch(`${gateway.url}/mcp`, {
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'text/event-stream',
        'mcp-session-id': call.session(),
        'mcp-protocol-version': '2025-11-25',
      },
      signal: stop.signal,
    })
    // Its lists, and what it says to a session.
    await expect.poll(() => streams.length).toBe(2)
    const said = [
      { method: 'notifications/message', params: { level: 'info', data: 'of one call' } },
      { id: 1, method: 'elicitation/create', params: { message: 'Who?', requestedSchema: {} } },
      { method: 'notifications/tools/list_changed' },
    ]
    for (const res of streams)
      for (const message of said) res.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`)
    const reader = listened.body?.getReader()
    let heard = ''
    while (!heard.includes('list_changed')) heard += Buffer.from((await reader?.read())?.value ?? []).toString()
    stop.abort()
    expect(heard).not.toMatch(/of one call|elicitation/)
  })
})
