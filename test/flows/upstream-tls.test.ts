// A server behind the gate as companies have them: with a certificate of their own authority, one that wants ours, behind a proxy, over
// HTTP/2. What each setting does on the wire: src/upstreams/pool.test.ts.
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { createAuthority } from '../support/authority.ts'
import { startCommand } from '../support/cli.ts'
import { startForwardProxy } from '../support/forward-proxy.ts'
import { type GatewayOptions, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { createTlsFolder, type TlsFolder, until } from '../support/tls.ts'

let folder: TlsFolder
const closing: (() => unknown)[] = []
beforeAll(() => {
  folder = createTlsFolder()
})
afterAll(() => folder.remove())
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const own = () => {
  const { cert, key } = folder.authority.issue({
    subject: 'tools',
    usage: 'server',
    sans: { dns: ['localhost', 'tools.example'] },
  })
  return { cert, key }
}

/** Answers each call with who asked, as TLS knows them. */
async function startTools(options: ServerOptions = {}): Promise<{ port: number; calls: () => number; server: Server }> {
  let calls = 0
  const server = createServer({ ...own(), ...options }, async (req, res) => {
    let text = ''
    for await (const chunk of req) text += chunk
    calls += 1
    const socket = req.socket as TLSSocket
    const certificate = socket.getPeerCertificate()
    const said = { host: req.headers.host, subject: certificate.subject?.CN ?? null }
    const content = [{ type: 'text', text: JSON.stringify(said) }]
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(
      JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(text).id, result: resultOf(JSON.parse(text).method, content) }),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, calls: () => calls, server }
}

const resultOf = (method: string, content: readonly object[]) =>
  method === 'server/discover'
    ? {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {} },
        ttlMs: 0,
        cacheScope: 'private',
      }
    : { resultType: 'complete', content }

async function gate(
  server: object,
  more: GatewayOptions = {},
): Promise<TestGateway & { ask(tool?: string): ReturnType<typeof callTool> }> {
  const gateway = await startGateway({ servers: [{ id: 'tools', ...server }] as GatewayOptions['servers'], ...more })
  closing.push(() => gateway.close())
  const token = await gateway.tokenFor('tools')
  return Object.assign(gateway, { ask: (tool = 'who') => callTool(gateway.resource('tools'), token, tool) })
}

describe('a server of a private authority', () => {
  it('is called where the authority is named; where it is not, nothing is sent and the log says what to do', async () => {
    const tools = await startTools()
    const url = `https://localhost:${tools.port}/mcp`
    const trusting = await gate({ url, tls: { ca: folder.write('tools-ca.crt', folder.authority.cert) } })
    expect(await trusting.ask()).toMatchObject({ status: 200 })
    const calls = tools.calls()

    const stranger = folder.write('stranger.crt', createAuthority('Stranger').cert)
    for (const tls of [{}, { tls: { ca: stranger } }]) {
      const careful = await gate({ url, ...tls })
      expect(await careful.ask()).toMatchObject({ status: 502, body: { error: { code: -32603 } } })
      expect(careful.log.filter((line) => line.includes('cannot connect to the server'))).toEqual([
        expect.stringMatching(/"server":"tools".*(?:SELF_SIGNED|UNABLE_TO).*Name the authority in tls\.ca/),
      ])
    }
    expect(tools.calls()).toBe(calls)
  })

  it('has the name that is set, and no other', async () => {
    const tools = await startTools()
    const ca = folder.write('ca-2.crt', folder.authority.cert)
    const url = `https://127.0.0.1:${tools.port}/mcp`
    expect(await (await gate({ url, tls: { ca, serverName: 'tools.example' } })).ask()).toMatchObject({ status: 200 })
    const other = await gate({ url, tls: { ca, serverName: 'other.example' } })
    expect(await other.ask()).toMatchObject({ status: 502 })
    expect(other.log.join('\n')).toContain('tls.serverName')
  })

  it('that wants our certificate gets it, and a renewed one when the file changes', async () => {
    const tools = await startTools({ ca: folder.authority.cert, requestCert: true, rejectUnauthorized: true })
    const [one, two] = ['gate-one', 'gate-two'].map((subject) => folder.authority.issue({ subject }))
    const tls = {
      ca: folder.write('ca-3.crt', folder.authority.cert),
      cert: folder.write('ours.crt', one?.cert ?? ''),
      key: folder.write('ours.key', one?.key ?? ''),
    }
    const url = `https://localhost:${tools.port}/mcp`
    const gateway = await gate({ url, tls })
    const who = async () => JSON.stringify((await gateway.ask()).body)
    expect(await who()).toContain('gate-one')
    folder.write('ours.crt', two?.cert ?? '')
    folder.write('ours.key', two?.key ?? '')
    await until(
      () => gateway.log.some((line) => line.includes('the new TLS files of the server are in force')),
      'the renewal',
    )
    tools.server.closeIdleConnections()
    await until(async () => (await who()).includes('gate-two'), 'a connection with the new certificate')
    folder.write('ours.key', 'no key')
    await until(() => gateway.log.some((line) => line.includes('the old ones stay in force')), 'the refusal')
    expect(await who()).toContain('gate-two')
    expect(gateway.log.join('\n')).not.toContain('PRIVATE KEY')

    const bare = await gate({ url, tls: { ca: tls.ca } })
    expect(await bare.ask()).toMatchObject({ status: 502 })
    expect(bare.log.join('\n')).toMatch(/CERTIFICATE_REQUIRED.*Set tls\.cert and tls\.key/)
  })

  it('whose file is not there keeps the gate from starting, with the file and the setting', async () => {
    const missing = gate({ url: 'https://tools.example/mcp', tls: { ca: '/nowhere/ca.crt' } })
    await expect(missing).rejects.toThrow(/\/nowhere\/ca\.crt {2}servers tools: tls\.ca\n.*no such file/s)
  })
})

