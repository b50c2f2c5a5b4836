import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { readBody } from '../http/body.ts'
import type { Exchange } from '../http/exchange.ts'
import { openConversation } from './conversation.ts'

type Serve = (exchange: Exchange) => Promise<void>

/** A server of the handshake era, as the door in front of it answers. */
function legacyServer(over: Partial<Record<string, Serve>> = {}) {
  const seen: { method: string; rpc: string; session: unknown; revision: unknown; credential: unknown }[] = []
  const serve: Serve = async (exchange) => {
    const { req, res } = exchange
    const body = req.method === 'POST' ? JSON.parse((await readBody(exchange, 1e6, 1000)).toString()) : undefined
    const rpc = body?.method ?? ''
    seen.push({
      method: req.method ?? '',
      rpc,
      session: req.headers['mcp-session-id'],
      revision: req.headers['mcp-protocol-version'],
      credential: req.headers.authorization,
    })
    const own = over[rpc] ?? over[req.method ?? '']
    if (own !== undefined) return own(exchange)
    if (req.method === 'GET') return void res.writeHead(405).end()
    if (rpc === 'initialize') {
      const text = JSON.stringify({ jsonrpc: '2.0', id: body.id, result: { protocolVersion: '2025-06-18' } })
      return void res.writeHead(200, ['content-type', 'application/json', 'mcp-session-id', 'sealed']).end(text)
    }
    if (body?.id === undefined) return void res.writeHead(202, ['content-length', '0']).end()
    const text = JSON.stringify({ jsonrpc: '2.0', id: body.id, result: { said: rpc } })
    res.writeHead(200, ['content-type', 'application/json']).end(text)
  }
  return { serve, seen }
}

function talk(serve: Serve) {
  const sent: unknown[] = []
  const ends: string[] = []
  const errors: unknown[] = []
  const req = new IncomingMessage(new Socket())
  req.headers = { authorization: 'Bearer t', 'sec-websocket-key': 'k', 'mcp-session-id': 'forged' }
  req.rawHeaders = ['Authorization', 'Bearer t', 'Sec-WebSocket-Key', 'k', 'Mcp-Session-Id', 'forged']
  const outer = { req, path: '/ws', query: '', id: 'x', address: '', viaProxy: false, at: 0 } as unknown as Exchange
  const conversation = openConversation({
    serve: (exchange) => serve(exchange),
    server: 's',
    path: '/servers/s/mcp',
    channel: {
      send(message, taken) {
        sent.push(JSON.parse(message.toString()))
        taken()
      },
      end: (reason) => ends.push(reason),
    },
    newId: () => 'inner',
    clock: () => 0,
    onError: (error) => errors.push(error),
    maxMessage: 1000,
    most: 2,
    mostBytes: 10_000,
  })
  return {
    say: (message: unknown) => conversation.receive(outer, Buffer.from(JSON.stringify(message))),
    conversation,
    outer,
    sent,
    ends,
    errors,
  }
}

const HELLO = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25' } }

