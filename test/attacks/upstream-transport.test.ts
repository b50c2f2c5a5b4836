// A server behind the gate that attacks the gate, or a stranger who would lead the gate elsewhere: catalogue rows B7, B8, E26, E28, E29 and
// E36 on the way to servers. B5 and B6: test/faults/slow-resolver.test.ts. E27: test/faults/upstream-faults.test.ts, src/mcp/relay.test.ts,
// src/mcp/bridge/post.test.ts. E26 and E36 byte by byte: src/protocol/events.test.ts, src/mcp/relay.test.ts. E25: test/attacks/conditions.test.ts.
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { brotliCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  answer,
  event,
  type FaultyCall,
  type FaultyServer,
  json,
  progress,
  startFaultyServer,
  stream,
} from '../support/faulty-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { mostHeld } from '../support/held-memory.ts'
import { callTool, listTools, type McpAnswer } from '../support/mcp.ts'
import { wrapped } from '../support/over-tls.ts'
import { until } from '../support/tls.ts'

const SECRET = 'canary-of-the-gate-4c1f'
const MB = 1024 * 1024

let evil: FaultyServer
let trap: Server
let trapUrl: string
const trapped: string[] = []
let gateway: TestGateway
let token: string
beforeAll(async () => {
  evil = await startFaultyServer()
  trap = createServer((req, res) => {
    trapped.push(`${req.method} ${req.url} ${JSON.stringify(req.headers)}`)
    res.end()
  })
  trap.listen(0, '127.0.0.1')
  await once(trap, 'listening')
  trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`
  const known = {
    url: evil.url,
    maxAnswer: '1mb',
    breaker: { failures: 10_000 },
    credentials: { type: 'headers', headers: { Authorization: `Bearer ${SECRET}` } },
  } as const
  gateway = await startGateway({
    servers: [
      { ...known, id: 'evil', requestTimeout: '2s', idleTimeout: '2s' },
      { ...known, id: 'slow', requestTimeout: '2m', idleTimeout: '2m' },
    ],
    policy: {
      rules: [
        { allow: ['*/*'], to: ['*'] },
        { deny: ['evil/hidden', 'slow/hidden'], to: ['*'] },
      ],
    },
    server: { limits: { streamStall: '500ms', streamsPerPrincipal: 1000 } },
  })
  token = await gateway.tokenFor('evil')
  // What era it is of is asked once.
  await callTool(gateway.resource('evil'), token, 'fine')
})
afterAll(async () => {
  await gateway?.close()
  await evil?.close()
  trap?.closeAllConnections()
  trap?.close()
})

let tools = 0
function call(act: (call: FaultyCall) => void): Promise<McpAnswer> {
  tools += 1
  evil.on(`attack-${tools}`, act)
  return callTool(gateway.resource('evil'), token, `attack-${tools}`)
}
/** One JSON-RPC error, which says nothing of what the server sent. */
const refused = { body: { jsonrpc: '2.0', id: 1, error: { code: -32603 } } }

describe('B7, E29: a server that sends elsewhere', () => {
  it.each([300, 301, 302, 303, 305, 307, 308])(
    'with %s is not followed, and nobody else gets the credential',
    async (status) => {
      const before = evil.called.length
      const got = await call(({ res }) => void res.writeHead(status, { location: `${trapUrl}/steal` }).end())
      expect(got).toMatchObject({ status: 502, ...refused })
      expect(got.headers.get('location')).toBeNull()
      // Not tried again either: it may have been done.
      expect(evil.called.length - before).toBe(1)
      expect(trapped).toEqual([])
    },
  )

  it('by a Refresh or a Content-Location is not followed, and the field goes no further', async () => {
    const got = await call(({ id, res }) => {
      res.setHeader('refresh', `0; url=${trapUrl}/`)
      res.setHeader('content-location', `${trapUrl}/`)
      res.setHeader('link', `<${trapUrl}/>; rel=preload`)
      res.setHeader('alt-svc', 'h2="127.0.0.1:1"')
      json(res, answer(id))
    })
    expect(got).toMatchObject({ status: 200, body: { id: 1, result: expect.anything() } })
    expect([...got.headers.keys()].filter((name) => /refresh|location|link|alt-svc/.test(name))).toEqual([])
    expect(trapped).toEqual([])
  })
})

describe('E28: a server’s 401', () => {
  it.each([401, 403, 407])('%s leads nobody anywhere: neither the gate nor its client', async (status) => {
    const challenge = `Bearer resource_metadata="${trapUrl}/.well-known/oauth-protected-resource", error="invalid_token"`
    const got = await call(
      ({ res }) =>
        void res.writeHead(status, { 'www-authenticate': challenge, 'proxy-authenticate': challenge }).end(challenge),
    )
    expect(got).toMatchObject({ status: 502, ...refused })
    expect(JSON.stringify([...got.headers, got.body])).not.toContain(trapUrl)
    expect(trapped).toEqual([])
  })
})

describe('B8: an answer that is no honest one', () => {
  const rows: readonly [string, (call: FaultyCall) => void][] = [
    [
      'is compressed, which nobody asked for',
      ({ id, res }) => {
        const bomb = brotliCompressSync(
          Buffer.from(JSON.stringify(answer(id, { content: [{ type: 'text', text: 'x'.repeat(5 * MB) }] }))),
        )
        res.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'br' }).end(bomb)
      },
    ],
    [
      'says it is longer than it is',
      ({ id, res }) => {
        res.writeHead(200, { 'content-type': 'application/json', 'content-length': '100000' })
        res.write(JSON.stringify(answer(id)))
        setTimeout(() => res.socket?.end(), 20)
      },
    ],
    [
      'says it is shorter than it is',
      ({ id, res }) => {
        const text = JSON.stringify(answer(id))
        res.socket?.end(
          `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${text.length - 5}\r\n\r\n${text}`,
        )
      },
    ],
    [
      'has two lengths',
      ({ id, res }) => {
        const text = JSON.stringify(answer(id))
        res.socket?.end(
          `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
        )
      },
    ],
    [
      'has a head of 200 KB',
      ({ res }) => {
        res.socket?.end(`HTTP/1.1 200 OK\r\n${`X-Filler: ${'x'.repeat(8000)}\r\n`.repeat(25)}\r\n`)
      },
    ],
    ['is no HTTP', ({ res }) => void res.socket?.end('SSH-2.0-OpenSSH_9.6\r\n')],
    [
      'has a session id that would break a header',
      ({ id, res }) => {
        res.socket?.end(
          `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: ${'s'.repeat(2000)}\r\nContent-Length: 2\r\nX-Id: ${String(id)}\r\n\r\n{}`,
        )
      },
    ],
    [
      'switches protocols',
      ({ res }) =>
        void res.socket?.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    ],
    [
      'goes on saying 100 Continue',
      ({ res }) => {
        const timer = setInterval(() => res.socket?.write('HTTP/1.1 100 Continue\r\n\r\n'), 50)
        res.on('close', () => clearInterval(timer))
      },
    ],
  ]
  it.each(rows)('%s: one error', async (_what, act) => {
    const got = await call(act)
    expect(got).toMatchObject(refused)
    expect([502, 504]).toContain(got.status)
  })

  it('a list larger than may be read, or deeper, is not filtered and not passed', async () => {
    const list = (text: string) => {
      evil.on('tools/list', ({ res }) => void res.writeHead(200, { 'content-type': 'application/json' }).end(text))
      return listTools(gateway.resource('evil'), token)
    }
    const tool = (name: string, description = '') => ({ name, description, inputSchema: { type: 'object' } })
    const told = (listed: readonly object[]) =>
      JSON.stringify(answer(1, { resultType: 'complete', ttlMs: 0, cacheScope: 'private', tools: listed }))
    expect((await list(told([tool('hidden'), tool('read')]))).body).toMatchObject({
      result: { tools: [{ name: 'read' }] },
    })
    expect(await list(told([tool('hidden', 'x'.repeat(2 * MB)), tool('read')]))).toMatchObject({
      status: 502,
      ...refused,
    })
    const deep = told([]).replace('"tools":[]', `"tools":[${'['.repeat(10_000)}${']'.repeat(10_000)}]`)
    expect(await list(deep)).toMatchObject({ status: 502, ...refused })
  })
})

