// Whose answer it is: servers that answer one request twice, one behind, for another request, half, or half call and half answer. Catalogue
// rows E14 and E27 on one connection of HTTP/1.1, where an answer has no name of its own. Each with its positive twin.
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority } from '../support/authority.ts'
import { BOB, startGateway, type TestGateway } from '../support/gateway.ts'

const opened: (() => unknown)[] = []
const end = async () => {
  for (const close of opened.splice(0).reverse()) await close()
}

interface Asked {
  readonly id: number | string
  readonly method: string
  readonly nonce: string
  /** That of a good server. */
  readonly answer: string
}
/** What it writes on a connection, which is all that it knows of its callers. */
type Own = (asked: Asked, socket: Socket, connection: { owed?: string }) => void

const json = (text: string, status = '200 OK') =>
  `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
const events = (text: string) => {
  const event = `data: ${text}\n\n`
  return `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: ${Buffer.byteLength(event)}\r\n\r\n${event}`
}

interface Message {
  readonly id?: number | string
  readonly method: string
  readonly params?: { readonly arguments?: { readonly nonce?: string } }
}

/** Over bare sockets: a library would not write what this one writes. */
async function serverOf(own: Own, era: 'modern' | 'legacy' = 'modern') {
  const served = { connections: 0, own, calledOver: 0, ended: new Set<number>() }
  const wires = new Set<Socket>()
  const server = createServer((socket) => {
    served.connections += 1
    const which = served.connections
    wires.add(socket)
    socket.on('error', () => undefined).on('close', () => served.ended.add(which))
    const connection = {}
    let read = ''
    socket.on('data', (part) => {
      read += part.toString('latin1')
      for (let text = taken(); text !== undefined; text = taken()) take(JSON.parse(text), which, socket, connection)
    })
    function taken(): string | undefined {
      const end = read.indexOf('\r\n\r\n') + 4
      const length = Number(/content-length: (\d+)/i.exec(read)?.[1] ?? 0)
      if (end === 3 || read.length < end + length) return undefined
      const text = Buffer.from(read.slice(end, end + length), 'latin1').toString() || '{"method":"none"}'
      read = read.slice(end + length)
      return text
    }
  })
  function take(message: Message, which: number, socket: Socket, connection: { owed?: string }): void {
    const { id, method, params } = message
    const nonce = params?.arguments?.nonce ?? ''
    if (id === undefined) return void socket.write('HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n')
    const answer = JSON.stringify({ jsonrpc: '2.0', id, result: RESULTS[method]?.(nonce) ?? {} })
    if (era === 'legacy' && method === 'server/discover') socket.write(json(unknownMethod(id)))
    else if (method !== 'tools/call') socket.write(json(answer))
    else {
      served.calledOver = which
      served.own({ id, method, nonce, answer }, socket, connection)
    }
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  opened.push(() => {
    for (const wire of wires) wire.destroy()
    server.close()
  })
  return Object.assign(served, { url: `http://127.0.0.1:${(server.address() as { port: number }).port}/mcp` })
}

const unknownMethod = (id: number | string) =>
  JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } })
const ABLE = { tools: {} }
const RESULTS: Readonly<Record<string, (nonce: string) => object>> = {
  'server/discover': () => ({ supportedVersions: ['2026-07-28'], capabilities: ABLE }),
  initialize: () => ({ protocolVersion: '2025-11-25', capabilities: ABLE, serverInfo: { name: 's', version: '1' } }),
  'tools/list': () => ({ tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }),
  'tools/call': (nonce) => ({ resultType: 'complete', content: [{ type: 'text', text: nonce }] }),
}
const good: Own = ({ answer }, socket) => void socket.write(json(answer))

