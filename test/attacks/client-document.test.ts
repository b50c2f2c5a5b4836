// Rows B5–B8 of the attack catalogue: how a client ID metadata document is fetched, seen from a stranger who chooses the address, the
// name server, the host and every byte of the answer. draft-ietf-oauth-client-id-metadata-document-02, MCP 2026-07-28 (Authorization).
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { documentOf, type Serve, sendDocument, startDocumentHost } from '../support/document-host.ts'
import { type DocumentRange, FETCH_FAILED, startDocumentRange } from '../support/document-range.ts'
import type { Seen } from '../support/oauth-range.ts'
import { attackTable } from '../support/range.ts'

let stranger: DocumentRange
beforeAll(async () => {
  stranger = await startDocumentRange()
})
beforeEach(() => stranger.reset())
afterAll(() => stranger?.close())

/** Without what differs from page to page. */
const bare = ({ html }: Seen) => html.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'REQUEST')

// ---- B5: where the address leads.

/** Hosts that this process began to connect to, by undici, which is what fetches. */
function watchConnections(): { readonly hosts: string[]; stop(): void } {
  const hosts: string[] = []
  const note = (message: unknown) => {
    const { connectParams } = message as { connectParams: { hostname: string; port: string } }
    hosts.push(`${connectParams.hostname}:${connectParams.port}`)
  }
  subscribe('undici:client:beforeConnect', note)
  return { hosts, stop: () => unsubscribe('undici:client:beforeConnect', note) }
}

const CLASSES: readonly { id: string; addresses: readonly string[] }[] = [
  ...['127.0.0.1', '127.255.255.254', '10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1'],
  ...['169.254.169.254', '169.254.170.2', '100.64.0.1', '100.127.255.255', '100.100.100.200', '0.0.0.0', '0.1.2.3'],
  ...['192.0.0.192', '192.0.2.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255'],
  ...['240.0.0.1', '255.255.255.255', '::', '::1', 'fc00::1', 'fd00:ec2::254', 'fe80::1', 'fe80::1%lo', 'fec0::1'],
  ...['ff02::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:0:7f00:1', '::7f00:1', '::127.0.0.1'],
  ...['64:ff9b::a9fe:a9fe', '64:ff9b::127.0.0.1', '64:ff9b:1::a9fe:a9fe', '2002:a9fe:a9fe::1', '2002:7f00:1::'],
  ...['2001::1', '2001:db8::1', '2606:4700::5efe:192.168.1.1', '2606:4700::200:5efe:127.0.0.1', '100::1', '3fff::1'],
].map((address) => ({ id: address, addresses: [address] }))
const MIXES = [
  { id: 'public, then loopback', addresses: ['93.184.215.14', '127.0.0.1'] },
  { id: 'loopback, then public', addresses: ['127.0.0.1', '93.184.215.14'] },
  { id: 'a public A, a loopback AAAA', addresses: ['93.184.215.14', '::1'] },
  { id: 'many public ones, one private', addresses: ['93.184.215.14', '1.1.1.1', '8.8.8.8', '10.0.0.1'] },
  { id: 'none', addresses: [] },
  { id: 'what is no address', addresses: ['localhost'] },
]

let names = 0
attackTable('B5, B6: a name that means', [...CLASSES, ...MIXES], async ({ addresses }) => {
  const name = `d${++names}.attacker.example`
  stranger.resolver.point(name, addresses)
  const watch = watchConnections()
  const seen = await stranger.expectDisbelieved(stranger.strict, `https://${name}:${stranger.host.port}/client.json`)
  watch.stop()
  expect(seen.html).toContain(FETCH_FAILED)
  expect(stranger.resolver.asked(name)).toBe(1)
  expect(watch.hosts).not.toContain(`${name}:${stranger.host.port}`)
  expect(stranger.host.connections).toBe(0)
  expect(stranger.strict.gateway.log.join('\n')).toContain(`https://${name}:${stranger.host.port}/client.json`)
})

