// What a server of the handshake era asks in the middle of a call, in the answer to it or beside it; whose session it asks in.
import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import type { Ask } from '../../upstreams/upstream.ts'
import { type BridgeCall, createBridge } from './call.ts'
import type { ClientHello } from './hello.ts'
import { events, json, type Message, person, result, startServer } from './servers.support.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const hello = (capabilities: Record<string, unknown>): ClientHello => ({
  revision: '2026-07-28',
  capabilities,
  clientInfo: { name: 'c', version: '1' },
})
const ABLE = hello({ elicitation: { form: {} }, roots: { listChanged: true }, tasks: {} })

/** Opens sessions, keeps the GET stream of each, and asks what a tool's name says. */
async function asking() {
  const sessions: { id: string; capabilities: unknown }[] = []
  const streams = new Map<string, ServerResponse>()
  const waiting = new Map<unknown, (answer: Message) => void>()
  const heard: Message[] = []
  const question = (id: string) => ({ jsonrpc: '2.0', id, method: 'elicitation/create', params: { message: id } })
  const answerTo = (id: string) => new Promise<Message>((resolve) => waiting.set(id, resolve))
  const server = await startServer(async (message, req, res) => {
    const { method, params = {} } = message
    heard.push(message)
    if (method === 'server/discover') return void res.writeHead(404).end()
    if (method === 'initialize') {
      const id = `s${sessions.length + 1}`
      sessions.push({ id, capabilities: params['capabilities'] })
      const said = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } }
      return json(res, result(message, said), 200, { 'Mcp-Session-Id': id })
    }
    const session = String(req.headers['mcp-session-id'])
    if (method === 'GET') {
      streams.set(session, res)
      return events(res).flushHeaders()
    }
    if (method === undefined) waiting.get(message.id)?.(message)
    if (method !== 'tools/call') return void res.writeHead(202).end()
    const name = String(params['name'])
    events(res, { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } })
    const answers = name === 'both' ? Promise.all([answerTo('one'), answerTo('two')]) : Promise.all([answerTo(name)])
    if (name === 'both') events(res, question('one'), question('two'))
    else if (name.startsWith('beside')) events(streams.get(session) ?? res, question(name))
    else events(res, question(name))
    if (name === 'taken back')
      events(res, { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: name } })
    const all = name === 'taken back' ? [] : await answers
    events(res, result(message, { content: [], structuredContent: { session, all } })).end()
  })
  closing.push(server.close)
  return { ...server, sessions, heard }
}

async function bridgeTo(server: Awaited<ReturnType<typeof asking>>) {
  const bridge = createBridge({ clock: Date.now, report: () => undefined })
  closing.push(bridge.close)
  return async (name: string, ask: Ask | undefined, more: Partial<BridgeCall> = {}) => {
    const message = { jsonrpc: '2.0' as const, id: 'c', method: 'tools/call', params: { name } }
    const { signal } = new AbortController()
    const onNotification = () => undefined
    const call = { principal: person('ann'), message, hello: ABLE, signal, onNotification, ask, ...more }
    const response: RpcResponse = await bridge.bridgeCall(server.upstream, call)
    return (response.result as { structuredContent: { session: string; all: Message[] } }).structuredContent
  }
}

const accepting = (asked: RpcRequest[] = []): Ask => {
  return async (question) => {
    asked.push(question)
    return { jsonrpc: '2.0', id: question.id, result: { action: 'accept' } }
  }
}

