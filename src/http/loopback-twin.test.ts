// Both addresses of `localhost`: taken by the gate, or by nobody.
import { once } from 'node:events'
import { request } from 'node:http'
import { createServer, type Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../../test/support/upstream.ts'
import { createLog } from '../observe/log.ts'
import { createListener } from './listener.ts'
import { isCalledLocalhost } from './loopback-twin.ts'

const hasTwin = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

function listenerAt(
  port: number,
  name: string,
  handle: Parameters<typeof createListener>[0]['handle'],
  host = '127.0.0.1',
) {
  const listener = createListener({
    listen: `${host}:${port}`,
    url: `http://${name}:${port}`,
    limits: { headers: 16_384, headersTimeout: 60_000, bodyTimeout: 60_000, connections: 100 },
    handle,
    upgrades: { takes: () => false, handle: (_req, socket) => socket.destroy() },
    log: createLog({ level: 'error', destination: { write: () => undefined }, terminal: false }),
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
    await listenerAt(port, name, (_req, res) => void res.writeHead(204).end(), host).open()
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
