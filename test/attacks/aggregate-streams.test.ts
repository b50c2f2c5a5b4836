// Nobody hears, answers, cancels or resumes what is another's at /mcp: catalogue rows E12, E14, E15, E18, E27, E37 and E39, through the
// gateway's own port. Each with its positive twin.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'

type Json = Record<string, unknown>

/** A server of the handshake era that does what its test says in the middle of a call, and keeps what it is told. */
interface Hostile {
  readonly url: string
  readonly posted: Json[]
  /** `Last-Event-ID` of those who listened. */
  readonly resumed: unknown[]
  /** GET streams by session. */
  readonly streams: Map<string, ServerResponse>
  onCall(message: Json, say: (message: object) => void, session: string): Promise<void>
  close(): Promise<void>
}

async function startHostile(name: string): Promise<Hostile> {
  let sessions = 0
  const hostile: Hostile = {
    url: '',
    posted: [],
    resumed: [],
    streams: new Map(),
    onCall: async () => undefined,
    close,
  }
  const results: Readonly<Record<string, object>> = {
    'tools/list': { tools: [{ name: 'act', inputSchema: { type: 'object' } }] },
    'resources/list': { resources: [{ uri: `${name}://docs`, name: 'docs' }] },
    'resources/templates/list': { resourceTemplates: [] },
  }
  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const session = String(req.headers['mcp-session-id'])
    if (req.method === 'GET') {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      hostile.streams.set(session, res)
      if (req.headers['last-event-id'] !== undefined) hostile.resumed.push(req.headers['last-event-id'])
      return
    }
    const message = JSON.parse(Buffer.concat(await req.toArray()).toString() || '{}') as Json
    const { id, method } = message
    if ('method' in message || 'id' in message) hostile.posted.push({ ...message, session })
    const sendJson = (result: unknown, headers = {}) =>
      res
        .writeHead(200, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    if (
      message['params'] !== undefined &&
      JSON.stringify(message['params']).includes('2026-07-28') &&
      method !== 'initialize'
    ) {
      res.writeHead(400, { 'content-type': 'application/json' })
      res.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32000, message: 'Bad Request' } }))
    } else if (method === 'initialize') {
      const capabilities = { tools: { listChanged: true }, resources: { subscribe: true, listChanged: true } }
      const introduction = { protocolVersion: '2025-11-25', capabilities, serverInfo: { name, version: '1' } }
      sendJson(introduction, { 'mcp-session-id': `${name}-${++sessions}` })
    } else if (id === undefined || method === undefined) res.writeHead(202).end()
    else if (method === 'tools/call') {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      await hostile.onCall(
        message,
        (said) => res.write(`id: 1\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...said })}\n\n`),
        session,
      )
      res.end(
        `data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: session }] } })}\n\n`,
      )
    } else sendJson(results[String(method)] ?? {})
  }
  const server = createServer((req, res) => void serve(req, res).catch(() => res.destroy()))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  async function close(): Promise<void> {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return Object.assign(hostile, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` })
}

let open: Hostile
let shut: Hostile
let gateway: TestGateway
const tokens = new Map<string, string>()
beforeAll(async () => {
  ;[open, shut] = await Promise.all([startHostile('open'), startHostile('shut')])
  gateway = await startGateway({
    servers: [
      { id: 'open', url: open.url },
      { id: 'shut', url: shut.url },
    ],
    policy: {
      rules: [
        { allow: ['open/*', 'resource:open/*', 'method:open/*'], to: ['*'] },
        { allow: ['shut/*', 'resource:shut/*', 'method:shut/*'], to: ['group:engineering'] },
      ],
    },
  })
  tokens.set('ann', await gateway.tokenFor('*', { user: ANN }))
  tokens.set('bob', await gateway.tokenFor('*', { user: BOB }))
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([open?.close(), shut?.close()])
})
beforeEach(() => {
  for (const server of [open, shut]) {
    server.posted.length = 0
    server.onCall = async () => undefined
  }
})
const streams: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const stream of streams.splice(0)) await stream.close()
})

const headersOf = (person: string, session?: string): Record<string, string> => ({
  authorization: `Bearer ${tokens.get(person)}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2025-11-25',
  ...(session !== undefined && { 'mcp-session-id': session }),
})

const post = (person: string, session: string | undefined, message: object) =>
  fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: headersOf(person, session),
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  })

