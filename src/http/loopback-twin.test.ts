// Both addresses of `localhost`: taken by the gate, or by nobody.
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, describe, expect, it } from 'vitest'
import { connectTls, createTlsFolder, issueOwn, until } from '../../test/support/tls.ts'
import { freePort } from '../../test/support/upstream.ts'
import type { TlsConfig } from '../config/server.ts'
import { createLog } from '../observe/log.ts'
import type { Handle } from './in-flight.ts'
import { createListener } from './listener.ts'
import { isCalledLocalhost } from './loopback-twin.ts'
import type { Upgrades } from './upgrade.ts'

const hasTwin = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const upgrades: Upgrades = { takes: () => false, handle: (_req, socket) => socket.destroy() }

function listenerAt(
  port: number,
  name: string,
  handle: Handle,
  { host = '127.0.0.1', connections = 100, tls }: { host?: string; connections?: number; tls?: TlsConfig } = {},
) {
  const listener = createListener({
    listen: `${host}:${port}`,
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${port}`,
    limits: { headers: 16_384, headersTimeout: 60_000, bodyTimeout: 60_000, connections },
    handle,
    upgrades,
    log: createLog({ level: 'error', destination: { write: () => undefined }, terminal: false }),
    tls,
  })
  closers.push(() => listener.close(0))
  return listener
}

async function ask(host: string, port: number): Promise<number | undefined> {
  const asked = request({ host, port, headers: { host: `localhost:${port}` } }).end()
  const [answer] = await once(asked, 'response')
  answer.resume()
  return answer.statusCode
}

/** A connection that is kept. Rejects where it is ended without a word. */
function served(host: string | undefined, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port }, () => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    closers.push(() => socket.destroy())
    socket.once('data', () => resolve(socket))
    socket.on('error', () => undefined).once('close', () => reject(new Error('refused')))
  })
}

async function squat(port: number): Promise<Server> {
  const other = createServer((socket) => socket.destroy())
  closers.push(() => other.close())
  other.listen({ host: '::1', port, ipv6Only: true })
  await once(other, 'listening')
  return other
}

describe('a gate that is called localhost', () => {
  it('answers at both addresses of the name, as far as the machine has them', async () => {
    const port = await freePort()
    await listenerAt(port, 'localhost', (_req, res) => void res.writeHead(204).end()).open()
    expect(await ask('127.0.0.1', port)).toBe(204)
    if (hasTwin) expect(await ask('::1', port)).toBe(204)
    else await expect(ask('::1', port)).rejects.toThrow()
  })

  it.each<[listen: string, name: string]>([
    ['localhost', 'localhost'],
    ['127.0.0.1', 'gate.localhost'],
    ...(hasTwin ? [['[::1]', 'localhost'] as [string, string]] : []),
  ])('does so also where it listens at %s and is called %s', async (host, name) => {
    const port = await freePort()
    await listenerAt(port, name, (_req, res) => void res.writeHead(204).end(), { host }).open()
    expect(await ask('127.0.0.1', port)).toBe(204)
    if (hasTwin) expect(await ask('::1', port)).toBe(204)
  })

  it('ends once what was asked at either of them is answered', async () => {
    const port = await freePort()
    const host = hasTwin ? '::1' : '127.0.0.1'
    const { promise: begun, resolve: begin } = Promise.withResolvers<() => void>()
    const listener = listenerAt(port, 'localhost', (_req, res) => begin(() => res.writeHead(200).end()))
    await listener.open()
    const asked = ask(host, port)
    const answer = await begun
    let closed = false
    const closing = listener.close(60_000).then(() => {
      closed = true
    })
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(closed).toBe(false)
    answer()
    expect(await asked).toBe(200)
    await closing
    await expect(ask(host, port)).rejects.toThrow()
  })

  it('does not start where somebody else has the other one, and one that is not called so does', async () => {
    const port = await freePort()
    const other = hasTwin ? await squat(port) : undefined
    const named = listenerAt(port, 'localhost', (_req, res) => void res.writeHead(204).end())
    const outcome = await named.open().then(() => 'opened', String)
    expect(outcome).toMatch(other ? /\[::1\]:\d+ \(EADDRINUSE\).*set server\.url to http:\/\/127\.0\.0\.1/ : /^opened$/)
    await named.close(0)
    await listenerAt(port, '127.0.0.1', (_req, res) => void res.writeHead(204).end()).open()
    expect(await ask('127.0.0.1', port)).toBe(204)
  })
})

describe('what both addresses have together', () => {
  const hosts = hasTwin ? ['127.0.0.1', '::1'] : ['127.0.0.1']
  const NO_CONTENT: Handle = (_req, res) => void res.writeHead(204).end()

  it('is one number of connections, whichever of them they come to, and one that ends makes room at either', async () => {
    const port = await freePort()
    await listenerAt(port, 'localhost', NO_CONTENT, { connections: 2 }).open()
    const first = await served(hosts[0], port)
    const second = await served(hosts.at(-1), port)
    for (const host of hosts) await expect(served(host, port)).rejects.toThrow('refused')
    for (const [at, left] of [first, second].entries()) {
      left.destroy()
      // Its end is heard of a moment later.
      const isServed = () =>
        served(hosts.at(at - 1), port).then(
          () => true,
          () => false,
        )
      await until(isServed, 'there is room')
      for (const host of hosts) await expect(served(host, port)).rejects.toThrow('refused')
    }
  })

  it('are the TLS files, also those that came later', async () => {
    const folder = createTlsFolder()
    closers.push(folder.remove)
    const port = await freePort()
    const tls: TlsConfig = { ...folder.tls, clientCert: 'optional', minVersion: 'TLSv1.2' }
    const listener = listenerAt(port, 'localhost', NO_CONTENT, { tls })
    await listener.open()
    const shownAt = async (host: string): Promise<string> => {
      const socket = await connectTls(port, folder, { host })
      closers.push(() => socket.destroy())
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 204 /)
      return socket.getPeerCertificate().fingerprint256
    }
    const before = await Promise.all(hosts.map(shownAt))
    const renewed = issueOwn(folder.authority)
    folder.write('gate.key', renewed.key)
    folder.write('gate.crt', renewed.cert)
    listener.use(NO_CONTENT, upgrades)
    const after = await Promise.all(hosts.map(shownAt))
    expect([new Set(before).size, new Set(after).size, before[0] === after[0]]).toEqual([1, 1, false])
  })
})

describe('the name', () => {
  it.each([
    ['http://localhost:4444', true],
    ['http://LOCALHOST:4444', true],
    ['http://gate.localhost:4444', true],
    ['http://notlocalhost:4444', false],
    ['http://127.0.0.1:4444', false],
    ['http://localhost.example.com', false],
    ['https://mcp.example.com', false],
  ])('%s: %s', (url, called) => {
    expect(isCalledLocalhost(url)).toBe(called)
  })
})