describe('B8: an answer in parts of one byte', () => {
  /** Each byte a chunk of its own (RFC 9112 §7.1), written no faster than it is read. */
  function crumble(res: ServerResponse, type: string, text: string): void {
    const head = ['HTTP/1.1 200 OK', `Content-Type: ${type}`, 'Transfer-Encoding: chunked', 'Connection: close']
    res.socket?.write(`${head.join('\r\n')}\r\n\r\n`)
    let at = 0
    const more = (): void => {
      while (at < text.length && res.socket?.destroyed === false) {
        const part = text.slice(at, at + 4096)
        at += part.length
        if (res.socket.write(part.replace(/./gs, '1\r\n$&\r\n')) === false) return void res.socket.once('drain', more)
      }
      res.socket?.end('0\r\n\r\n')
    }
    more()
  }
  const LISTED = JSON.stringify(
    answer(1, {
      resultType: 'complete',
      ttlMs: 0,
      cacheScope: 'private',
      tools: ['hidden', 'read'].map((name) => ({
        name,
        description: 'x'.repeat(400_000),
        inputSchema: { type: 'object' },
      })),
    }),
  )

  it.each([
    ['application/json', LISTED],
    ['text/event-stream', `data: ${LISTED}\n\n`],
  ])('as %s is held as what it weighs, and filtered', async (type, text) => {
    evil.on('tools/list', ({ res }) => crumble(res, type, text))
    let got: McpAnswer | undefined
    const patient = await gateway.tokenFor('slow')
    const most = await mostHeld(async () => {
      got = await listTools(gateway.resource('slow'), patient)
    })
    expect(got?.body).toMatchObject({ result: { tools: [{ name: 'read' }] } })
    // Over a hundred bytes for each, were each kept by itself.
    expect(most).toBeLessThan(text.length * 40)
  })
})