async function begin(person: string, capabilities: Json = { roots: {}, elicitation: { url: {} } }): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: person, version: '1' } }
  const response = await post(person, undefined, { id: 0, method: 'initialize', params })
  await response.text()
  return response.headers.get('mcp-session-id') ?? ''
}

/** What comes on a stream, as messages. */
function reading(response: Response, stop = new AbortController()) {
  const heard: Json[] = []
  const state = { text: '', over: false }
  const done = (async () => {
    let held = ''
    for await (const chunk of response.body ?? []) {
      const text = Buffer.from(chunk).toString()
      state.text += text
      const events = (held + text).split('\n\n')
      held = events.pop() ?? ''
      for (const event of events) {
        const data = /^data: (.+)$/m.exec(event)?.[1]
        if (data !== undefined) heard.push(JSON.parse(data))
      }
    }
  })()
    .catch(() => undefined)
    .finally(() => {
      state.over = true
    })
  const stream = {
    response,
    heard,
    state,
    done,
    async close() {
      stop.abort()
      await done
    },
  }
  streams.push(stream)
  return stream
}

async function listen(person: string, session: string, headers: Record<string, string> = {}) {
  const stop = new AbortController()
  const init = { headers: { ...headersOf(person, session), ...headers }, signal: stop.signal }
  return reading(await fetch(`${gateway.url}/mcp`, init), stop)
}

const act = (person: string, session: string, server = 'open', id: number | string = 1, meta?: object) =>
  post(person, session, {
    id,
    method: 'tools/call',
    params: { name: `${server}__act`, arguments: {}, ...(meta && { _meta: meta }) },
  })

async function until(holds: () => boolean): Promise<void> {
  for (let left = 4000; !holds(); left--) {
    if (left === 0) throw new Error('It never came true.')
    await delay(5)
  }
}

const responsesAt = (server: Hostile) => server.posted.filter((message) => !('method' in message))

describe('a question in the middle of a call', () => {
  /** Ann's call, in which the server asks something and waits. */
  async function asked(question: object = { id: 7, method: 'roots/list' }) {
    const session = await begin('ann')
    const wait = Promise.withResolvers<void>()
    open.onCall = async (_, say) => {
      say(question)
      await wait.promise
    }
    const call = reading(await act('ann', session))
    return { session, call, finish: wait.resolve }
  }

  it('is answered by the one who was asked, and the server hears it in the session of the call', async () => {
    const { session, call, finish } = await asked()
    await until(() => call.heard.length === 1)
    const { id } = call.heard[0] ?? {}
    expect(id).not.toBe(7)
    expect((await post('ann', session, { id, result: { roots: [] } })).status).toBe(202)
    finish()
    await call.done
    const text = (call.heard[1] as { result: { content: { text: string }[] } }).result.content[0]?.text
    expect(responsesAt(open)).toEqual([{ jsonrpc: '2.0', id: 7, result: { roots: [] }, session: text }])
    expect(call.state.text).not.toMatch(/^id:/m)
  })

  it('is answered by nobody else: another person, another session, a made-up id (rows E12, E14, E37)', async () => {
    const { session, call, finish } = await asked()
    await until(() => call.heard.length === 1)
    const { id } = call.heard[0] ?? {}
    const [ofBob, second] = [await begin('bob'), await begin('ann')]
    expect((await post('bob', session, { id, result: {} })).status).toBe(404)
    for (const [person, at] of [
      ['bob', ofBob],
      ['ann', second],
    ] as const)
      expect((await post(person, at, { id, result: {} })).status).toBe(202)
    for (const made of [7, '7', 'AAAA', String(id).slice(0, -2)])
      expect((await post('ann', session, { id: made, result: {} })).status).toBe(202)
    expect([...responsesAt(open), ...responsesAt(shut)]).toEqual([])
    expect((await post('ann', session, { id, error: { code: -1, message: 'No.' } })).status).toBe(202)
    expect((await post('ann', session, { id, result: {} })).status).toBe(202)
    expect(responsesAt(open)).toHaveLength(1)
    finish()
  })

  it.each(['javascript:alert(1)', 'http://evil.example/', 'https://a@evil.example/'])(
    'sends nobody to %s (row E39)',
    async (url) => {
      const params = { mode: 'url', url, elicitationId: 'e', message: 'Sign in.' }
      const { call, finish } = await asked({ id: 7, method: 'elicitation/create', params })
      await until(() => responsesAt(open).length === 1)
      expect(responsesAt(open)[0]).toMatchObject({ id: 7, error: { code: -32602 } })
      finish()
      await call.done
      expect(call.heard.map((message) => Object.keys(message))).toEqual([['jsonrpc', 'id', 'result']])
    },
  )

  it('sends nobody anywhere in a message too long to be read (row E39)', async () => {
    const message = 'x'.repeat(400_000)
    const params = { message, mode: 'url', url: 'javascript:alert(1)', elicitationId: 'e' }
    const { call, finish } = await asked({ id: 7, method: 'elicitation/create', params })
    await until(() => responsesAt(open).length === 1)
    finish()
    await call.done
    expect(call.state.text).not.toContain('javascript:')
    expect(call.heard).toHaveLength(1)
  })

  it('sends people to a page with https, as the server wrote it', async () => {
    const params = { mode: 'url', url: 'https://login.example.com/?x=1', elicitationId: 'e', message: 'Sign in.' }
    const { call, finish } = await asked({ id: 7, method: 'elicitation/create', params })
    await until(() => call.heard.length === 1)
    expect(call.heard[0]).toMatchObject({ method: 'elicitation/create', params })
    finish()
  })
})