describe('a server behind a proxy', () => {
  it('is reached by a tunnel; its address is asked of the proxy, and the password is told to nobody', async () => {
    const proxy = await startForwardProxy({ password: 'gate:s3cret-of-the-proxy' })
    closing.push(proxy.close)
    const tools = await startTools()
    const gateway = await gate(
      {
        url: `https://localhost:${tools.port}/mcp`,
        proxy: `http://gate:s3cret-of-the-proxy@127.0.0.1:${proxy.port}`,
        tls: { ca: folder.write('ca-4.crt', folder.authority.cert) },
      },
      { resolve: () => Promise.reject(new Error('Nobody is asked for the name.')) },
    )
    expect(await gateway.ask()).toMatchObject({ status: 200 })
    expect(new Set(proxy.asked)).toEqual(new Set([`localhost:${tools.port}`]))
    await proxy.close()
    closing.pop()
    await until(async () => (await gateway.ask()).status === 502, 'the end of the tunnels')
    const text = [...gateway.log, await gateway.metrics(), JSON.stringify(await gateway.audit())].join('\n')
    expect(text).toContain('ERR_PROXY')
    expect(text).not.toMatch(/s3cret-of-the-proxy|czNjcmV0/)
  })
})

describe('a server that is spoken to over a WebSocket', () => {
  it('is reached in the same way: its authority, our certificate, the proxy', async () => {
    const proxy = await startForwardProxy()
    closing.push(proxy.close)
    const tools = await startTools({ ca: folder.authority.cert, requestCert: true, rejectUnauthorized: true })
    new WebSocketServer({ server: tools.server }).on('connection', (socket, req) => {
      socket.on('message', (data) => {
        const { id, method } = JSON.parse(String(data))
        if (id === undefined) return
        const { subject } = (req.socket as TLSSocket).getPeerCertificate()
        const hello = {
          protocolVersion: '2025-11-25',
          capabilities: { tools: {} },
          serverInfo: { name: 'ws', version: '1' },
        }
        const result = method === 'initialize' ? hello : { content: [{ type: 'text', text: `for ${subject.CN}` }] }
        socket.send(JSON.stringify({ jsonrpc: '2.0', id, result }))
      })
    })
    const { cert, key } = folder.authority.issue({ subject: 'gate' })
    const tls = {
      ca: folder.write('ca-ws.crt', folder.authority.cert),
      cert: folder.write('ws.crt', cert),
      key: folder.write('ws.key', key),
    }
    const gateway = await gate({
      url: `wss://localhost:${tools.port}/mcp`,
      tls,
      proxy: `http://127.0.0.1:${proxy.port}`,
    })
    const { status, body } = await gateway.ask()
    expect([status, JSON.stringify(body)]).toEqual([200, expect.stringContaining('for gate')])
    expect(new Set(proxy.asked)).toEqual(new Set([`localhost:${tools.port}`]))
    const careful = await gate({ url: `wss://localhost:${tools.port}/mcp` })
    expect(await careful.ask()).toMatchObject({ status: 502, body: { error: { code: -32603 } } })
    expect(careful.log.join('\n')).toContain('tls.ca')
  })
})