describe('E26: what a server writes into its stream', () => {
  const RESULT = JSON.stringify(answer(1, { resultType: 'complete', content: [] }))
  it.each([
    ['a carriage return for a line break', `event: message\rdata: ${RESULT}\r\r`],
    ['an id with a NUL', `id: a\0b\ndata: ${RESULT}\n\n`],
    ['another event inside the data', `data: ${RESULT}\n\nevent: endpoint\ndata: http://evil.example/\n\n`],
    ['a second answer behind the first', `data: ${RESULT}\n\ndata: ${RESULT}\n\n`],
    ['a retry of a year', `retry: 31536000000\ndata: ${RESULT}\n\n`],
  ])('%s makes no second message of one', async (_what, text) => {
    let whole = ''
    tools += 1
    evil.on(`attack-${tools}`, ({ res }) => void stream(res).end(text))
    const response = await fetch(gateway.resource('evil'), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${token}`,
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': `attack-${tools}`,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: {
          name: `attack-${tools}`,
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    })
    whole = await response.text()
    const data = whole.split(/\r\n|\r|\n/).filter((line) => line.startsWith('data:'))
    expect(data).toEqual([`data: ${RESULT}`])
    expect(whole).not.toContain('evil.example')
  })
})

// 100 streams in place of 1,000, and what a server can push into them in a second in place of 100 MB each: the same bound for each of them
// is measured, and the test machine has two cores.
it('E36: many readers that stand still cost the gate their buffers, and are dropped', async () => {
  const READERS = 100
  let pushed = 0
  let dropped = 0
  evil.on('flood', ({ res }) => {
    res.on('close', () => (dropped += 1))
    const line = event({ ...progress, params: { progressToken: 1, progress: 1, message: 'x'.repeat(32_000) } })
    const push = (): void => {
      while (!res.destroyed) {
        pushed += line.length
        if (!res.write(line)) return void res.once('drain', push)
      }
    }
    stream(res)
    push()
  })
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'flood',
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  })
  const head = [
    'POST /servers/evil/mcp HTTP/1.1',
    `Host: 127.0.0.1:${gateway.port}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    'Accept: application/json, text/event-stream',
    'MCP-Protocol-Version: 2026-07-28',
    'Mcp-Method: tools/call',
    'Mcp-Name: flood',
    `Content-Length: ${body.length}`,
  ]
  const sockets: Socket[] = []
  const most = await mostHeld(async () => {
    for (let reader = 0; reader < READERS; reader++) {
      const plain = connect(gateway.port, '127.0.0.1')
      await once(plain, 'connect')
      const socket = await wrapped(plain)
      socket.on('error', () => undefined).pause()
      socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
      sockets.push(socket)
    }
    // What the kernel keeps for each of them goes through both ends first: hundreds of megabytes.
    await expect.poll(() => dropped, { timeout: 100_000 }).toBe(READERS)
  })
  for (const socket of sockets) socket.destroy()
  expect(pushed).toBeGreaterThan(READERS * 256 * 1024)
  // Both ends of the evil server's connections are in this process as well: three buffers a stream.
  expect(most).toBeLessThan(READERS * 3 * 512 * 1024)
  expect(await callTool(gateway.resource('evil'), token, 'fine')).toMatchObject({ status: 200 })
  // Whatever the server did above, nothing is taken for under way any more.
  await until(
    async () => (await gateway.metrics()).includes('mcp_upstream_in_flight{server="evil"} 0'),
    'the end of all calls',
  )
}, 150_000)