describe('a conversation', () => {
  it('makes one request of every message, with the session and revision that the handshake gave', async () => {
    const server = legacyServer()
    const { say, sent } = talk(server.serve)
    await Promise.all([say(HELLO), say({ jsonrpc: '2.0', method: 'notifications/initialized' })])
    await say({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    expect(sent).toEqual([
      { jsonrpc: '2.0', id: 0, result: { protocolVersion: '2025-06-18' } },
      { jsonrpc: '2.0', id: 1, result: { said: 'tools/list' } },
    ])
    const credential = 'Bearer t'
    expect(server.seen).toEqual([
      { method: 'POST', rpc: 'initialize', session: undefined, revision: undefined, credential },
      { method: 'POST', rpc: 'notifications/initialized', session: 'sealed', revision: '2025-06-18', credential },
      { method: 'GET', rpc: '', session: 'sealed', revision: '2025-06-18', credential },
      { method: 'POST', rpc: 'tools/list', session: 'sealed', revision: '2025-06-18', credential },
    ])
  })

  it('carries the stream of the server alone, and no request of its client', async () => {
    const carried: unknown[] = []
    const server = legacyServer()
    const { say } = talk(async (exchange) => {
      carried.push([exchange.req.method, exchange.carried])
      await server.serve(exchange)
    })
    await Promise.all([say(HELLO), say({ jsonrpc: '2.0', method: 'notifications/initialized' })])
    expect(carried).toEqual([
      ['POST', undefined],
      ['POST', undefined],
      ['GET', true],
    ])
  })

  it('hands on each event of a stream as one message', async () => {
    const events =
      'data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n: still here\n\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'
    const server = legacyServer({
      'tools/call': async ({ res }) => {
        res.writeHead(200, ['content-type', 'text/event-stream'])
        res.write(events.slice(0, 20))
        res.end(events.slice(20))
      },
    })
    const { say, sent } = talk(server.serve)
    await say({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    expect(sent).toEqual([
      { jsonrpc: '2.0', method: 'notifications/progress' },
      { jsonrpc: '2.0', id: 1, result: {} },
    ])
  })

  it('tells of a mistake of ours in the stream of the server, and ends with it', async () => {
    const mistake = new TypeError('ours')
    const server = legacyServer({ GET: () => Promise.reject(mistake) })
    const { say, ends, errors } = talk(server.serve)
    await say(HELLO)
    await say({ jsonrpc: '2.0', method: 'notifications/initialized' })
    await expect.poll(() => [errors, ends]).toEqual([[mistake], ['failed']])
  })

  it('rejects with a mistake of ours in a message, and is not ended by a refusal', async () => {
    const mistake = new TypeError('ours')
    const server = legacyServer({ 'tools/call': () => Promise.reject(mistake) })
    const { say, ends, sent } = talk(server.serve)
    await expect(say({ jsonrpc: '2.0', id: 1, method: 'tools/call' })).rejects.toBe(mistake)
    await say({ jsonrpc: '2.0', id: 2, method: 'tools/list' })
    expect([sent, ends]).toEqual([[{ jsonrpc: '2.0', id: 2, result: { said: 'tools/list' } }], []])
  })

  it('makes a JSON-RPC error of a refusal that is none, for whoever waits', async () => {
    const refuse: Serve = async ({ res }) =>
      void res.writeHead(403, ['content-type', 'application/json']).end('{"error":"Forbidden","message":"Not here."}')
    const { say, sent, ends } = talk(legacyServer({ 'tools/call': refuse, 'notifications/x': refuse }).serve)
    await say({ jsonrpc: '2.0', method: 'notifications/x' })
    expect(sent).toEqual([])
    await say({ jsonrpc: '2.0', id: 7, method: 'tools/call' })
    expect(sent).toEqual([{ jsonrpc: '2.0', id: 7, error: { code: -32000, message: 'Not here.' } }])
    expect(ends).toEqual([])
  })

  it('tells nobody of an answer to what it asked by itself, and of one to the client', async () => {
    const notMcp: Serve = async ({ res }) => {
      const error = { jsonrpc: '2.0', id: null, error: { code: -32700, message: 'Not MCP.' } }
      res.writeHead(502, ['content-type', 'application/json']).end(JSON.stringify(error))
    }
    const server = legacyServer({ GET: notMcp, 'tools/odd': notMcp })
    const { say, sent, ends, errors } = talk(server.serve)
    await say(HELLO)
    await say({ jsonrpc: '2.0', method: 'notifications/initialized' })
    await expect.poll(() => server.seen.filter(({ method }) => method === 'GET')).toHaveLength(1)
    await say({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    expect(sent.slice(1)).toEqual([{ jsonrpc: '2.0', id: 1, result: { said: 'tools/list' } }])
    await say({ jsonrpc: '2.0', method: 'tools/odd' })
    expect(sent.slice(2)).toEqual([{ jsonrpc: '2.0', id: null, error: { code: -32700, message: 'Not MCP.' } }])
    expect([ends, errors]).toEqual([[], []])
  })

  it('hears what the server says by itself, and ends where it may not listen any more', async () => {
    const said = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' }
    const heard = talk(
      legacyServer({
        GET: async ({ res }) =>
          void res.writeHead(200, ['content-type', 'text/event-stream']).end(`data: ${JSON.stringify(said)}\n\n`),
      }).serve,
    )
    await heard.say(HELLO)
    await heard.say({ jsonrpc: '2.0', method: 'notifications/initialized' })
    await expect.poll(() => heard.sent.slice(1)).toEqual([said])
    heard.conversation.end(heard.outer)
    const refused = talk(legacyServer({ GET: async ({ res }) => void res.writeHead(401).end() }).serve)
    await refused.say(HELLO)
    await refused.say({ jsonrpc: '2.0', method: 'notifications/initialized' })
    await expect.poll(() => refused.ends).toEqual(['unauthorized'])
  })

  it('ends when its credential is refused, and when a message is too large to hand on', async () => {
    const refused = talk(legacyServer({ ping: async ({ res }) => void res.writeHead(401).end() }).serve)
    await refused.say({ jsonrpc: '2.0', id: 1, method: 'ping' })
    expect(refused.ends).toEqual(['unauthorized'])
    const long = talk(
      legacyServer({
        ping: async ({ res }) => void res.writeHead(200, ['content-type', 'application/json']).end('x'.repeat(1001)),
      }).serve,
    )
    await long.say({ jsonrpc: '2.0', id: 1, method: 'ping' })
    expect(long.ends).toEqual(['too_large'])
  })

  it('is full while messages wait for a handshake, by number and by bytes', async () => {
    let answer: (() => void) | undefined
    const slow = talk(
      legacyServer({
        initialize: ({ res }) =>
          new Promise((resolve) => {
            answer = () => resolve(void res.writeHead(202).end())
          }),
      }).serve,
    )
    const first = slow.say(HELLO)
    expect(slow.conversation.isFull()).toBe(false)
    const second = slow.say({ jsonrpc: '2.0', method: 'notifications/initialized' })
    expect(slow.conversation.isFull()).toBe(true)
    await expect.poll(() => answer).toBeDefined()
    answer?.()
    await Promise.all([first, second])
    expect(slow.conversation.isFull()).toBe(false)
    const large = slow.say({ jsonrpc: '2.0', id: 1, method: 'ping', params: { text: 'x'.repeat(10_000) } })
    expect(slow.conversation.isFull()).toBe(true)
    await large
    expect(slow.conversation.isFull()).toBe(false)
  })

  it('gives up what runs and ends the session when the client goes', async () => {
    let gone = 0
    const server = legacyServer({
      'tools/call': ({ res }) => new Promise((resolve) => res.once('close', () => resolve(void gone++))),
    })
    const { say, conversation, outer, sent } = talk(server.serve)
    await say(HELLO)
    const call = say({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    const second = say({ jsonrpc: '2.0', id: 2, method: 'tools/call' })
    await expect.poll(() => server.seen.filter(({ rpc }) => rpc === 'tools/call')).toHaveLength(2)
    expect(conversation.isFull()).toBe(true)
    conversation.end(outer)
    await Promise.all([call, second])
    expect([gone, conversation.isFull()]).toEqual([2, false])
    expect(server.seen.at(-1)).toMatchObject({ method: 'DELETE', session: 'sealed' })
    await say({ jsonrpc: '2.0', id: 3, method: 'ping' })
    expect([sent.length, server.seen.filter(({ rpc }) => rpc === 'ping')]).toEqual([1, []])
  })
})