async function gatewayAt(url: string, more: { http2?: boolean; tls?: { ca: string } } = {}): Promise<TestGateway> {
  const gateway = await startGateway({
    servers: [{ id: 'evil', url, ...more }],
    policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
  })
  opened.push(gateway.close)
  return gateway
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
const PLACES = { own: ['/servers/evil/mcp', 'echo', 'evil'], aggregate: ['/mcp', 'evil__echo', '*'] } as const
type Place = keyof typeof PLACES
const atBoth = describe.each(['own', 'aggregate'] as const)

/** A client of its own, whose requests have whatever id the test says. */
async function caller(gateway: TestGateway, place: Place = 'own', username = 'ann') {
  const [path, name, resource] = PLACES[place]
  const token = await gateway.tokenFor(resource, { user: await gateway.person(username) })
  return async function call(nonce: string, id: number | string = 1) {
    const params = { name, arguments: { nonce }, _meta: META }
    const response = await fetch(gateway.url + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': name,
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }),
    })
    const text = await response.text().catch(() => 'broken off')
    return { status: response.status, text, nonce: /"type":"text","text":"([^"]*)"/.exec(text)?.[1] }
  }
}

atBoth('E14 a server that answers twice, at the %s address', (place) => {
  afterEach(end)

  it.each<[string, Own]>([
    ['with the first answer', ({ answer }, socket) => void socket.write(json(answer) + json(answer))],
    [
      'a moment later',
      ({ answer }, socket) => {
        socket.write(json(answer))
        setImmediate(() => socket.write(json(answer)))
      },
    ],
    [
      'as the next request comes',
      ({ answer }, socket, connection) => {
        socket.write((connection.owed ?? '') + json(answer))
        connection.owed = json(answer)
      },
    ],
  ])('gives nobody the answer of somebody else: %s', async (_when, twice) => {
    const server = await serverOf(twice)
    const gateway = await gatewayAt(server.url)
    const [ann, bob] = [await caller(gateway, place), await caller(gateway, place, BOB.username)]
    for (let at = 0; at < 10; at++) {
      expect((await ann('of ann')).text).not.toContain('of bob')
      expect((await bob('of bob')).text).not.toContain('of ann')
    }
  })

  it.each(['modern', 'legacy'] as const)(
    'who is always one behind is found out by the id, and the connection is used no more: %s',
    async (era) => {
      const server = await serverOf(({ answer }, socket, connection) => {
        socket.write(connection.owed ?? json(answer))
        connection.owed = json(answer)
      }, era)
      const gateway = await gatewayAt(server.url)
      const call = await caller(gateway, place)
      expect((await call('first', 1)).nonce).toBe('first')
      const stale = await call('second', 2)
      expect([stale.nonce, JSON.parse(stale.text)]).toMatchObject([undefined, { id: 2, error: { code: -32603 } }])
      const before = server.calledOver
      expect((await call('third', 3)).nonce).toBe('third')
      expect(server.calledOver).not.toBe(before)
      await expect.poll(() => server.ended.has(before)).toBe(true)
    },
  )

  it('and one that answers once keeps its connection for its caller', async () => {
    const server = await serverOf(good)
    const gateway = await gatewayAt(server.url)
    const [ann, bob] = [await caller(gateway, place), await caller(gateway, place, BOB.username)]
    await Promise.all([ann('warm'), bob('warm')])
    const before = server.connections
    for (let at = 0; at < 10; at++) {
      expect((await ann(`ann ${at}`)).nonce).toBe(`ann ${at}`)
      expect((await bob(`bob ${at}`)).nonce).toBe(`bob ${at}`)
    }
    expect(server.connections).toBe(before)
  })
})

/** One gateway for all of them, and a server that is another each time. */
function shared(place: Place) {
  let server: Awaited<ReturnType<typeof serverOf>>
  let call: Awaited<ReturnType<typeof caller>>
  beforeAll(async () => {
    server = await serverOf(good)
    call = await caller(await gatewayAt(server.url), place)
  })
  afterAll(end)
  return (own: Own, nonce: string, id?: number | string) => {
    server.own = own
    return call(nonce, id)
  }
}