describe('HTTP/2', () => {
  type Held = { write(text: string): void; end(text?: string): void; reset(): void }

  async function startH2(): Promise<{
    port: number
    sessions: () => number
    held: Map<string, Held>
    gone: string[]
    paused: () => number
  }> {
    let sessions = 0
    let written = 0
    const held = new Map<string, Held>()
    const gone: string[] = []
    const server = createSecureServer({ ...own(), allowHTTP1: true })
    server.on('session', () => {
      sessions += 1
    })
    server.on('stream', async (stream, head) => {
      let text = ''
      stream.setEncoding('utf8')
      for await (const chunk of stream) text += chunk
      const { id, method, params } = JSON.parse(text)
      const tool = String(params?.name ?? method)
      stream.on('error', () => undefined)
      // The gate closed it before its end.
      stream.on('aborted', () => gone.push(tool))
      if (tool === 'flood') {
        stream.respond({ ':status': 200, 'content-type': 'text/event-stream' })
        const line = `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x'.repeat(16_000) } })}\n\n`
        const push = (): void => {
          while (!stream.destroyed && written < 200_000_000) {
            written += line.length
            if (!stream.write(line)) return void stream.once('drain', push)
          }
        }
        return push()
      }
      if (tool.startsWith('held')) {
        stream.respond({ ':status': 200, 'content-type': 'text/event-stream' })
        held.set(tool, {
          write: (part) => stream.write(part),
          end: (part) => stream.end(part),
          reset: () => stream.close(8),
        })
        return
      }
      stream.respond({ ':status': 200, 'content-type': 'application/json' })
      stream.end(
        JSON.stringify({
          jsonrpc: '2.0',
          id,
          result: resultOf(method, [{ type: 'text', text: String(head[':authority']) }]),
        }),
      )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => server.close())
    return { port: (server.address() as AddressInfo).port, sessions: () => sessions, held, gone, paused: () => written }
  }
  const PROGRESS =
    'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}\n\n'
  const ANSWER = 'data: {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}\n\n'

  it('carries calls, streams and their ends; what is left is closed at the server, and a slow reader holds it back', async () => {
    const tools = await startH2()
    const ca = folder.write('ca-5.crt', folder.authority.cert)
    const gateway = await gate(
      { url: `https://localhost:${tools.port}/mcp`, http2: true, tls: { ca } },
      { server: { limits: { streamStall: '300ms' } } },
    )
    expect(await gateway.ask()).toMatchObject({ status: 200 })
    for (const each of await Promise.all(Array.from({ length: 10 }, () => gateway.ask()))) expect(each.status).toBe(200)

    const streamed = gateway.ask('held-1')
    await until(() => tools.held.has('held-1'), 'the stream')
    tools.held.get('held-1')?.write(PROGRESS)
    tools.held.get('held-1')?.end(ANSWER)
    expect(await streamed).toMatchObject({ status: 200, body: { id: 1, result: expect.anything() } })

    const reset = gateway.ask('held-2')
    await until(() => tools.held.has('held-2'), 'the stream')
    tools.held.get('held-2')?.write(PROGRESS)
    tools.held.get('held-2')?.reset()
    expect((await reset).body).toMatchObject({ id: 1, error: { code: -32603 } })

    const leaving = new AbortController()
    const token = await gateway.tokenFor('tools')
    const open = (tool: string, signal?: AbortSignal) =>
      fetch(gateway.resource('tools'), {
        method: 'POST',
        ...(signal && { signal }),
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${token}`,
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'tools/call',
          'mcp-name': tool,
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: {
            name: tool,
            _meta: {
              'io.modelcontextprotocol/protocolVersion': '2026-07-28',
              'io.modelcontextprotocol/clientCapabilities': {},
            },
          },
        }),
      })
    const left = await open('held-3', leaving.signal)
    expect(left.status).toBe(200)
    leaving.abort()
    await until(() => tools.gone.includes('held-3'), 'the end of the stream at the server')

    const slow = await open('flood')
    await until(() => tools.gone.includes('flood'), 'the end of a stream that nobody reads')
    expect(tools.paused()).toBeLessThan(50_000_000)
    await slow.body?.cancel().catch(() => undefined)
    expect(await gateway.ask()).toMatchObject({ status: 200 })
    expect(await gateway.metrics()).toMatch(/mcp_upstream_in_flight\{server="tools"\} 0/)
  })
})

it('`config check` tells of files that are not there, and of servers that cannot be reached only by the way', async () => {
  const tools = await startTools()
  const ca = folder.write('ca-6.crt', folder.authority.cert)
  const config = (server: object) =>
    folder.write(
      'portcullis.json',
      JSON.stringify({ servers: [{ id: 'tools', ...server }], server: { listen: '127.0.0.1:0' } }),
    )
  const check = (server: object) => startCommand(['config', 'check', '--config', config(server)]).ended()
  const there = await check({ url: `https://localhost:${tools.port}/mcp`, tls: { ca } })
  expect(there).toMatchObject({ code: 0, stdout: expect.stringContaining('valid configuration') })
  expect(there.stderr).not.toContain('cannot be reached')
  const away = await check({ url: 'https://127.0.0.1:1/mcp' })
  expect(away).toMatchObject({ code: 0, stdout: expect.stringContaining('valid configuration') })
  expect(away.stderr).toMatch(/Note: tools cannot be reached now \(ECONNREFUSED\)/)
  expect(await check({ url: 'https://127.0.0.1:1/mcp', tls: { ca: '/nowhere/ca.crt' } })).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/tls\.ca.*no such file/s),
  })
})
