// Rows B5–B15 of the attack catalogue: client ID metadata documents, seen from a stranger who chooses the address, the name server,
// the host and every byte of the answer. draft-ietf-oauth-client-id-metadata-document-02, MCP 2026-07-28 (Authorization).
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { knownClient, type Parameters, registerClient, type TestClient } from '../support/client.ts'
import { type DocumentHost, documentOf, type Serve, sendDocument, startDocumentHost } from '../support/document-host.ts'
import {
  expectLocalPage,
  expectRefused,
  expectServed,
  GOOD,
  type OAuthRange,
  SCOPE,
  type Seen,
  send,
  startOAuthRange,
} from '../support/oauth-range.ts'
import { attackTable } from '../support/range.ts'
import { type Resolver, takeOverResolver } from '../support/resolver.ts'

let host: DocumentHost
let resolver: Resolver
/** As in production. */
let strict: OAuthRange
/** For developers: documents may be on loopback, where the host of these tests is. */
let lax: OAuthRange
let client: TestClient

beforeAll(async () => {
  host = await startDocumentHost()
  resolver = takeOverResolver()
  strict = await startOAuthRange()
  lax = await startOAuthRange({ server: { development: true } })
  client = await registerClient(lax.gateway)
})
afterAll(async () => {
  resolver?.restore()
  await strict?.close()
  await lax?.close()
  await host?.close()
})
beforeEach(() => {
  // Ten documents a minute from one host, a hundred and twenty in all: another row's matter.
  for (const { gateway } of [strict, lax]) gateway.clock.advance('2m')
  host.forget()
  host.answer((req, res) => sendDocument(res, documentOf(`${host.origin}${req.url}`)))
})

const requestOf = (range: OAuthRange, id: string, bend: Parameters = {}): string => {
  const { url } = client.authorize({
    client_id: id,
    redirect_uri: GOOD,
    resource: range.resource,
    scope: SCOPE,
    ...bend,
  })
  return url.replace(lax.gateway.url, range.gateway.url)
}

let page = 0
/** The address of a document that was never asked for. */
const fresh = (): string => `${host.origin}/client-${++page}.json`

/** Believed: the browser goes on to the consent page. */
async function expectBelieved(id = fresh(), bend: Parameters = {}): Promise<Seen> {
  const seen = await send(requestOf(lax, id, bend))
  expect({ status: seen.status, location: seen.location }).toEqual({
    status: 303,
    location: expect.stringContaining('/interaction/'),
  })
  return seen
}

/** Every refusal says the same sentence, whatever went wrong. */
async function expectDisbelieved(range: OAuthRange, id: string, bend: Parameters = {}): Promise<Seen> {
  const seen = await expectRefused(range, 'invalid_client', () => send(requestOf(range, id, bend)))
  expectLocalPage(seen)
  return seen
}

/** Without what differs from page to page. */
const bare = ({ html }: Seen) => html.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'REQUEST')

const FAILED = 'invalid_client: client_id metadata document fetch failed'

// ---- B5: where the address leads.

/** Hosts that this process began to connect to, by undici, which is what fetches. */
function watchConnections(): { readonly hosts: string[]; stop(): void } {
  const hosts: string[] = []
  const note = (message: unknown) => {
    const { connectParams } = message as { connectParams: { hostname: string } }
    hosts.push(connectParams.hostname)
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

attackTable('B5, B6: a name that means', [...CLASSES, ...MIXES], async ({ addresses }) => {
  const name = `d${++page}.attacker.example`
  resolver.point(name, addresses)
  const watch = watchConnections()
  const seen = await expectDisbelieved(strict, `https://${name}:${host.port}/client.json`)
  watch.stop()
  expect(seen.html).toContain(FAILED)
  expect(resolver.asked(name)).toBe(1)
  expect(watch.hosts).not.toContain(name)
  expect(host.connections).toBe(0)
  expect(strict.gateway.log.join('\n')).toContain(`https://${name}:${host.port}/client.json`)
})

const port = () => host.port
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
  const seen = await expectDisbelieved(strict, url())
  expect(seen.html).toContain(FAILED)
  expect(host.connections).toBe(0)
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
    for (const range of [strict, lax]) await expectDisbelieved(range, `https://${id}:${host.port}/c`)
    expect(host.connections).toBe(0)
  },
)

