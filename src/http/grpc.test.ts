import { once } from 'node:events'
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { credentials, makeGenericClientConstructor, type ServiceError, status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { createTlsFolder, type TlsFolder } from '../../test/support/tls.ts'
import { freePort } from '../../test/support/upstream.ts'
import { server } from '../config/server.ts'
import { createLog } from '../observe/log.ts'
import { RequestError } from '../protocol/errors.ts'
import { createGrpcListener, type GrpcListener } from './grpc.ts'
import { countCalls, type GrpcMethod, type GrpcMethods } from './grpc-calls.ts'

const serverTls = server.shape.tls
const ECHO = '/test.Echo/Say'
const lines: string[] = []
const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) }, terminal: false })
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Says what it was told, or why it was not. */
const echo: GrpcMethod = async (call) => {
  try {
    return await call.read(1000, 5000)
  } catch (error) {
    if (error instanceof RequestError) return Buffer.from(`${error.status} ${error.reason}`)
    throw error
  }
}

interface More {
  readonly tls?: TlsFolder['tls']
  readonly methods?: GrpcMethods
  readonly headersTimeout?: number
}

async function start(method: GrpcMethod = echo, more: More = {}) {
  const port = await freePort()
  const listener = createGrpcListener({
    listen: `127.0.0.1:${port}`,
    tls: more.tls && serverTls.parse(more.tls),
    methods: more.methods ?? new Map([[ECHO, method]]),
    limits: { headers: 16_384, headersTimeout: more.headersTimeout ?? 5000, connections: 20 },
    log,
  })
  await listener.open()
  closing.push(() => listener.close(200))
  return { port, listener }
}

const Client = makeGenericClientConstructor({}, 'test.Echo')
function say(
  port: number,
  text: string | Buffer,
  options: { path?: string; deadline?: number; secure?: TlsFolder } = {},
) {
  const { path = ECHO, deadline = 5000, secure } = options
  const shown =
    secure === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(secure.authority.cert))
  const client = new Client(`${secure === undefined ? '127.0.0.1' : 'localhost'}:${port}`, shown)
  closing.push(() => client.close())
  const bytes = Buffer.from(text)
  return new Promise<string>((resolve, reject) => {
    const pass = (value: Buffer) => value
    client.makeUnaryRequest(
      path,
      pass,
      pass,
      bytes,
      { deadline: Date.now() + deadline },
      (error: ServiceError | null, answer?: Buffer) => (error === null ? resolve(String(answer)) : reject(error)),
    )
  })
}

interface Answered {
  readonly head: IncomingHttpHeaders
  readonly body: Buffer
}

/** By hand, for what no client library would send. */
async function send(port: number, headers: Record<string, string>, body: Buffer): Promise<Answered> {
  const session = connect(`http://127.0.0.1:${port}`)
  closing.push(() => session.destroy())
  const stream = session.request({ ':method': 'POST', ':path': ECHO, 'content-type': 'application/grpc', ...headers })
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.end(body)
  const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders]
  await once(stream, 'close')
  return { head, body: Buffer.concat(chunks).subarray(5) }
}

function framed(text: string, { flag = 0, length = text.length } = {}): Buffer {
  const prefix = Buffer.alloc(5)
  prefix[0] = flag
  prefix.writeUInt32BE(length, 1)
  return Buffer.concat([prefix, Buffer.from(text)])
}

