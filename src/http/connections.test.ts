// What a drain waits for: requests that have begun, however little of them is there, and not for connections on which nothing was asked.
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectTls, createTlsFolder, type TlsFolder, until } from '../../test/support/tls.ts'
import { freePort } from '../../test/support/upstream.ts'
import { createLog } from '../observe/log.ts'
import { createGrpcListener } from './grpc.ts'
import { createListener } from './listener.ts'

/** Longer than any test has: what ends before that has not been waited for. */
const NEVER = 600_000
const limits = { headers: 16_384, headersTimeout: NEVER, bodyTimeout: NEVER, connections: 100 }
const log = createLog({ level: 'error', destination: { write: () => undefined }, terminal: false })

let folder: TlsFolder
let port: number
const closers: (() => unknown)[] = []
beforeEach(async () => {
  folder = createTlsFolder()
  closers.push(folder.remove)
  port = await freePort()
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const tls = () => ({ ...folder.tls, clientCert: 'optional', minVersion: 'TLSv1.2' }) as const

function listenerWith(more: { tls?: ReturnType<typeof tls> }) {
  const listener = createListener({
    listen: `127.0.0.1:${port}`,
    limits,
    handle: (_req, res) => void res.writeHead(200).end('served'),
    upgrades: { takes: () => false, handle: (_req, socket) => socket.destroy() },
    log,
    ...more,
  })
  closers.push(() => listener.close(0))
  return listener
}

const kept = <Kind extends Socket>(socket: Kind): Kind => {
  closers.push(() => socket.destroy())
  return socket.on('error', () => undefined)
}
async function plain(): Promise<Socket> {
  const socket = kept(connect(port, '127.0.0.1'))
  await once(socket, 'connect')
  return socket
}
const secure = async (more = {}): Promise<Socket> => kept(await connectTls(port, folder, more))

/** `true` once it is over. */
function watchEnd(socket: Socket): () => boolean {
  let over = false
  socket.resume().once('close', () => {
    over = true
  })
  return () => over
}

describe('the end of a listener', () => {
  it.each([
    ['plain', () => ({}), plain],
    ['over TLS', () => ({ tls: tls() }), secure],
  ] as const)(
    '%s: who has not said a byte is not waited for, who has begun a request is served',
    async (_, wish, open) => {
      const listener = listenerWith(wish())
      await listener.open()
      const silent = await open()
      const isOver = watchEnd(silent)
      const begun = await open()
      let answer = ''
      begun.on('data', (chunk) => (answer += chunk))
      begun.write('G')
      // Served behind it on the same loop: that byte is there.
      const other = await open()
      other.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      await once(other, 'data')
      const closing = listener.close(NEVER)
      await until(isOver, 'the silent connection ends')
      expect([answer, begun.closed]).toEqual(['', false])
      begun.write('ET / HTTP/1.1\r\nHost: x\r\n\r\n')
      await closing
      await until(() => begun.closed, 'the other ends behind its answer')
      expect(answer).toMatch(/^HTTP\/1\.1 200 .*served/s)
    },
  )

  it('over TLS: nor is waited for who has not begun the handshake', async () => {
    const listener = listenerWith({ tls: tls() })
    await listener.open()
    const isOver = watchEnd(await plain())
    // Accepted behind it.
    await secure()
    await listener.close(NEVER)
    await until(isOver, 'it ends')
  })

  it('ends what was begun and never went on when its time is over', async () => {
    const listener = listenerWith({ tls: tls() })
    await listener.open()
    const half = await plain()
    // The first bytes of a handshake.
    half.write(Buffer.from('1603010200', 'hex'))
    const isOver = watchEnd(half)
    await secure()
    await listener.close(0)
    await until(isOver, 'it ends')
  })
})

describe('the end of a listener for gRPC', () => {
  it.each([
    ['plain', 'http', () => ({}), plain],
    ['over TLS', 'https', () => ({ tls: tls() }), () => secure({ ALPNProtocols: ['h2'] })],
  ] as const)('%s: answers what runs, and does not wait for who has not said a byte', async (_, scheme, wish, open) => {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<Buffer>()
    const method = () => {
      asked.resolve()
      return answer.promise
    }
    const methods = new Map([['/slow', method]])
    const listener = createGrpcListener({ listen: `127.0.0.1:${port}`, methods, limits, log, ...wish() })
    await listener.open()
    closers.push(() => listener.close(0))
    const isOver = [watchEnd(await plain()), watchEnd(await open())]
    const session = connectHttp2(`${scheme}://localhost:${port}`, { ca: folder.authority.cert })
    closers.push(() => session.destroy())
    const call = session.request({ ':method': 'POST', ':path': '/slow', 'content-type': 'application/grpc' })
    let said = ''
    call.on('data', (chunk) => (said += chunk))
    await asked.promise
    const closing = listener.close(NEVER)
    for (const over of isOver) await until(over, 'it ends')
    expect(call.closed).toBe(false)
    answer.resolve(Buffer.from('in time'))
    await closing
    await until(() => said.endsWith('in time'), 'the answer')
  })
})
