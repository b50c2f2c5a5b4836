// Rows E27, E32 and E35 seen from the other side: servers over WebSocket and HTTP+SSE that flood, lie, pack, point elsewhere. One error for
// the call, and the gate goes on.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { deflateRawSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import type { RpcResponse } from '../../src/protocol/jsonrpc.ts'
import { openChannelUpstream } from '../../src/upstreams/channel/open.ts'
import type { ChannelUpstream } from '../../src/upstreams/upstream.ts'
import { AROUND, remoteConfig } from '../support/configured.ts'
import { mostHeld } from '../support/held-memory.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const wires = new Set<Socket>()
  server.on('connection', (wire) => wires.add(wire))
  ends.push(async () => {
    // Those of a WebSocket are the server's no more.
    for (const wire of wires) wire.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

function openUpstream(url: string, transport: 'sse' | 'websocket', patience = 30_000): ChannelUpstream {
  const silence = () => undefined
  const upstream = openChannelUpstream(
    remoteConfig({ id: 'far', url, transport, requestTimeout: patience, idleTimeout: patience, maxAnswer: 1_000_000 }),
    {
      log: { debug: silence, info: silence, warn: silence },
      clock: Date.now,
      around: AROUND,
      directory: '/nowhere',
      report: silence,
    },
  )
  ends.push(upstream.close)
  return upstream
}

const call = (upstream: ChannelUpstream, method = 'tools/list'): Promise<RpcResponse> =>
  upstream.request(
    { jsonrpc: '2.0', id: 1, method },
    { signal: new AbortController().signal, onNotification: () => undefined },
  )

const initialization = { protocolVersion: '2024-11-05', capabilities: {}, serverInfo: {} }
const answerTo = (text: string, result: object = initialization): string =>
  JSON.stringify({ jsonrpc: '2.0', id: (JSON.parse(text) as { id: number }).id, result })

describe('a server over WebSocket (E35)', () => {
  /** Answers `initialize`, and hands every other request to the attack. */
  async function attacked(attack: (socket: WebSocket, wire: Duplex, text: string) => void): Promise<ChannelUpstream> {
    const http = createServer()
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'mcp' })
    http.on('upgrade', (req, wire, head) =>
      sockets.handleUpgrade(req, wire, head, (socket) => {
        socket.on('error', () => undefined)
        wire.on('error', () => undefined)
        socket.on('message', (data) => {
          const text = String(data)
          if (text.includes('"initialize"')) socket.send(answerTo(text))
          else if (text.includes('"tools/list"')) attack(socket, wire, text)
          else if (text.includes('"ping"')) socket.send(answerTo(text, {}))
        })
      }),
    )
    return openUpstream(`ws://127.0.0.1:${await listen(http)}/`, 'websocket')
  }

  /** RFC 6455 §5.2: an unmasked frame. */
  const frame = (first: number, payload: Buffer): Buffer =>
    payload.length < 126
      ? Buffer.concat([Buffer.of(first, payload.length), payload])
      : Buffer.concat([Buffer.of(first, 127), bigEndian(payload.length), payload])
  const bigEndian = (size: number): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(BigInt(size))
    return bytes
  }
  const NOTHING = Buffer.alloc(0)

  it.each<readonly [string, RegExp, (socket: WebSocket, wire: Duplex, text: string) => void]>([
    ['a frame past the ceiling', /too_large/, (_, wire) => wire.write(frame(0x81, Buffer.alloc(2_000_000, 'x')))],
    [
      'a length of exabytes',
      /too_large|protocol/,
      (_, wire) => wire.write(Buffer.concat([Buffer.of(0x81, 127), bigEndian(2 ** 62)])),
    ],
    [
      'a million empty fragments',
      /protocol|too_large|reset/,
      (_, wire) => {
        wire.write(frame(0x01, NOTHING))
        const some = Buffer.concat(Array.from({ length: 10_000 }, () => frame(0x00, NOTHING)))
        for (let at = 0; at < 100; at += 1) wire.write(some)
      },
    ],
    [
      'a packed frame that nobody agreed to',
      /protocol/,
      (_, wire, text) => wire.write(frame(0xc1, deflateRawSync(answerTo(text)))),
    ],
    ['bytes where text is due', /protocol/, (socket, _, text) => socket.send(Buffer.from(answerTo(text)))],
    ['text that is no UTF-8', /protocol|reset/, (_, wire) => wire.write(frame(0x81, Buffer.of(0xff, 0xfe)))],
    ['no frame at all', /protocol|reset/, (_, wire) => wire.write('HTTP/1.1 200 OK\r\n\r\n')],
    ['a masked frame', /protocol|reset/, (_, wire) => wire.write(Buffer.of(0x81, 0x80, 1, 2, 3, 4))],
    ['the end in the middle', /reset/, (_, wire) => wire.destroy()],
  ])('that sends %s fails the call, and is left', async (_what, reason, attack) => {
    const upstream = await attacked(attack)
    await expect(call(upstream)).rejects.toMatchObject({ reason: expect.stringMatching(reason) })
  })

  it('that floods with pings and does not read gets no more pongs than fit', async () => {
    const upstream = await attacked((socket, wire, text) => {
      // It stops reading what we owe it.
      wire.pause()
      const some = Buffer.concat(Array.from({ length: 10_000 }, () => frame(0x89, Buffer.alloc(100))))
      for (let at = 0; at < 50; at += 1) wire.write(some)
      socket.send(answerTo(text, { flooded: true }))
    })
    const most = await mostHeld(async () => {
      expect(await call(upstream)).toMatchObject({ result: { flooded: true } })
    })
    expect(most).toBeLessThan(300 * 1024 * 1024)
  })

  it.each([
    ['no subprotocol', () => false as const, {}],
    ['another subprotocol', () => 'graphql-ws', {}],
    ['compression that was not offered', () => 'mcp', { 'Sec-WebSocket-Extensions': 'permessage-deflate' }],
  ])('that agrees to %s is not spoken to', async (_what, handleProtocols, headers) => {
    const http = createServer()
    const sockets = new WebSocketServer({ noServer: true, handleProtocols })
    sockets.on('headers', (lines) => lines.push(...Object.entries(headers).map((line) => line.join(': '))))
    const heard: string[] = []
    http.on('upgrade', (req, wire, head) => {
      expect(req.headers['sec-websocket-extensions']).toBeUndefined()
      sockets.handleUpgrade(req, wire, head, (socket) => {
        socket.on('error', () => undefined)
        socket.on('message', (data) => heard.push(String(data)))
      })
    })
    const upstream = openUpstream(`ws://127.0.0.1:${await listen(http)}/`, 'websocket')
    await expect(call(upstream)).rejects.toMatchObject({ reason: 'protocol' })
    expect(heard).toEqual([])
  })

  it('that answers the calls of others guesses ids that nobody has', async () => {
    const upstream = await attacked((socket, _, text) => {
      const { id } = JSON.parse(text) as { id: number }
      for (const guess of [1, '1', null, id - 1, String(id)])
        socket.send(JSON.stringify({ jsonrpc: '2.0', id: guess, result: { forged: true } }))
      socket.send(answerTo(text, { honest: true }))
    })
    expect((await call(upstream)).result).toEqual({ honest: true })
  })
})