describe('a unary call', () => {
  it('is answered as grpc-js understands it, many at once', async () => {
    const { port } = await start()
    const texts = Array.from({ length: 50 }, (_, at) => 'x'.repeat(at * 15))
    expect(await Promise.all(texts.map((text) => say(port, text)))).toEqual(texts)
  })

  it('of a method that there is not: UNIMPLEMENTED', async () => {
    const { port } = await start()
    await expect(say(port, '', { path: '/test.Echo/Other' })).rejects.toMatchObject({ code: status.UNIMPLEMENTED })
  })

  it('whose method fails: INTERNAL without a word, and a line in the log', async () => {
    const { port } = await start(async () => {
      throw new Error('secret of the house')
    })
    const failed = say(port, '')
    await expect(failed).rejects.toMatchObject({ code: status.INTERNAL })
    await expect(failed).rejects.not.toThrow(/secret/)
    expect(lines.join('')).toContain('secret of the house')
  })

  it('knows how long its client waits, and who that is', async () => {
    const seen: unknown[] = []
    const { port } = await start(async (call) => {
      seen.push(call.timeout, call.socket.remoteAddress)
      return Buffer.alloc(0)
    })
    await say(port, '', { deadline: 2000 })
    for (const [value] of [['5S'], ['100m'], ['3H'], ['junk'], ['123456789S']])
      await send(port, { 'grpc-timeout': value ?? '' }, framed(''))
    const [first, ...rest] = seen.filter((_, at) => at % 2 === 0)
    expect(Number(first)).toBeGreaterThan(1000)
    expect(rest).toEqual([5000, 100, 10_800_000, undefined, undefined])
    expect(seen[1]).toBe('127.0.0.1')
  })
})