const port = () => stranger.host.port
const LITERALS: readonly { id: string; url: () => string }[] = [
  { id: '127.0.0.1', url: () => `https://127.0.0.1:${port()}/c` },
  { id: '127.255.0.1', url: () => `https://127.255.0.1:${port()}/c` },
  { id: '0.0.0.0', url: () => `https://0.0.0.0:${port()}/c` },
  { id: '10.0.0.1', url: () => 'https://10.0.0.1/c' },
  { id: '169.254.169.254', url: () => 'https://169.254.169.254/latest/meta-data/' },
  { id: '[::1]', url: () => `https://[::1]:${port()}/c` },
  { id: '[::]', url: () => `https://[::]:${port()}/c` },
  { id: '[::ffff:7f00:1]', url: () => `https://[::ffff:7f00:1]:${port()}/c` },
  { id: '[::7f00:1]', url: () => `https://[::7f00:1]:${port()}/c` },
  { id: '[64:ff9b::7f00:1]', url: () => `https://[64:ff9b::7f00:1]:${port()}/c` },
  { id: '[fe80::1]', url: () => `https://[fe80::1]:${port()}/c` },
  { id: 'localhost', url: () => `https://localhost:${port()}/c` },
  { id: 'localhost.', url: () => `https://localhost.:${port()}/c` },
  { id: 'a name below localhost', url: () => `https://x.localhost:${port()}/c` },
]

attackTable('B5: the address itself', LITERALS, async ({ url }) => {
  const seen = await stranger.expectDisbelieved(stranger.strict, url())
  expect(seen.html).toContain(FETCH_FAILED)
  expect(stranger.host.connections).toBe(0)
})

/** The URL parser makes loopback of each; none is the spelling it would write, so none is a document's address at all. */
const OTHER_SPELLINGS = [
  '0177.0.0.1',
  '2130706433',
  '0x7f.1',
  '0x7f000001',
  '127.1',
  '127.0.1',
  '0',
  '00',
  '017700000001',
  '127。0。0。1',
  '①②⑦.0.0.1',
  '１２７.0.0.1',
  '127.0.0.1.',
  'LOCALHOST',
  '%6cocalhost',
  'loc\u00adalhost',
  '[::ffff:127.0.0.1]',
  '[0:0:0:0:0:0:0:1]',
  '[::0001]',
]

attackTable(
  'B5: the address in another spelling',
  OTHER_SPELLINGS.map((id) => ({ id })),
  async ({ id }) => {
    for (const range of [stranger.strict, stranger.lax])
      await stranger.expectDisbelieved(range, `https://${id}:${stranger.host.port}/c`)
    expect(stranger.host.connections).toBe(0)
  },
)

describe('B5: the answer', () => {
  it('does not tell an open port from a closed one, nor a name that is there from one that is not', async () => {
    stranger.resolver.point('inside.attacker.example', ['10.0.0.1'])
    stranger.resolver.point('nowhere.attacker.example', [])
    const pages = [
      await stranger.expectDisbelieved(stranger.strict, `https://127.0.0.1:${stranger.host.port}/c`),
      await stranger.expectDisbelieved(stranger.strict, 'https://127.0.0.1:1/c'),
      await stranger.expectDisbelieved(stranger.strict, 'https://inside.attacker.example/c'),
      await stranger.expectDisbelieved(stranger.strict, 'https://nowhere.attacker.example/c'),
    ]
    expect(new Set(pages.map(bare)).size).toBe(1)
    const open = await stranger.expectDisbelieved(stranger.lax, 'https://127.0.0.1:1/c')
    stranger.host.answer((_req, res) => void res.writeHead(500).end())
    expect(bare(await stranger.expectDisbelieved(stranger.lax, stranger.fresh()))).toBe(bare(open))
  })

  it('on loopback is read in development, where the attempts above would have been seen', async () => {
    const watch = watchConnections()
    await stranger.expectBelieved()
    watch.stop()
    expect(watch.hosts).toContain(`127.0.0.1:${stranger.host.port}`)
    expect(stranger.host.connections).toBe(1)
  })
})

// ---- B6: what the name means a moment later.