describe('a server over HTTP+SSE (E27)', () => {
  type Open = (res: ServerResponse) => void
  const event = (type: string, data: string): string => `event: ${type}\ndata: ${data}\n\n`

  async function attacked(
    answer: (say: (text: string) => void, text: string, res: ServerResponse) => void,
    open: Open = (res) => void res.write(event('endpoint', '/messages')),
    take: Open = (res) => void res.writeHead(202).end(),
    patience?: number,
  ): Promise<{ upstream: ChannelUpstream; port: number; posted: string[] }> {
    let stream: ServerResponse | undefined
    const posted: string[] = []
    const http = createServer(async (req: IncomingMessage, res: ServerResponse) => {
      if (req.method === 'GET') {
        stream = res
        res.writeHead(200, { 'content-type': 'text/event-stream' })
        return open(res)
      }
      let text = ''
      for await (const chunk of req) text += String(chunk)
      posted.push(req.url ?? '')
      take(res)
      if (stream === undefined) return undefined
      const to = stream
      if (text.includes('"initialize"')) to.write(event('message', answerTo(text)))
      else if (text.includes('"tools/list"')) answer((line) => void to.write(line), text, to)
      return undefined
    })
    const port = await listen(http)
    return { upstream: openUpstream(`http://127.0.0.1:${port}/sse`, 'sse', patience), port, posted }
  }

  it('that names another address for messages later is not followed', async () => {
    const { upstream, posted } = await attacked((say, text) => {
      say(event('endpoint', 'http://127.0.0.1:9/steal'))
      say(event('endpoint', '/elsewhere'))
      say(event('message', answerTo(text, { honest: true })))
    })
    expect((await call(upstream)).result).toEqual({ honest: true })
    await call(upstream)
    expect(new Set(posted)).toEqual(new Set(['/messages']))
  })

  it('that says messages before it has said where ours go is not believed', async () => {
    const { upstream } = await attacked(
      (say, text) => say(event('message', answerTo(text, { late: true }))),
      (res) => {
        for (let id = 0; id < 1000; id += 1) res.write(event('message', `{"jsonrpc":"2.0","id":${id},"result":{}}`))
        res.write(event('endpoint', '/messages'))
      },
    )
    expect((await call(upstream)).result).toEqual({ late: true })
  })

  it('whose event never ends costs no memory, and the call ends in time', async () => {
    const flood = (say: (text: string) => void): void => {
      say('event: message\ndata: ')
      for (let at = 0; at < 200; at += 1) say('x'.repeat(1_000_000))
    }
    const { upstream } = await attacked(flood, undefined, undefined, 5000)
    const most = await mostHeld(async () => {
      await expect(call(upstream)).rejects.toMatchObject({ reason: 'timeout' })
    })
    expect(most).toBeLessThan(400 * 1024 * 1024)
  })

  it.each<readonly [string, RegExp, (res: ServerResponse) => void]>([
    [
      'packs its stream',
      /protocol/,
      (res) =>
        void res
          .writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' })
          .end(gzipSync(event('endpoint', '/messages'))),
    ],
    [
      'answers with a page',
      /protocol/,
      (res) => void res.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Hello</h1>'),
    ],
    ['leads elsewhere', /redirect/, (res) => void res.writeHead(307, { location: 'http://169.254.169.254/' }).end()],
    ['ends before it began', /reset/, (res) => void res.writeHead(200, { 'content-type': 'text/event-stream' }).end()],
  ])('that %s is not spoken to', async (_what, reason, answer) => {
    const seen: string[] = []
    const http = createServer((req, res) => {
      seen.push(`${req.method} ${req.url}`)
      answer(res)
    })
    const upstream = openUpstream(`http://127.0.0.1:${await listen(http)}/sse`, 'sse')
    await expect(call(upstream)).rejects.toMatchObject({ reason: expect.stringMatching(reason) })
    expect(seen).toEqual(['GET /sse'])
  })

  it('that answers a message without end is not read to the end', async () => {
    const ended: boolean[] = []
    const { upstream } = await attacked(
      (say, text) => say(event('message', answerTo(text, { honest: true }))),
      undefined,
      (res) => {
        res.writeHead(202)
        res.once('close', () => ended.push(res.writableFinished))
        for (let at = 0; at < 50; at += 1) res.write('x'.repeat(1_000_000))
      },
    )
    expect((await call(upstream)).result).toEqual({ honest: true })
    await expect.poll(() => ended.length).toBeGreaterThan(0)
    expect(ended).not.toContain(true)
  })
})