atBoth('E27 an answer that two readers read in two ways, at the %s address', (place) => {
  const ask = shared(place)
  const LONG: [(text: string) => string, number][] = [
    [json, 100_000],
    [events, 100_000],
    [events, 300_000],
  ]
  const result = (nonce: string, pad: number) =>
    JSON.stringify({ resultType: 'complete', content: [{ type: 'text', text: nonce }], _meta: { x: 'x'.repeat(pad) } })

  it.each<[string, (id: unknown, result: string) => string]>([
    ['a method', (id, text) => `{"jsonrpc":"2.0","id":${id},"result":${text},"method":"roots/list"}`],
    ['a method before it', (id, text) => `{"method":"notifications/x","result":${text},"jsonrpc":"2.0","id":${id}}`],
    ['a second id', (id, text) => `{"jsonrpc":"2.0","id":${id},"result":${text},"id":99}`],
    ['a second id in escapes', (id, text) => `{"jsonrpc":"2.0","id":${id},"result":${text},"\\u0069d":99}`],
    ['a second id in another case', (id, text) => `{"jsonrpc":"2.0","id":${id},"result":${text},"Id":99}`],
    ['its own id in the end only', (id, text) => `{"id":99,"result":${text},"jsonrpc":"2.0","id":${id}}`],
    ['another id in the end', (id, text) => `{"result":${text},"jsonrpc":"2.0","id":${id}9}`],
    ['two results', (id, text) => `{"result":{},"result":${text},"jsonrpc":"2.0","id":${id}}`],
    ['two outcomes', (id, text) => `{"jsonrpc":"2.0","id":${id},"result":${text},"error":{"code":1,"message":"x"}}`],
  ])('is refused with %s', async (_what, shape) => {
    for (const [write, pad] of [[json, 0], [events, 0], ...LONG] as typeof LONG) {
      const own: Own = ({ id, nonce }, socket) => void socket.write(write(shape(id, result(nonce, pad))))
      const { text } = await ask(own, 'seen', 7)
      // A long one has begun to pass before its end is read: it is cut off there.
      expect(text === 'broken off' ? pad > 0 : text.includes('"code":-32603')).toBe(true)
      if (pad === 0) expect(text).not.toContain('seen')
    }
  })

  it('passes with whatever else is in it', async () => {
    const more = { id: 99, method: 'x', result: '"id":98,"method":"y"', error: { Id: 1 } }
    // What is so long cannot be read whole, and is where a server speaks among others.
    for (const [write, pad] of [[json, 0], [events, 0], ...LONG.slice(0, place === 'own' ? 3 : 2)] as typeof LONG) {
      const own: Own = ({ id, nonce }, socket) => {
        const text = JSON.stringify({ content: [{ type: 'text', text: nonce }], more, pad: 'x'.repeat(pad) })
        socket.write(write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${text},"x-more":{"id":97}}`))
      }
      expect((await ask(own, 'seen', 7)).nonce).toBe('seen')
      expect((await ask(own, 'seen', 'Grüße "7"')).nonce).toBe('seen')
    }
  })

  it.each([
    ['that ends before its length', 999],
    ['whose JSON ends too early', undefined],
  ])('is none where it is half: %s', async (_how, length) => {
    const half = json('{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"seen"}')
    const text = length === undefined ? half : half.replace(/(Content-Length: )\d+/, `$1${length}`)
    const refused = await ask((_asked, socket) => void socket.end(text), 'seen')
    expect([refused.status, refused.nonce, JSON.parse(refused.text).error.code]).toEqual([502, undefined, -32603])
    expect((await ask(good, 'seen')).nonce).toBe('seen')
  })
})

atBoth('E27 an answer with a status that is no success, at the %s address', (place) => {
  const ask = shared(place)
  const answered = (text: string, status = '400 Bad Request') =>
    ask((_asked, socket) => void socket.write(json(text, status)), 'x', 7)

  it.each([
    ['a result', '{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"seen"}]}}'],
    ['the refusal of another call', '{"jsonrpc":"2.0","id":8,"error":{"code":-32602,"message":"seen"}}'],
    ['a refusal with two ids', '{"jsonrpc":"2.0","id":8,"error":{"code":-32602,"message":"seen"},"id":7}'],
    ['a question', '{"jsonrpc":"2.0","id":7,"method":"seen"}'],
    ['half a question', '{"jsonrpc":"2.0","id":7,"method":"seen","error":{"code":-32602,"message":"seen"}}'],
  ])('is refused where it is %s', async (_what, text) => {
    const refused = await answered(text)
    expect([refused.status, refused.text.includes('seen')]).toEqual([502, false])
  })

  it.each([
    ['no JSON-RPC', '{"detail":"seen","tools":["hidden"]}'],
    ['no JSON', '{"seen"'],
    ['a list', '["seen"]'],
    ['far too long', JSON.stringify({ seen: 'x'.repeat(100_000) })],
  ])('has the server’s status and our words where it is %s', async (_what, text) => {
    const refused = await answered(text)
    expect([refused.status, refused.text.includes('seen')]).toEqual([400, false])
    expect(JSON.parse(refused.text)).toMatchObject({ id: 7, error: { code: -32000 } })
    expect((await answered(text, '500 Oh')).status).toBe(502)
  })

  it.each(['7', 'null'])('passes where it refuses this call, or one that was not understood: id %s', async (id) => {
    const text = `{"jsonrpc":"2.0","id":${id},"error":{"code":-32602,"message":"No such colour"}}`
    const refused = await answered(text)
    expect([refused.status, refused.text]).toEqual([400, text])
  })
})

describe('E14 a server of HTTP/2', () => {
  afterEach(end)
  type Answers = (message: Message, answer: string) => string | undefined

  /** `undefined`: the stream is reset in the middle of its answer. */
  async function h2(answers: Answers) {
    const authority = createAuthority('Tools')
    const { cert, key } = authority.issue({ usage: 'server', sans: { dns: ['localhost'] } })
    const folder = mkdtempSync(join(tmpdir(), 'portcullis-answers-'))
    const ca = join(folder, 'ca.crt')
    writeFileSync(ca, authority.cert)
    const served = { sessions: 0, answers }
    const server = createSecureServer({ cert, key })
    server.on('session', () => {
      served.sessions += 1
    })
    server.on('stream', async (stream) => {
      stream.on('error', () => undefined)
      const message: Message = JSON.parse(Buffer.concat(await stream.toArray()).toString() || '{"method":"none"}')
      const { id, method, params } = message
      stream.respond({ ':status': id === undefined ? 202 : 200, 'content-type': 'application/json' })
      const result = RESULTS[method]?.(params?.arguments?.nonce ?? '') ?? {}
      const good = JSON.stringify({ jsonrpc: '2.0', id, result })
      const text = method === 'tools/call' ? served.answers(message, good) : good
      if (text !== undefined) return void stream.end(text)
      stream.write(good.slice(0, 20))
      stream.close(2)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    opened.push(
      () => rmSync(folder, { recursive: true, force: true }),
      () => server.close(),
    )
    return Object.assign(served, { url: `https://localhost:${(server.address() as { port: number }).port}/mcp`, ca })
  }

  it('answers many people with one id over one connection, each with their own', async () => {
    const server = await h2((_, answer) => answer)
    const gateway = await gatewayAt(server.url, { http2: true, tls: { ca: server.ca } })
    const calls = [await caller(gateway), await caller(gateway, 'own', BOB.username)]
    await calls[0]?.('warm')
    const asked = Array.from({ length: 60 }, (_, at) => calls[at % 2]?.(`nonce ${at}`))
    expect((await Promise.all(asked)).map((answer) => answer?.nonce)).toEqual(
      Array.from({ length: 60 }, (_, at) => `nonce ${at}`),
    )
    expect(server.sessions).toBe(1)
  })

  it('has no other answers passed than one of HTTP/1.1, and goes on', async () => {
    const server = await h2(() => '{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"seen"}]}}')
    const gateway = await gatewayAt(server.url, { http2: true, tls: { ca: server.ca } })
    const call = await caller(gateway)
    for (const answers of [server.answers, () => undefined]) {
      server.answers = answers
      const { status, text } = await call('x')
      expect([status, text.includes('seen'), JSON.parse(text).error.code]).toEqual([502, false, -32603])
    }
    server.answers = (_, answer) => answer
    expect((await call('seen')).nonce).toBe('seen')
  })

  it('is not spoken to where nobody asked for it', async () => {
    const server = await h2((_, answer) => answer)
    const call = await caller(await gatewayAt(server.url, { tls: { ca: server.ca } }))
    expect([(await call('x')).status, server.sessions]).toEqual([502, 0])
  })
})