describe('B6: DNS rebinding', () => {
  it('connects to the vetted address, asks the resolver once, and keeps name and SNI', async () => {
    const inside = await startDocumentHost('127.0.0.2', stranger.host.port)
    let [heard, sni]: unknown[] = []
    stranger.host.answer((req, res) => {
      heard = req.headers.host
      sni = 'servername' in req.socket ? req.socket.servername : undefined
      sendDocument(res, documentOf(`https://localhost:${stranger.host.port}${req.url}`))
    })
    stranger.resolver.point('localhost', ['127.0.0.1'], ['127.0.0.2'], ['10.0.0.1'])
    await stranger.expectBelieved(`https://localhost:${stranger.host.port}/rebound.json`)
    expect(stranger.resolver.asked('localhost')).toBe(1)
    expect({ vetted: stranger.host.connections, inside: inside.connections }).toEqual({ vetted: 1, inside: 0 })
    expect({ heard, sni }).toEqual({ heard: `localhost:${stranger.host.port}`, sni: 'localhost' })
    await inside.close()
  })

  it('is vetted at every fetch: what was good yesterday is not good for ever', async () => {
    stranger.resolver.point('localhost', ['127.0.0.1'], ['10.0.0.1'])
    stranger.host.answer((req, res) =>
      sendDocument(res, documentOf(`https://localhost:${stranger.host.port}${req.url}`), {
        'cache-control': 'no-store',
      }),
    )
    await stranger.expectBelieved(`https://localhost:${stranger.host.port}/again.json`)
    stranger.host.forget()
    await stranger.expectDisbelieved(stranger.lax, `https://localhost:${stranger.host.port}/again.json`)
    expect(stranger.host.connections).toBe(0)
  })
})

// ---- B7: sent on.

const REDIRECTS = [301, 302, 303, 307, 308, 300, 304, 305].map((status) => ({ id: String(status), status }))
attackTable('B7: a redirect is a failure, and not followed:', REDIRECTS, async ({ status }) => {
  const inside = await startDocumentHost()
  for (const target of [
    `${inside.origin}/c`,
    `${stranger.host.origin}/good.json`,
    '/good.json',
    'https://169.254.169.254/',
  ]) {
    stranger.host.answer((req, res) => {
      if (req.url === '/good.json') return sendDocument(res, documentOf(`${stranger.host.origin}/good.json`))
      res.writeHead(status, { location: target, refresh: `0; url=${target}` }).end()
    })
    expect((await stranger.expectDisbelieved(stranger.lax, stranger.fresh())).html).toContain(FETCH_FAILED)
  }
  expect(inside.connections).toBe(0)
  expect(stranger.host.paths).not.toContain('/good.json')
  await inside.close()
})

describe('B7: other ways to send on', () => {
  it.each(['refresh', 'location', 'content-location', 'link', 'alt-svc'])(
    '%s beside a document is not read',
    async (name) => {
      const inside = await startDocumentHost()
      const target = name === 'alt-svc' ? `h2="127.0.0.1:${inside.port}"` : `0; url=${inside.origin}/c`
      stranger.host.answer((req, res) =>
        sendDocument(res, documentOf(`${stranger.host.origin}${req.url}`), { [name]: target }),
      )
      await stranger.expectBelieved()
      expect(inside.connections).toBe(0)
      await inside.close()
    },
  )
})

// ---- B8: too much, too slow, or no document.

const KILO = 1024
const padded = (id: string, size: number): string => {
  const text = JSON.stringify(documentOf(id, { x: '' }))
  return JSON.stringify(documentOf(id, { x: 'x'.repeat(size - text.length) }))
}
const idOf = (url: string | undefined) => `${stranger.host.origin}${url}`