describe('a cancellation', () => {
  it('ends the call of the session that sent it, and no other with the same id (row E37)', async () => {
    const [ofAnn, ofBob] = [await begin('ann'), await begin('bob')]
    const wait = Promise.withResolvers<void>()
    open.onCall = () => wait.promise
    const calls = [act('ann', ofAnn, 'open', 5), act('bob', ofBob, 'open', 5)]
    await until(() => open.posted.filter(({ method }) => method === 'tools/call').length === 2)
    const cancel = (person: string, session: string, requestId: unknown) =>
      post(person, session, { method: 'notifications/cancelled', params: { requestId } })
    expect((await cancel('bob', ofAnn, 5)).status).toBe(404)
    expect((await cancel('bob', ofBob, 6)).status).toBe(202)
    expect((await cancel('bob', ofBob, '5')).status).toBe(202)
    const cancelled = () => open.posted.filter(({ method }) => method === 'notifications/cancelled')
    expect((await cancel('ann', ofAnn, 5)).status).toBe(202)
    await until(() => cancelled().length > 0)
    const callOf = (nth: number) => open.posted.filter(({ method }) => method === 'tools/call')[nth]?.['session']
    expect(cancelled()).toHaveLength(1)
    expect([callOf(0), callOf(1)]).toContain(cancelled()[0]?.['session'])
    expect(shut.posted.filter(({ method }) => method === 'notifications/cancelled')).toEqual([])
    wait.resolve()
    const texts = await Promise.all((await Promise.all(calls)).map((response) => response.text()))
    // Ann's is the one that was told.
    expect(texts[0]).toContain(String(cancelled()[0]?.['session']))
    expect(texts[1]).not.toContain(String(cancelled()[0]?.['session']))
  })
})

describe('progress', () => {
  it('is told of the call that asked for it, and forged tokens are not (row E37)', async () => {
    const session = await begin('ann')
    open.onCall = async (_, say) => {
      for (const progressToken of ['p', 'other', 1, undefined])
        say({ method: 'notifications/progress', params: { progressToken, progress: 1 } })
    }
    const call = reading(await act('ann', session, 'open', 1, { progressToken: 'p' }))
    await call.done
    expect(call.heard.slice(0, -1).map(({ params }) => params)).toEqual([{ progressToken: 'p', progress: 1 }])
    const without = reading(await act('ann', session, 'open', 2))
    await without.done
    expect(without.heard).toHaveLength(1)
  })

  it('is all that a client of the other era hears beside its answer: nothing of others, nothing unknown (row E18)', async () => {
    const others: Json[] = [
      { method: 'notifications/resources/updated', params: { uri: 'open://docs' } },
      { method: 'notifications/tools/list_changed' },
      { method: 'notifications/message', params: { level: 'error', data: 'of another' } },
      { method: 'notifications/progress', params: { progressToken: 'p', progress: 2 } },
      { method: 'notifications/cancelled', params: { requestId: 1 } },
      { method: 'notifications/unheard-of', params: {} },
    ]
    open.onCall = async ({ params }, say) => {
      const { progressToken } = (params as { _meta: Json })._meta
      for (const message of others) say(message)
      say({ method: 'notifications/progress', params: { progressToken, progress: 1 } })
    }
    const name = 'open__act'
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
      progressToken: 'p',
    }
    const response = await fetch(`${gateway.url}/mcp`, {
      method: 'POST',
      headers: {
        ...headersOf('ann'),
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': name,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name, arguments: {}, _meta: meta },
      }),
    })
    const call = reading(response)
    await call.done
    expect(call.heard).toMatchObject([
      { method: 'notifications/progress', params: { progressToken: 'p', progress: 1 } },
      { id: 1, result: { resultType: 'complete' } },
    ])
  })
})