describe('B5: the answer', () => {
  it('does not tell an open port from a closed one, nor a name that is there from one that is not', async () => {
    resolver.point('inside.attacker.example', ['10.0.0.1'])
    resolver.point('nowhere.attacker.example', [])
    const pages = [
      await expectDisbelieved(strict, `https://127.0.0.1:${host.port}/c`),
      await expectDisbelieved(strict, 'https://127.0.0.1:1/c'),
      await expectDisbelieved(strict, 'https://inside.attacker.example/c'),
      await expectDisbelieved(strict, 'https://nowhere.attacker.example/c'),
    ]
    expect(new Set(pages.map(bare)).size).toBe(1)
    const open = await expectDisbelieved(lax, 'https://127.0.0.1:1/c')
    host.answer((_req, res) => void res.writeHead(500).end())
    expect(bare(await expectDisbelieved(lax, fresh()))).toBe(bare(open))
  })

  it('on loopback is read in development, where the attempts above would have been seen', async () => {
    const watch = watchConnections()
    await expectBelieved()
    watch.stop()
    expect(watch.hosts).toContain('127.0.0.1')
    expect(host.connections).toBe(1)
  })
})

// ---- B6: what the name means a moment later.

describe('B6: DNS rebinding', () => {
  it('connects to the vetted address, asks the resolver once, and keeps name and SNI', async () => {
    const inside = await startDocumentHost('127.0.0.2', host.port)
    let [heard, sni]: unknown[] = []
    host.answer((req, res) => {
      heard = req.headers.host
      sni = 'servername' in req.socket ? req.socket.servername : undefined
      sendDocument(res, documentOf(`https://localhost:${host.port}${req.url}`))
    })
    resolver.point('localhost', ['127.0.0.1'], ['127.0.0.2'], ['10.0.0.1'])
    await expectBelieved(`https://localhost:${host.port}/rebound.json`)
    expect(resolver.asked('localhost')).toBe(1)
    expect({ vetted: host.connections, inside: inside.connections }).toEqual({ vetted: 1, inside: 0 })
    expect({ heard, sni }).toEqual({ heard: `localhost:${host.port}`, sni: 'localhost' })
    await inside.close()
  })

  it('is vetted at every fetch: what was good yesterday is not good for ever', async () => {
    resolver.point('localhost', ['127.0.0.1'], ['10.0.0.1'])
    host.answer((req, res) =>
      sendDocument(res, documentOf(`https://localhost:${host.port}${req.url}`), { 'cache-control': 'no-store' }),
    )
    await expectBelieved(`https://localhost:${host.port}/again.json`)
    host.forget()
    await expectDisbelieved(lax, `https://localhost:${host.port}/again.json`)
    expect(host.connections).toBe(0)
  })
})

// ---- B7: sent on.

const REDIRECTS = [301, 302, 303, 307, 308, 300, 304, 305].map((status) => ({ id: String(status), status }))
attackTable('B7: a redirect is a failure, and not followed:', REDIRECTS, async ({ status }) => {
  const inside = await startDocumentHost()
  for (const target of [`${inside.origin}/c`, `${host.origin}/good.json`, '/good.json', 'https://169.254.169.254/']) {
    host.answer((req, res) => {
      if (req.url === '/good.json') return sendDocument(res, documentOf(`${host.origin}/good.json`))
      res.writeHead(status, { location: target, refresh: `0; url=${target}` }).end()
    })
    expect((await expectDisbelieved(lax, fresh())).html).toContain(FAILED)
  }
  expect(inside.connections).toBe(0)
  expect(host.paths).not.toContain('/good.json')
  await inside.close()
})