describe('a question in the answer to a call', () => {
  it('is put to the client, several at once too, and answered in the session', async () => {
    const call = await bridgeTo(await asking())
    const asked: RpcRequest[] = []
    const { all } = await call('both', accepting(asked))
    expect(asked.map(({ params }) => params)).toEqual([{ message: 'one' }, { message: 'two' }])
    expect(all).toMatchObject([
      { id: 'one', result: { action: 'accept' } },
      { id: 'two', result: { action: 'accept' } },
    ])
  })

  it('that the server takes back is nobody’s any more', async () => {
    const call = await bridgeTo(await asking())
    const ended = Promise.withResolvers<void>()
    const { all } = await call('taken back', (_, until) => {
      until.addEventListener('abort', () => ended.resolve())
      return new Promise(() => undefined)
    })
    await ended.promise
    expect(all).toEqual([])
  })

  it('is refused where the client cannot answer it, and the server does not wait', async () => {
    const call = await bridgeTo(await asking())
    for (const ask of [undefined, () => undefined])
      expect((await call('plain', ask)).all).toMatchObject([{ id: 'plain', error: { code: -32601 } }])
  })

  it('ends with the call that the client cancels, which the server is told', async () => {
    const server = await asking()
    const call = await bridgeTo(server)
    const left = new AbortController()
    const ended = Promise.withResolvers<void>()
    const answer = call(
      'plain',
      (_, until) => {
        until.addEventListener('abort', () => ended.resolve())
        left.abort()
        return new Promise(() => undefined)
      },
      { signal: left.signal },
    )
    await expect(answer).rejects.toMatchObject({ reason: 'cancelled' })
    await ended.promise
    await expect.poll(() => server.heard.map(({ method }) => method)).toContain('notifications/cancelled')
  })
})

describe('a question beside all calls', () => {
  it('is put to the oldest call under way', async () => {
    const call = await bridgeTo(await asking())
    const [older, younger]: [RpcRequest[], RpcRequest[]] = [[], []]
    const begun = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const first = call('plain', async (question) => {
      older.push(question)
      if (question.id === 'plain') begun.resolve()
      if (question.id === 'plain') await release.promise
      return { jsonrpc: '2.0', id: question.id, result: { action: 'accept' } }
    })
    await begun.promise
    await call('beside', accepting(younger))
    release.resolve()
    await first
    expect([older.map(({ id }) => id), younger]).toEqual([['plain', 'beside'], []])
  })

  it('goes to the next where the oldest cannot answer, and to nobody where nobody can', async () => {
    const call = await bridgeTo(await asking())
    const asked: RpcRequest[] = []
    const begun = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const first = call('plain', ({ id }) => {
      if (id !== 'plain') return undefined
      begun.resolve()
      return release.promise.then(() => ({ jsonrpc: '2.0', id, result: { action: 'accept' } }))
    })
    await begun.promise
    expect((await call('beside us', accepting(asked))).all).toMatchObject([{ result: { action: 'accept' } }])
    expect((await call('beside both', () => undefined)).all).toMatchObject([{ error: { code: -32601 } }])
    release.resolve()
    await first
    expect(asked.map(({ id }) => id)).toEqual(['beside us'])
  })
})

describe('the sessions of a person', () => {
  it('are one for each way in which the client can be asked, and declare nothing else', async () => {
    const server = await asking()
    const call = await bridgeTo(server)
    const sessionOf = async (capabilities: Record<string, unknown>, who = 'ann', answers = true) =>
      (await call('plain', answers ? accepting() : undefined, { hello: hello(capabilities), principal: person(who) }))
        .session
    const first = await sessionOf({ elicitation: {}, roots: {}, tasks: {} })
    expect(await sessionOf({ roots: { listChanged: true }, elicitation: {} })).toBe(first)
    const others = [
      await sessionOf({ elicitation: {} }),
      await sessionOf({ elicitation: { url: {} } }),
      await sessionOf({ elicitation: {}, roots: {} }, 'bob'),
      await sessionOf({ elicitation: {}, roots: {} }, 'ann', false),
    ]
    expect(new Set([first, ...others]).size).toBe(5)
    expect(server.sessions.map(({ capabilities }) => capabilities)).toEqual([
      { elicitation: {}, roots: {} },
      { elicitation: {} },
      { elicitation: { url: {} } },
      { elicitation: {}, roots: {} },
      {},
    ])
  })
})
