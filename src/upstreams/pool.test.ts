// Connections as they are on the wire: whom we trust, as whom we come, by which protocol, and where a name may lead.
import { once } from 'node:events'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Authority, createAuthority, type Issued } from '../../test/support/authority.ts'
import { AROUND, remoteConfig } from '../../test/support/configured.ts'
import { startForwardProxy } from '../../test/support/forward-proxy.ts'
import type { RemoteServerConfig } from '../config/servers.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { Surroundings, TlsMaterial } from './network/connect.ts'
import { openRemoteUpstream } from './pool.ts'

let authority: Authority
let own: Issued
let told: { message: string; code?: string; remedy?: string }[]
const closing: (() => unknown)[] = []
beforeAll(() => {
  authority = createAuthority('Test authority')
  own = authority.issue({
    subject: 'tools',
    usage: 'server',
    sans: { dns: ['localhost', 'tools.example'], ip: ['127.0.0.1'] },
  })
})
beforeEach(() => {
  told = []
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port

async function startTls(
  options: { ca?: string; requestCert?: boolean; rejectUnauthorized?: boolean } = {},
): Promise<Server> {
  const server = createServer({ cert: own.cert, key: own.key, ...options }, (req, res) =>
    res.end(
      JSON.stringify({
        version: req.httpVersion,
        host: req.headers.host,
        authorized: (req.socket as { authorized?: boolean }).authorized,
      }),
    ),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return server
}

function open(
  config: Partial<RemoteServerConfig> & { url: string },
  tls: TlsMaterial = {},
  over: Partial<Surroundings> = {},
) {
  const upstream = openRemoteUpstream(remoteConfig({ id: 'a', connectTimeout: 2000, ...config }), {
    ...AROUND,
    readTls: () => tls,
    log: { info: () => undefined, warn: (fields, message) => void told.push({ message, ...fields }) },
    ...over,
  })
  closing.push(() => upstream.close())
  return {
    upstream,
    async ask(): Promise<Record<string, unknown>> {
      const { body } = await upstream.pool.request({ path: '/', method: 'POST', body: '{}' })
      return (await body.json()) as Record<string, unknown>
    },
  }
}

describe('TLS', () => {
  it('trusts the authority that is named, and nobody else; a refusal is told once, with what to do', async () => {
    const url = `https://localhost:${portOf(await startTls())}/mcp`
    expect(await open({ url }, { ca: [authority.cert] }).ask()).toMatchObject({ version: '1.1' })
    const stranger = open({ url }, { ca: [createAuthority('Stranger').cert] })
    await expect(stranger.ask()).rejects.toThrow()
    await expect(stranger.ask()).rejects.toThrow()
    await expect(open({ url }).ask()).rejects.toThrow()
    expect(told.map(({ message }) => message)).toEqual(['cannot connect to the server', 'cannot connect to the server'])
    expect(told[0]?.remedy).toMatch(/tls\.ca/)
  })

  it('is for the name of the address, or for the one that is set', async () => {
    const url = `https://127.0.0.1:${portOf(await startTls())}/mcp`
    const ca = [createAuthority('x').cert, authority.cert]
    expect(await open({ url, tls: { serverName: 'tools.example' } }, { ca }).ask()).toMatchObject({ version: '1.1' })
    await expect(open({ url, tls: { serverName: 'other.example' } }, { ca }).ask()).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
    expect(told[0]?.remedy).toMatch(/tls\.serverName/)
  })

  it('comes as whom it is told to; a server that wants a certificate and gets none is told of', async () => {
    const server = await startTls({ ca: authority.cert, requestCert: true, rejectUnauthorized: true })
    const url = `https://localhost:${portOf(server)}/mcp`
    const { cert, key } = authority.issue({ subject: 'gate' })
    const ca = [authority.cert]
    expect(await open({ url }, { ca, cert, key }).ask()).toMatchObject({ authorized: true })
    await expect(open({ url }, { ca }).ask()).rejects.toThrow()
    expect(told.map(({ code }) => code)).toEqual([expect.stringMatching(/CERTIFICATE_REQUIRED/)])
    expect(told[0]?.remedy).toMatch(/tls\.cert/)
  })

  it('takes new files for new connections, and keeps the old ones where the new cannot be used', async () => {
    const server = await startTls({ ca: authority.cert, requestCert: true, rejectUnauthorized: false })
    const url = `https://localhost:${portOf(server)}/mcp`
    const { cert, key } = authority.issue({ subject: 'gate' })
    let files: TlsMaterial | Error = { ca: [authority.cert] }
    let change = (): void => undefined
    const watched: string[] = []
    const { upstream, ask } = open(
      { url, tls: { ca: '/x/ca.crt', cert: '/x/a.crt', key: '/x/a.key' } },
      {},
      {
        readTls() {
          if (files instanceof Error) throw files
          return files
        },
        watch(paths, { onChange }) {
          watched.push(...paths)
          change = onChange
          return () => undefined
        },
      },
    )
    expect(watched).toEqual(['/x/ca.crt', '/x/a.crt', '/x/a.key'])
    expect(await ask()).toMatchObject({ authorized: false })
    files = { ca: [authority.cert], cert, key }
    change()
    server.closeIdleConnections()
    await new Promise((resolve) => upstream.pool.on('disconnect', resolve))
    expect(await ask()).toMatchObject({ authorized: true })
    files = new OperatorError('There is no such file.')
    change()
    expect(told.map(({ message }) => message)).toEqual([expect.stringContaining('the old ones stay in force')])
    expect(await ask()).toMatchObject({ authorized: true })
  })
})

describe('a proxy', () => {
  it('is asked for a tunnel to the server, with its password, for https and http alike', async () => {
    const proxy = await startForwardProxy({ password: 'gate:s3 cret' })
    closing.push(proxy.close)
    const at = `localhost:${portOf(await startTls())}`
    const through = `http://gate:s3%20cret@127.0.0.1:${proxy.port}`
    const { ask } = open({ url: `https://${at}/mcp`, proxy: through }, { ca: [authority.cert] })
    expect(await ask()).toMatchObject({ host: at })
    await ask()
    expect(new Set(proxy.asked)).toEqual(new Set([at]))
    const tunnels = proxy.asked.length
    const plain = (await import('node:http'))
      .createServer((_req, res) => res.end('{"plain":true}'))
      .listen(0, '127.0.0.1')
    await once(plain, 'listening')
    closing.push(
      () => plain.closeAllConnections(),
      () => plain.close(),
    )
    expect(await open({ url: `http://127.0.0.1:${portOf(plain)}/mcp`, proxy: through }).ask()).toEqual({ plain: true })
    expect(proxy.asked).toHaveLength(tunnels + 1)
  })

  it.each([
    ['does not know us', { password: 'gate:other' }, /407/],
    ['does not let us through', { answer: 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n' }, /403/],
    [
      'speaks before the server could',
      { answer: 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}' },
      /answered 200/,
    ],
    ['answers nonsense', { answer: 'hello\r\n\r\n' }, /cannot be reached/],
  ])('that %s is told of, without its password', async (_what, wish, message) => {
    const proxy = await startForwardProxy(wish)
    closing.push(proxy.close)
    const url = `https://localhost:${portOf(await startTls())}/mcp`
    const { ask } = open({ url, proxy: `http://gate:s3cret@127.0.0.1:${proxy.port}` }, { ca: [authority.cert] })
    const error = await ask().catch((refused: Error) => refused)
    expect(error).toMatchObject({ code: 'ERR_PROXY', message: expect.stringMatching(message) })
    expect(JSON.stringify([told, String(error), (error as Error).stack])).not.toMatch(/s3cret|czNjcmV0/)
    expect(told[0]?.remedy).toMatch(/proxy/)
  })

  it('that is not there, or says nothing, costs the time of a connection', async () => {
    const { createServer: listen } = await import('node:net')
    const silent = listen(() => undefined).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    closing.push(() => silent.close())
    const url = 'https://tools.example/mcp'
    for (const port of [portOf(silent), 1])
      await expect(open({ url, proxy: `http://127.0.0.1:${port}`, connectTimeout: 200 }).ask()).rejects.toMatchObject({
        code: 'ERR_PROXY',
      })
  })
})

describe('HTTP/2', () => {
  async function startH2(allowHTTP1 = true): Promise<Http2SecureServer & { sessions: number }> {
    const server = Object.assign(createSecureServer({ cert: own.cert, key: own.key, allowHTTP1 }), { sessions: 0 })
    server.on('session', () => {
      server.sessions += 1
    })
    server.on('request', (req, res) => res.end(JSON.stringify({ version: req.httpVersion, authority: req.authority })))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => server.close())
    return server
  }

  it('is spoken where it is wanted and offered, many requests on a connection', async () => {
    const server = await startH2()
    const url = `https://localhost:${portOf(server)}/mcp`
    const ca = [authority.cert]
    const { ask } = open({ url, http2: true }, { ca })
    expect(await ask()).toEqual({ version: '2.0', authority: `localhost:${portOf(server)}` })
    await Promise.all(Array.from({ length: 20 }, ask))
    expect(server.sessions).toBe(1)
    expect(await open({ url }, { ca }).ask()).toMatchObject({ version: '1.1' })
  })

  it.each<[string, (session: ServerHttp2Session) => void]>([
    ['breaks off', (session) => session.destroy()],
    ['goes away', (session) => session.goaway(2)],
    [
      'says farewell and closes',
      (session) => {
        session.goaway(0, 0)
        setTimeout(() => session.destroy(), 20)
      },
    ],
    ['loses its socket', (session) => session.socket.destroy()],
  ])('of a connection that %s no call is made twice, and each fails', async (_what, end) => {
    const server = await startH2()
    let seen = 0
    server.removeAllListeners('request')
    server.on('request', (req) => {
      seen += 1
      if (seen === 6) end((req as unknown as { stream: { session: ServerHttp2Session } }).stream.session)
    })
    const { upstream } = open({ url: `https://localhost:${portOf(server)}/mcp`, http2: true }, { ca: [authority.cert] })
    const call = () =>
      upstream.pool.request({ path: '/', method: 'POST', body: '{}', headersTimeout: 0 }).then(
        ({ statusCode }) => `answered ${statusCode}`,
        () => 'failed',
      )
    const first = call()
    while (seen < 1) await new Promise((resolve) => setTimeout(resolve, 5))
    const ends = await Promise.all([first, ...Array.from({ length: 5 }, call)])
    expect(ends).toEqual(Array(6).fill('failed'))
    // Whatever was to be sent again would come before the next one.
    let later = 0
    server.removeAllListeners('request')
    server.on('request', (_req, res) => {
      later += 1
      res.end()
    })
    expect([await call(), seen, later]).toEqual(['answered 200', 6, 1])
  })

  it('is not, where the server has none: and no request waits behind another then', async () => {
    const open1 = new Set<() => void>()
    const server = createServer({ cert: own.cert, key: own.key }, (_req, res) => {
      open1.add(() => res.end('{}'))
      // Nobody is answered before all are here.
      if (open1.size === 5) for (const end of open1) end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(
      () => server.closeAllConnections(),
      () => server.close(),
    )
    const { ask } = open({ url: `https://localhost:${portOf(server)}/mcp`, http2: true }, { ca: [authority.cert] })
    expect(await Promise.all(Array.from({ length: 5 }, ask))).toHaveLength(5)
  })

  it('goes through a proxy as well', async () => {
    const proxy = await startForwardProxy()
    closing.push(proxy.close)
    const url = `https://localhost:${portOf(await startH2())}/mcp`
    const { ask } = open({ url, http2: true, proxy: `http://127.0.0.1:${proxy.port}` }, { ca: [authority.cert] })
    expect(await ask()).toMatchObject({ version: '2.0' })
    expect(proxy.asked).toHaveLength(1)
  })
})

describe('where an address may lead', () => {
  const kindOf = (address: string) =>
    address.startsWith('169.254.') ? 'link-local' : address.startsWith('127.') ? 'loopback' : 'public'
  it('an address that is written must be one of those it may have', () => {
    const at = (url: string, addresses?: string[]) => () =>
      open({ url, ...(addresses && { addresses }) }, {}, { kindOf })
    expect(at('http://127.0.0.1:1/mcp', ['public'])).toThrow(OperatorError)
    expect(at('http://127.0.0.1:1/mcp', ['loopback'])).not.toThrow()
    // Who writes it means it.
    expect(at('http://169.254.169.254/mcp')).not.toThrow()
    expect(at('http://169.254.169.254/mcp', ['public', '169.254.0.0/16'])).toThrow(/not among/)
  })
})

it('a connection of one’s own speaks HTTP/1.1 and has the same certificate', async () => {
  const server = await startTls({ ca: authority.cert, requestCert: true, rejectUnauthorized: true })
  const { cert, key } = authority.issue({ subject: 'gate' })
  const { upstream } = open(
    { url: `https://localhost:${portOf(server)}/mcp`, http2: true },
    { ca: [authority.cert], cert, key },
  )
  const socket = await upstream.open()
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  const [first] = await once(socket, 'data')
  expect(String(first)).toMatch(/^HTTP\/1\.1 200 OK/)
  socket.destroy()
})