describe('B7: other ways to send on', () => {
  it.each(['refresh', 'location', 'content-location', 'link', 'alt-svc'])(
    '%s beside a document is not read',
    async (name) => {
      const inside = await startDocumentHost()
      const target = name === 'alt-svc' ? `h2="127.0.0.1:${inside.port}"` : `0; url=${inside.origin}/c`
      host.answer((req, res) => sendDocument(res, documentOf(`${host.origin}${req.url}`), { [name]: target }))
      await expectBelieved()
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
const idOf = (url: string | undefined) => `${host.origin}${url}`

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
  host.answer(serve)
  expect((await expectDisbelieved(lax, fresh())).html).toContain(FAILED)
  // Whatever it offers, no more is taken than its kernel had already sent.
  expect(host.bytesTaken).toBeLessThan(16 * KILO * KILO)
  host.answer((req, res) => sendDocument(res, padded(idOf(req.url), 5 * KILO)))
  await expectBelieved()
})

describe('B8: a byte a second', () => {
  it('is given up on, and nobody else waits for it', async () => {
    host.answer((req, res) => {
      if (!req.url?.startsWith('/slow')) return sendDocument(res, documentOf(idOf(req.url)))
      const drip = setInterval(() => res.write(' '), 1000)
      res.writeHead(200).once('close', () => clearInterval(drip))
    })
    const slow = expectDisbelieved(lax, `${host.origin}/slow.json`)
    await expectBelieved()
    expect((await slow).html).toContain(FAILED)
  })
})

// ---- B9: whose document it is, letter by letter.

const NAMES: readonly { id: string; asked: () => string; says: (id: string) => unknown }[] = [
  { id: 'default port', asked: () => `${host.origin}/b9.json`, says: (id) => id.replace(/:\d+/, ':443') },
  { id: 'no port', asked: fresh, says: (id) => id.replace(/:\d+/, '') },
  { id: 'a slash at the end', asked: fresh, says: (id) => `${id}/` },
  {
    id: 'host in upper case',
    asked: () => `https://localhost:${host.port}/b9.json`,
    says: (id) => id.replace('localhost', 'LOCALHOST'),
  },
  { id: 'scheme in upper case', asked: fresh, says: (id) => id.replace('https', 'HTTPS') },
  { id: 'path in upper case', asked: fresh, says: (id) => id.replace('client', 'CLIENT') },
  {
    id: 'escapes in upper case',
    asked: () => `${host.origin}/b9%c3%a4.json`,
    says: (id) => id.replace('%c3%a4', '%C3%A4'),
  },
  { id: 'a letter escaped', asked: fresh, says: (id) => id.replace('/client', '/%63lient') },
  { id: 'an escape written out', asked: () => `${host.origin}/b9%c3%a5.json`, says: (id) => id.replace('%c3%a5', 'å') },
  { id: 'a query', asked: fresh, says: (id) => `${id}?` },
  { id: 'a fragment', asked: fresh, says: (id) => `${id}#` },
  { id: 'a dot segment', asked: fresh, says: (id) => id.replace('/client', '/./client') },
  { id: 'a space', asked: fresh, says: (id) => `${id} ` },
  { id: 'another host', asked: fresh, says: () => 'https://honest.example/client.json' },
  { id: 'a list', asked: fresh, says: (id) => [id] },
  { id: 'missing', asked: fresh, says: () => undefined },
  { id: 'null', asked: fresh, says: () => null },
]

attackTable('B9: a document that calls itself', NAMES, async ({ asked, says }) => {
  resolver.point('localhost', ['127.0.0.1'])
  const id = asked()
  host.answer((_req, res) => sendDocument(res, documentOf(id, { client_id: says(id) })))
  expect((await expectDisbelieved(lax, id)).html).toContain(FAILED)
  host.answer((_req, res) => sendDocument(res, documentOf(id)))
  await expectBelieved(id)
})

// ---- B10: what is no address of a document.

const SYNTAX: readonly { id: string; url: (origin: string) => string }[] = [
  { id: 'http', url: (origin) => `${origin.replace('https', 'http')}/c.json` },
  { id: 'no path', url: (origin) => origin },
  { id: 'the root', url: (origin) => `${origin}/` },
  { id: 'the root with a query', url: (origin) => `${origin}/?c` },
  { id: 'a dot', url: (origin) => `${origin}/./c.json` },
  { id: 'two dots', url: (origin) => `${origin}/x/../c.json` },
  { id: 'two dots at the end', url: (origin) => `${origin}/c.json/..` },
  { id: 'encoded dots', url: (origin) => `${origin}/%2e%2e/c.json` },
  { id: 'half-encoded dots', url: (origin) => `${origin}/.%2E/c.json` },
  { id: 'a fragment', url: (origin) => `${origin}/c.json#x` },
  { id: 'an empty fragment', url: (origin) => `${origin}/c.json#` },
  { id: 'userinfo', url: (origin) => origin.replace('//', '//user@') + '/c.json' },
  { id: 'userinfo with a password', url: (origin) => origin.replace('//', '//user:pw@') + '/c.json' },
  { id: 'empty userinfo', url: (origin) => origin.replace('//', '//@') + '/c.json' },
  { id: 'a tab', url: (origin) => `${origin}/c\t.json` },
  { id: 'a line feed', url: (origin) => `${origin}/c\n.json` },
  { id: 'a space before', url: (origin) => ` ${origin}/c.json` },
  { id: 'a space after', url: (origin) => `${origin}/c.json ` },
  { id: 'a space inside', url: (origin) => `${origin}/c c.json` },
  { id: 'backslashes', url: (origin) => `https:\\\\${origin.slice(8)}\\c.json` },
  { id: 'one backslash', url: (origin) => `${origin}\\c.json` },
  { id: 'one slash', url: (origin) => `https:/${origin.slice(8)}/c.json` },
  { id: 'three slashes', url: (origin) => `https:///${origin.slice(8)}/c.json` },
  { id: 'no slashes', url: (origin) => `https:${origin.slice(8)}/c.json` },
  { id: 'scheme in upper case', url: (origin) => `HTTPS://${origin.slice(8)}/c.json` },
  { id: 'a port with a zero', url: (origin) => `${origin.replace(/:(\d+)$/, ':0$1')}/c.json` },
  { id: 'a letter beyond ASCII', url: (origin) => `${origin}/ç.json` },
  { id: 'longer than any', url: (origin) => `${origin}/${'c'.repeat(2100)}` },
  { id: 'javascript', url: () => 'javascript:alert(1)' },
  { id: 'data', url: () => 'data:application/json,{}' },
  { id: 'file', url: () => 'file:///etc/passwd' },
  { id: 'ftp', url: () => 'ftp://127.0.0.1/c.json' },
]

attackTable('B10: no address of a document:', SYNTAX, async ({ url }) => {
  const id = url(host.origin)
  // It would agree to be called anything.
  host.answer((_req, res) => sendDocument(res, documentOf(id)))
  await expectDisbelieved(lax, id)
  expect(host.connections).toBe(0)
  const neighbour = fresh()
  host.answer((_req, res) => sendDocument(res, documentOf(neighbour)))
  await expectBelieved(neighbour)
})

// ---- B11: what is not for everybody to read.

const EC = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
}
const withKeys = (...keys: object[]) => ({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } })
const SECRETS: readonly { id: string; members: Record<string, unknown> }[] = [
  { id: 'a client secret', members: { client_secret: 'not-so-secret' } },
  { id: 'an empty client secret', members: { client_secret: '' } },
  { id: 'a client secret of null', members: { client_secret: null } },
  { id: 'the end of a client secret', members: { client_secret_expires_at: 0 } },
  ...['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'tls_client_auth', 'NONE', '', null].map(
    (method) => ({
      id: `method ${JSON.stringify(method)}`,
      members: { token_endpoint_auth_method: method === null ? ['none'] : method },
    }),
  ),
  { id: 'a private key', members: withKeys({ ...EC, d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI' }) },
  { id: 'a private key beside a public one', members: withKeys(EC, { ...EC, d: 'AA' }) },
  { id: 'half an RSA key', members: withKeys({ kty: 'RSA', n: 'AQAB', e: 'AQAB', p: 'AQAB' }) },
  { id: 'a symmetric key', members: withKeys({ kty: 'oct', k: 'c2VjcmV0' }) },
  { id: 'a symmetric key without itself', members: withKeys({ kty: 'oct' }) },
  { id: 'no keys', members: { token_endpoint_auth_method: 'private_key_jwt' } },
  { id: 'an empty list of keys', members: withKeys() },
  { id: 'keys that are none', members: { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: ['x', null] } } },
]

attackTable('B11: a document with', SECRETS, async ({ members }) => {
  host.answer((req, res) => sendDocument(res, documentOf(idOf(req.url), members)))
  const seen = await expectDisbelieved(lax, fresh())
  expect(seen.html).toContain(FAILED)
  expect(lax.gateway.log.join('\n')).not.toContain('jpsQnnGQmL')
  host.answer((req, res) => sendDocument(res, documentOf(idOf(req.url), withKeys(EC))))
  await expectBelieved()
})

// ---- B12: how long it is believed.

const LIVES: readonly { id: string; headers: Record<string, string>; still: string; over: string }[] = [
  { id: 'ten years', headers: { 'cache-control': 'max-age=315360000' }, still: '23h', over: '61m' },
  { id: 'ten years, to shared caches', headers: { 'cache-control': 's-maxage=315360000' }, still: '4m', over: '2m' },
  { id: 'for ever', headers: { 'cache-control': 'immutable, max-age=999999999999999' }, still: '23h', over: '61m' },
  { id: 'as long as its Expires', headers: { expires: 'Fri, 01 Jan 2100 00:00:00 GMT' }, still: '4m', over: '2m' },
  { id: 'nothing said', headers: {}, still: '4m', over: '2m' },
  { id: 'ten minutes', headers: { 'cache-control': 'max-age=600' }, still: '9m', over: '2m' },
  { id: 'no time at all', headers: { 'cache-control': 'max-age=0' }, still: '59s', over: '2s' },
  { id: 'less than none', headers: { 'cache-control': 'max-age=-1' }, still: '4m', over: '2m' },
]

attackTable('B12: a document that wants to be believed', LIVES, async ({ headers, still, over }) => {
  const id = fresh()
  host.answer((_req, res) =>
    sendDocument(res, documentOf(id, { redirect_uris: [GOOD, 'https://old.example/cb'] }), headers),
  )
  await expectBelieved(id, { redirect_uri: 'https://old.example/cb' })
  // The redirect URI is taken out at its source: someone else has the name now.
  host.answer((_req, res) => sendDocument(res, documentOf(id), headers))
  lax.gateway.clock.advance(still)
  await expectBelieved(id, { redirect_uri: 'https://old.example/cb' })
  expect(host.paths).toHaveLength(1)
  lax.gateway.clock.advance(over)
  const asked = requestOf(lax, id, { redirect_uri: 'https://old.example/cb' })
  expectLocalPage(await expectRefused(lax, 'invalid_redirect_uri', () => send(asked)))
  expect(host.paths).toHaveLength(2)
  await expectBelieved(id)
})

describe('B12: what is not kept', () => {
  it('is a document that forbids it, in any company', async () => {
    for (const control of ['no-store', 'max-age=600, no-store', 'NO-STORE', 'private,no-store ,max-age=9']) {
      const id = fresh()
      host.answer((_req, res) => sendDocument(res, documentOf(id), { 'cache-control': control }))
      host.forget()
      for (let visit = 1; visit <= 3; visit++) {
        await expectBelieved(id)
        expect(host.paths).toHaveLength(visit)
      }
      lax.gateway.clock.advance('2m')
    }
  })

  it('is a failure: the next one who asks is answered by what is there then', async () => {
    for (const status of [404, 500, 304]) {
      const id = fresh()
      host.answer((_req, res) => void res.writeHead(status, { 'cache-control': 'max-age=86400' }).end())
      await expectDisbelieved(lax, id)
      host.answer((_req, res) => sendDocument(res, documentOf(id)))
      await expectBelieved(id)
    }
  })

  it('is a document that turned bad: its tokens live out their minutes, no more are given', async () => {
    const id = fresh()
    host.answer((_req, res) => sendDocument(res, documentOf(id)))
    const documented = await knownClient(lax.gateway, id, GOOD)
    const { accessToken, refreshToken = '' } = await lax.gateway.signIn('canary', { client: documented })
    lax.secrets.add(accessToken).add(refreshToken)
    await expectServed(lax, accessToken)
    host.answer((_req, res) => void res.writeHead(410).end())
    lax.gateway.clock.advance('6m')
    await expectRefused(lax, 'invalid_client', () => documented.refresh(refreshToken))
    // Nothing was spent by that: the document is back, and so is its client.
    host.answer((_req, res) => sendDocument(res, documentOf(id)))
    expect((await documented.refresh(refreshToken)).status).toBe(200)
  })
})

// ---- B13: a document vouches for its host, not for who listens on the person's computer.

describe('B13: a client that only has loopback redirects', () => {
  it('is shown with the host of its document, the host of its redirect, and a warning', async () => {
    const redirect = 'http://127.0.0.1:7777/cb'
    const redirect_uris = ['http://127.0.0.1/cb', 'http://localhost/cb']
    const id = fresh()
    host.answer((_req, res) => sendDocument(res, documentOf(id, { client_name: 'Honest Desktop', redirect_uris })))
    const { html } = await (await lax.gateway.person()).open(requestOf(lax, id, { redirect_uri: redirect }))
    expect(html).toContain('Honest Desktop')
    expect(html).toContain(`Described by 127.0.0.1:${host.port}.`)
    expect(html).toContain('127.0.0.1:7777')
    expect(html).toContain('Did you start this yourself?')
    expect(html).toMatch(/any program on this computer could be waiting for it/)
    // Its neighbour on the web is not warned of.
    host.answer((req, res) => sendDocument(res, documentOf(idOf(req.url))))
    const web = await (await lax.gateway.person()).open(requestOf(lax, fresh()))
    expect(web.html).toContain('good.example')
    expect(web.html).not.toContain('Did you start this yourself?')
  })

  it('asks again each time, however often it was allowed', async () => {
    const id = fresh()
    host.answer((_req, res) => sendDocument(res, documentOf(id, { redirect_uris: ['http://127.0.0.1/cb'] })))
    const documented = await knownClient(lax.gateway, id, 'http://127.0.0.1:7777/cb')
    const person = await lax.gateway.person()
    await documented.signIn(person, { resource: lax.resource, scope: SCOPE })
    const again = documented.authorize({ resource: lax.resource, scope: SCOPE })
    const shown = await person.open(again.url)
    expect({ status: shown.status, location: shown.location }).toEqual({ status: 200, location: undefined })
    expect(shown.html).toContain('Did you start this yourself?')
  })
})

describe('B13: policy about domains', () => {
  it('a host that is not trusted is neither asked nor believed; loopback has no exception here', async () => {
    const range = await startOAuthRange({
      server: { development: true },
      oauth: { registration: { trustedHosts: ['good.example', 'localhost'] } },
    })
    resolver.point('localhost', ['127.0.0.1'])
    await expectDisbelieved(range, `${host.origin}/untrusted.json`)
    expect(host.connections).toBe(0)
    const id = `https://localhost:${host.port}/trusted.json`
    host.answer((_req, res) => sendDocument(res, documentOf(id)))
    expect((await send(requestOf(range, id))).status).toBe(303)
    host.answer((_req, res) => sendDocument(res, documentOf(`${id}2`, { redirect_uris: ['https://evil.example/cb'] })))
    await expectDisbelieved(range, `${id}2`, { redirect_uri: 'https://evil.example/cb' })
    await range.close()
  })
})

// ---- B14: a client that is known already.

describe('B14: shadowing', () => {
  it('a configured client wins over the document at its address, which nobody asks for', async () => {
    const id = fresh()
    const clients = [{ clientId: id, name: 'The configured one', redirectUris: [GOOD] }]
    const range = await startOAuthRange({ server: { development: true }, oauth: { clients } })
    host.answer((_req, res) => sendDocument(res, documentOf(id, { redirect_uris: ['https://evil.example/cb'] })))
    const seen = await (await range.gateway.person()).open(requestOf(range, id))
    expect(seen.html).toContain('The configured one')
    expect(seen.html).toContain('Known to this server.')
    const evil = requestOf(range, id, { redirect_uri: 'https://evil.example/cb' })
    expectLocalPage(await expectRefused(range, 'invalid_redirect_uri', () => send(evil)))
    expect(host.connections).toBe(0)
    await range.close()
  })

  it('a document that names a registered client is nobody', async () => {
    host.answer((_req, res) => sendDocument(res, documentOf(client.id)))
    await expectDisbelieved(lax, fresh())
  })

  it('documents that are switched off are not asked for', async () => {
    const registration = { metadataDocuments: false }
    const range = await startOAuthRange({ server: { development: true }, oauth: { registration } })
    await expectDisbelieved(range, fresh())
    expect(host.connections).toBe(0)
    await range.close()
  })
})

// ---- B15: not a hammer in a stranger's hand.

describe('B15: amplification', () => {
  it('ten documents a minute from one host, however many addresses it is asked for under', async () => {
    const requests = Array.from({ length: 40 }, (_, index) => send(requestOf(lax, `${host.origin}/many-${index}.json`)))
    const statuses = (await Promise.all(requests)).map(({ status }) => status)
    expect(host.paths).toHaveLength(10)
    expect(statuses.filter((status) => status === 303)).toHaveLength(10)
    expect(statuses.filter((status) => status === 400)).toHaveLength(30)
    await expectDisbelieved(lax, fresh())
    lax.gateway.clock.advance('61s')
    await expectBelieved()
  })

  it('many who ask for one document at once are one visit', async () => {
    const id = fresh()
    const seen = await Promise.all(Array.from({ length: 20 }, () => send(requestOf(lax, id))))
    expect(seen.map(({ status }) => status)).toEqual(Array(20).fill(303))
    expect(host.paths).toHaveLength(1)
  })

  it('one request is one visit, also where it fails', async () => {
    host.answer((_req, res) => void res.writeHead(500).end())
    await expectDisbelieved(lax, fresh())
    expect(host.connections).toBe(1)
  })
})