const BODIES: readonly { id: string; serve: Serve }[] = [
  { id: 'of 6 KB', serve: (req, res) => sendDocument(res, padded(idOf(req.url), 6 * KILO)) },
  { id: 'one byte too long', serve: (req, res) => sendDocument(res, padded(idOf(req.url), 5 * KILO + 1)) },
  { id: 'of 50 MB', serve: (_req, res) => sendDocument(res, Buffer.alloc(50 * KILO * KILO, 0x20)) },
  {
    id: 'without an end',
    serve: (_req, res) => {
      const more = (): unknown => !res.destroyed && res.write(Buffer.alloc(64 * KILO, 0x20), () => setImmediate(more))
      res.writeHead(200)
      more()
    },
  },
  {
    id: 'announced longer than it is',
    serve: (req, res) => {
      const text = JSON.stringify(documentOf(idOf(req.url)))
      res.writeHead(200, { 'content-length': String(text.length + 10) }).write(text, () => res.destroy())
    },
  },
  {
    id: 'announced as 10 GB',
    serve: (_req, res) => void res.writeHead(200, { 'content-length': '10737418240' }).write('{', () => res.destroy()),
  },
  {
    id: 'cut off',
    serve: (req, res) => void res.writeHead(200).write(JSON.stringify(documentOf(idOf(req.url))), () => res.destroy()),
  },
  { id: 'closed before its head', serve: (req) => void req.socket.destroy() },
  {
    id: 'a brotli bomb',
    serve: (_req, res) =>
      sendDocument(res, brotliCompressSync(Buffer.alloc(50 * KILO * KILO)), { 'content-encoding': 'br' }),
  },
  {
    id: 'a gzip bomb',
    serve: (_req, res) => sendDocument(res, gzipSync(Buffer.alloc(50 * KILO * KILO)), { 'content-encoding': 'gzip' }),
  },
  {
    id: 'a good one, compressed',
    serve: (req, res) =>
      sendDocument(res, gzipSync(JSON.stringify(documentOf(idOf(req.url)))), { 'content-encoding': 'gzip' }),
  },
  {
    id: 'a good one, compressed and not said to be',
    serve: (req, res) => sendDocument(res, gzipSync(JSON.stringify(documentOf(idOf(req.url))))),
  },
  { id: 'lists as deep as fit', serve: (_req, res) => sendDocument(res, '['.repeat(2500) + ']'.repeat(2500)) },
  {
    id: 'a head of 1 MB',
    serve: (req, res) => sendDocument(res, documentOf(idOf(req.url)), { x: 'x'.repeat(KILO * KILO) }),
  },
  { id: 'empty', serve: (_req, res) => sendDocument(res, '') },
  { id: 'no JSON', serve: (_req, res) => sendDocument(res, '<!doctype html>') },
  { id: 'a list', serve: (req, res) => sendDocument(res, [documentOf(idOf(req.url))]) },
  { id: 'null', serve: (_req, res) => sendDocument(res, 'null') },
  { id: 'a text', serve: (req, res) => sendDocument(res, JSON.stringify(idOf(req.url))) },
  {
    id: 'a byte order mark',
    serve: (req, res) => sendDocument(res, `\ufeff${JSON.stringify(documentOf(idOf(req.url)))}`),
  },
  {
    id: 'a bad byte',
    serve: (req, res) =>
      sendDocument(res, Buffer.from(JSON.stringify(documentOf(idOf(req.url), { x: '\xff' })), 'latin1')),
  },
  {
    id: 'UTF-16',
    serve: (req, res) => sendDocument(res, Buffer.from(JSON.stringify(documentOf(idOf(req.url))), 'utf16le')),
  },
  { id: 'two documents', serve: (req, res) => sendDocument(res, JSON.stringify(documentOf(idOf(req.url))).repeat(2)) },
  ...[201, 202, 203, 204, 206, 400, 401, 403, 404, 410, 429, 500, 503].map((status) => ({
    id: `status ${status}`,
    serve: ((req, res) => void res.writeHead(status).end(JSON.stringify(documentOf(idOf(req.url))))) satisfies Serve,
  })),
]

attackTable('B8: an answer', BODIES, async ({ serve }) => {
  stranger.host.answer(serve)
  expect((await stranger.expectDisbelieved(stranger.lax, stranger.fresh())).html).toContain(FETCH_FAILED)
  // Whatever it offers, no more is taken than its kernel had already sent.
  expect(stranger.host.bytesTaken).toBeLessThan(16 * KILO * KILO)
  stranger.host.answer((req, res) => sendDocument(res, padded(idOf(req.url), 5 * KILO)))
  await stranger.expectBelieved()
})

describe('B8: a byte a second', () => {
  it('is given up on, and nobody else waits for it', async () => {
    stranger.host.answer((req, res) => {
      if (!req.url?.startsWith('/slow')) return sendDocument(res, documentOf(idOf(req.url)))
      const drip = setInterval(() => res.write(' '), 1000)
      res.writeHead(200).once('close', () => clearInterval(drip))
    })
    const slow = stranger.expectDisbelieved(stranger.lax, `${stranger.host.origin}/slow.json`)
    await stranger.expectBelieved()
    expect((await slow).html).toContain(FETCH_FAILED)
  })
})