describe('what is no unary call', () => {
  it.each([
    ['a compressed message', framed('abc', { flag: 1 }), '400 grpc_message'],
    ['two messages', Buffer.concat([framed('a'), framed('b')]), '400 grpc_message'],
    ['a message cut off', framed('abc', { length: 9 }), '400 grpc_message'],
    ['half a prefix', Buffer.alloc(3), '400 grpc_message'],
    ['nothing', Buffer.alloc(0), '400 grpc_message'],
    ['too much', framed('x'.repeat(1001)), '413 body_too_large'],
    ['as much as may be', framed('x'.repeat(1000)), 'x'.repeat(1000)],
  ])('%s', async (_what, bytes, expected) => {
    const { port } = await start()
    const { head, body } = await send(port, {}, bytes)
    expect([head[':status'], String(body)]).toEqual([200, expected])
  })

  it.each([
    ['another content type', { 'content-type': 'application/json' }, 415],
    ['one that only begins like it', { 'content-type': 'application/grpcx' }, 415],
    ['another method', { ':method': 'PUT' }, 405],
  ])('%s: %d', async (_what, headers, expected) => {
    const { port } = await start()
    expect((await send(port, headers, framed(''))).head[':status']).toBe(expected)
  })

  it('HTTP/1.1 on the same port ends, and others are served', async () => {
    const { port } = await start()
    const socket = connectTcp(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    socket.resume()
    await once(socket, 'close')
    expect(await say(port, 'still here')).toBe('still here')
  })

  it('a client that leaves in the middle leaves no trace', async () => {
    const reasons: string[] = []
    const { port } = await start(async (call) => {
      const answer = await echo(call)
      reasons.push(String(answer))
      return answer
    })
    const session = connect(`http://127.0.0.1:${port}`)
    const stream = session.request({ ':method': 'POST', ':path': ECHO, 'content-type': 'application/grpc' })
    stream.on('error', () => undefined)
    stream.write(framed('abc', { length: 9 }))
    await once(session, 'remoteSettings')
    await new Promise((resolve) => session.ping(resolve))
    stream.close(constants.NGHTTP2_CANCEL)
    await new Promise((resolve) => session.ping(resolve))
    expect(await say(port, 'next')).toBe('next')
    expect(reasons).toEqual([expect.stringMatching(/^400 /), 'next'])
    session.destroy()
  })
})

describe('the listener', () => {
  it('says what to do where the port is taken', async () => {
    const { port } = await start()
    const other = createGrpcListener({
      listen: `127.0.0.1:${port}`,
      methods: new Map(),
      limits: { headers: 16_384, headersTimeout: 5000, connections: 20 },
      log,
    })
    await expect(other.open()).rejects.toThrow(/EADDRINUSE.*change forwardAuth\.grpc/s)
  })

  it('gives no connection more calls at once than it may have', async () => {
    const { port } = await start()
    const session = connect(`http://127.0.0.1:${port}`)
    closing.push(() => session.destroy())
    const [settings] = await once(session, 'remoteSettings')
    expect(settings.maxConcurrentStreams).toBe(256)
  })

  it('keeps nobody who never asks, and whoever did', async () => {
    const { port } = await start(echo, { headersTimeout: 500 })
    const asking = connect(`http://127.0.0.1:${port}`)
    closing.push(() => asking.destroy())
    await once(asking.request({ ':method': 'PUT' }), 'response')
    const silent = connectTcp(port, '127.0.0.1')
    silent.resume()
    await once(silent, 'close')
    expect(asking.destroyed).toBe(false)
  })

  it('hands calls to whoever serves next', async () => {
    const { port, listener } = await start()
    const session = connect(`http://127.0.0.1:${port}`)
    closing.push(() => session.destroy())
    listener.use(new Map([[ECHO, async () => Buffer.from('another')]]))
    expect(await say(port, 'x')).toBe('another')
  })

  it('ends when its calls have: what runs is answered, what comes later is not taken', async () => {
    const gate = Promise.withResolvers<void>()
    const began = Promise.withResolvers<void>()
    const { methods, ended } = countCalls(
      new Map([
        [
          ECHO,
          async () => {
            began.resolve()
            await gate.promise
            return Buffer.from('in time')
          },
        ],
      ]),
    )
    const { port, listener } = await start(echo, { methods })
    const running = say(port, 'x')
    await began.promise
    const done = Promise.all([listener.close(5000), ended(5000)])
    await expect(say(port, 'y', { deadline: 300 })).rejects.toBeDefined()
    gate.resolve()
    expect(await running).toBe('in time')
    await done
  })

  it('cuts what does not end', async () => {
    const began = Promise.withResolvers<void>()
    const { port, listener } = await start(() => {
      began.resolve()
      return new Promise<Buffer>(() => undefined)
    })
    const running = say(port, 'x')
    running.catch(() => undefined)
    await began.promise
    await listener.close(50)
    await expect(running).rejects.toBeDefined()
  })
})

describe('over TLS', () => {
  const open = async (
    clientCert: 'none' | 'optional' | 'required',
  ): Promise<{ folder: TlsFolder; port: number; listener: GrpcListener; shown: unknown[] }> => {
    const folder = createTlsFolder({ clientCert })
    closing.push(folder.remove)
    const shown: unknown[] = []
    const started = await start(
      async (call) => {
        const { peerCertificate } = await import('./client-certificate.ts')
        shown.push(peerCertificate(call.socket)?.subject)
        return echo(call)
      },
      { tls: folder.tls },
    )
    return { folder, shown, ...started }
  }

  it('is served, and plain text is not', async () => {
    const { folder, port } = await open('none')
    expect(await say(port, 'quietly', { secure: folder })).toBe('quietly')
    await expect(say(port, 'aloud', { deadline: 500 })).rejects.toBeDefined()
  })

  it('a required certificate is asked for, judged, and known to the call', async () => {
    const { folder, port, shown } = await open('required')
    const good = folder.authority.issue({ subject: 'envoy' })
    const foreign = createTlsFolder()
    closing.push(foreign.remove)
    const bad = foreign.authority.issue({ subject: 'envoy' })
    const knock = async (client?: { cert: string; key: string }): Promise<string | undefined> => {
      const session: ClientHttp2Session = connect(`https://localhost:${port}`, { ca: folder.authority.cert, ...client })
      session.on('error', () => undefined)
      closing.push(() => session.destroy())
      const stream = session.request({ ':method': 'POST', ':path': ECHO, 'content-type': 'application/grpc' })
      stream.on('error', () => undefined)
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.end(framed('hello'))
      await new Promise((resolve) => stream.once('close', resolve))
      return chunks.length === 0 ? undefined : String(Buffer.concat(chunks).subarray(5))
    }
    expect(await knock(good)).toBe('hello')
    expect(shown).toEqual(['CN=envoy'])
    expect(await knock()).toBeUndefined()
    expect(await knock(bad)).toBeUndefined()
    expect(shown).toHaveLength(1)
  })
})