describe('the stream of a session', () => {
  it('is opened by its owner alone (row E12)', async () => {
    const session = await begin('ann')
    expect((await listen('bob', session)).response.status).toBe(404)
    const forged = `${session.slice(0, -4)}${session.at(-4) === 'A' ? 'B' : 'A'}${session.slice(-3)}`
    expect((await listen('ann', forged)).response.status).toBe(404)
    expect((await listen('ann', session)).response.status).toBe(200)
  })

  it('says nothing of a server that its caller does not see (row E18)', async () => {
    const [ofAnn, ofBob] = [await begin('ann'), await begin('bob')]
    const [ann, bob] = [await listen('ann', ofAnn), await listen('bob', ofBob)]
    const changed = `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })}\n\n`
    const say = (server: Hostile) => {
      for (const stream of server.streams.values()) stream.write(changed)
    }
    await until(() => open.streams.size > 0 && shut.streams.size > 0)
    say(shut)
    await until(() => ann.heard.length > 0)
    expect(bob.heard).toEqual([])
    say(open)
    await until(() => bob.heard.length > 0)
    expect(bob.heard[0]).toEqual({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
  })

  it('carries what is said in the session of its own client, and nobody else’s', async () => {
    const [ofAnn, ofBob] = [await begin('ann'), await begin('bob')]
    const [ann, bob] = [await listen('ann', ofAnn), await listen('bob', ofBob)]
    const leg = async (person: string, session: string) =>
      /"text":"([^"]+)"/.exec(await (await act(person, session)).text())?.[1] ?? ''
    const [legOfAnn, legOfBob] = [await leg('ann', ofAnn), await leg('bob', ofBob)]
    expect(legOfAnn).not.toBe(legOfBob)
    const log = (data: string) => ({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } })
    await until(() => open.streams.has(legOfAnn) && open.streams.has(legOfBob))
    for (const [session, data] of [
      [legOfAnn, 'to ann'],
      [legOfBob, 'to bob'],
    ] as const)
      open.streams.get(session)?.write(`id: 9\ndata: ${JSON.stringify(log(data))}\n\n`)
    await until(() => ann.heard.length === 1 && bob.heard.length === 1)
    expect([ann.heard, bob.heard]).toEqual([[log('to ann')], [log('to bob')]])
    // Row E15: nothing to resume from, and nothing is.
    expect(ann.state.text).not.toMatch(/^id:/m)
    const before = open.streams.get(legOfBob)
    const again = await listen('bob', ofBob, { 'last-event-id': '9' })
    await until(() => bob.state.over && open.streams.get(legOfBob) !== before)
    open.streams.get(legOfBob)?.write(`data: ${JSON.stringify(log('new'))}\n\n`)
    await until(() => again.heard.length > 0)
    expect(again.heard).toEqual([log('new')])
    expect(open.resumed).toEqual([])
  })

  it('ends with the session', async () => {
    const session = await begin('ann')
    const stream = await listen('ann', session)
    const ended = await fetch(`${gateway.url}/mcp`, { method: 'DELETE', headers: headersOf('ann', session) })
    expect(ended.status).toBe(200)
    await until(() => stream.state.over)
    expect((await listen('ann', session)).response.status).toBe(404)
  })
})

describe('a lying answer (row E27)', () => {
  it.each([
    ['the answer to another id', { id: 99, result: {} }],
    ['a call and an answer in one', { id: 1, method: 'roots/list', result: {} }],
  ])('%s becomes one error, and the next call is served', async (_what, lie) => {
    const session = await begin('ann')
    open.onCall = async (_, say) => say(lie)
    const call = reading(await act('ann', session))
    await call.done
    expect(call.heard).toHaveLength(1)
    expect(call.heard[0]).toMatchObject({ id: 1, error: { code: -32603 } })
    open.onCall = async () => undefined
    expect(await (await act('ann', session, 'open', 2)).text()).toContain('"text"')
  })
})
