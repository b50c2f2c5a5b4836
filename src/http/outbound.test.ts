import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { leadsInside, OutboundRefused, outboundFetch } from './outbound.ts'
import { isPublicAddress } from './public-address.ts'

const SPECIAL = [
  ...[
    '127.0.0.1',
    '127.8.8.8',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
  ],
  ...['0.0.0.0', '224.0.0.1', '240.0.0.1', '255.255.255.255', '192.0.2.1', '198.18.0.1', '198.51.100.7', '203.0.113.9'],
  ...[
    '::',
    '::1',
    'fc00::1',
    'fdff::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '2001:db8::1',
    '2001::1',
    '3fff::1',
  ],
  ...[
    '::ffff:127.0.0.1',
    '::ffff:0:7f00:1',
    '::ffff:8.8.8.8',
    '::7f00:1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::a9fe:a9fe',
  ],
  ...[
    '2002:a9fe:a9fe::1',
    '2606:4700::5efe:192.168.1.1',
    '2606:4700::200:5efe:c0a8:101',
    '100::1',
    'not-an-address',
    '',
  ],
]
const PUBLIC = [
  '8.8.8.8',
  '172.32.0.1',
  '100.128.0.1',
  '2606:4700:4700::1111',
  '2a00:1450:4001::8a',
  '64:ff9b::808:808',
]

describe('RFC 6890: which addresses are public', () => {
  it.each(SPECIAL)('%s is not', (address) => expect(isPublicAddress(address)).toBe(false))
  it.each(PUBLIC)('%s is', (address) => expect(isPublicAddress(address)).toBe(true))
})

let server: Server | undefined
let hits = 0
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
  server = undefined
})

/** A canary on loopback; every connection counts. */
async function canary(listener: RequestListener): Promise<number> {
  hits = 0
  server = createServer(listener)
  server.on('connection', () => hits++)
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof OutboundRefused ? error.reason : `not refused: ${String(error)}`
}

/** For addresses that are written as such: no name is asked for. */
const nobody = () => Promise.reject(new Error('asked for a name'))

describe('the address is vetted before a socket opens', () => {
  const literals = [
    '127.0.0.1',
    '0177.0.0.1',
    '2130706433',
    '0x7f.1',
    '127.1',
    '127。0。0。1',
    '①②⑦.0.0.1',
    '0',
    '[::1]',
    '[::ffff:127.0.0.1]',
  ]

  it.each(literals)('https://%s/ is loopback in another spelling', async (host) => {
    const port = await canary((_req, res) => res.end('{}'))
    const fetchPublic = outboundFetch({ allowLoopback: false, resolve: nobody })
    expect(await refusal(fetchPublic(`https://${host}:${port}/`))).toBe('address')
    expect(hits).toBe(0)
  })

  it.each(SPECIAL.filter((address) => address !== ''))('a name that resolves to %s', async (address) => {
    const fetchPublic = outboundFetch({ allowLoopback: false, resolve: async () => [address] })
    expect(await refusal(fetchPublic('https://client.example/doc'))).toBe('address')
  })

  it('a name with one public and one private address, in either order', async () => {
    for (const addresses of [
      ['8.8.8.8', '10.0.0.1'],
      ['::1', '8.8.8.8'],
    ]) {
      const fetchPublic = outboundFetch({ allowLoopback: false, resolve: async () => addresses })
      expect(await refusal(fetchPublic('https://client.example/doc'))).toBe('address')
    }
  })

  it('a name that does not resolve, or to nothing', async () => {
    const failing = outboundFetch({ allowLoopback: false, resolve: () => Promise.reject(new Error('ENOTFOUND')) })
    const empty = outboundFetch({ allowLoopback: false, resolve: async () => [] })
    expect(await refusal(failing('https://client.example/doc'))).toBe('unresolved')
    expect(await refusal(empty('https://client.example/doc'))).toBe('address')
  })

  it('resolves once: the socket goes to the vetted address, whatever the name means a moment later', async () => {
    const port = await canary((req, res) => res.end(JSON.stringify({ host: req.headers.host })))
    const answers = [['127.0.0.1'], ['10.0.0.1']]
    const fetchLocal = outboundFetch({ allowLoopback: true, resolve: async () => answers.shift() ?? [] })
    const answer = await fetchLocal(`http://rebinding.example:${port}/doc`)
    expect(JSON.parse(answer.body.toString())).toEqual({ host: `rebinding.example:${port}` })
    expect(answers).toHaveLength(1)
  })

  it('http: is for loopback in development only', async () => {
    const port = await canary((_req, res) => res.end('{}'))
    const resolve = async () => ['8.8.8.8']
    expect(await refusal(outboundFetch({ allowLoopback: true, resolve })('http://client.example/doc'))).toBe('scheme')
    expect(
      await refusal(outboundFetch({ allowLoopback: false, resolve: nobody })(`http://127.0.0.1:${port}/doc`)),
    ).toBe('address')
    expect(hits).toBe(0)
    expect((await outboundFetch({ allowLoopback: true, resolve: nobody })(`http://127.0.0.1:${port}/doc`)).status).toBe(
      200,
    )
  })

  it.each(['ftp://client.example/', 'file:///etc/passwd', 'data:application/json,{}'])('%s', async (url) =>
    expect(await refusal(outboundFetch({ allowLoopback: true, resolve: nobody })(url))).toBe('scheme'),
  )
  it.each(['https://user@client.example/', 'nonsense', ''])('malformed or with userinfo: %s', async (url) =>
    expect(await refusal(outboundFetch({ allowLoopback: true, resolve: nobody })(url))).toBe('url'),
  )
})

describe('what a server inside the house names', () => {
  const inside = (...addresses: string[]) =>
    outboundFetch({ allowLoopback: false, inside: true, resolve: async () => addresses })

  it('may be there too, and be spoken to in clear', async () => {
    const port = await canary((_req, res) => res.end('{}'))
    expect((await inside('127.0.0.1')(`http://inside.example:${port}/doc`)).status).toBe(200)
  })

  it.each(['169.254.169.254', 'fe80::1', '100.100.100.200', 'fd00:ec2::254', '::ffff:169.254.169.254', '192.0.2.1'])(
    'is never %s',
    async (address) => {
      expect(await refusal(inside(address)('https://inside.example/doc'))).toBe('address')
      expect(await refusal(inside('10.0.0.1', address)('https://inside.example/doc'))).toBe('address')
    },
  )

  it('is asked over TLS where it is on the internet', async () => {
    expect(await refusal(inside('8.8.8.8')('http://client.example/doc'))).toBe('scheme')
    expect(await refusal(inside('10.0.0.1', '8.8.8.8')('http://client.example/doc'))).toBe('scheme')
  })

  it.each([
    [['127.0.0.1', '::1'], true],
    [['10.1.2.3'], true],
    [['10.1.2.3', '8.8.8.8'], false],
    [['169.254.169.254'], false],
    [[], false],
  ])('a host of %j is inside: %s', async (addresses, expected) => {
    expect(await leadsInside('https://mcp.example/mcp', async () => addresses)).toBe(expected)
  })

  it('a host that nobody knows is not inside', async () => {
    expect(await leadsInside('https://mcp.example/mcp', () => Promise.reject(new Error('ENOTFOUND')))).toBe(false)
  })
})

describe('the answer is taken as it comes, and not all of it', () => {
  const fetchLocal = outboundFetch({ allowLoopback: true, maxBytes: 1024, timeout: 10_000, resolve: nobody })
  const to = (port: number) => `http://127.0.0.1:${port}/doc`

  it('a redirect is an answer, never followed', async () => {
    for (const status of [301, 302, 307, 308]) {
      const port = await canary((_req, res) => res.writeHead(status, { location: 'http://127.0.0.1:1/' }).end())
      expect((await fetchLocal(to(port))).status).toBe(status)
      expect(hits).toBe(1)
      server?.closeAllConnections()
      server?.close()
    }
  })

  it('a body at the limit passes, one byte more does not, whatever Content-Length says', async () => {
    let size = 1024
    const port = await canary((_req, res) => {
      res.writeHead(200, { 'transfer-encoding': 'chunked' })
      res.end(Buffer.alloc(size, 0x20))
    })
    expect((await fetchLocal(to(port))).body).toHaveLength(1024)
    size = 1025
    expect(await refusal(fetchLocal(to(port)))).toBe('size')
  })

  it('compressed answers are refused unread', async () => {
    const bomb = brotliCompressSync(Buffer.alloc(10_000_000))
    const port = await canary((_req, res) => res.writeHead(200, { 'content-encoding': 'br' }).end(bomb))
    expect(await refusal(fetchLocal(to(port)))).toBe('encoding')
  })

  it('a drip ends at the deadline, and so does a slow resolver', async () => {
    const port = await canary((_req, res) => void res.writeHead(200).write('{'))
    const hasty = outboundFetch({ allowLoopback: true, maxBytes: 1024, timeout: 400, resolve: nobody })
    expect(await refusal(hasty(to(port)))).toBe('deadline')
    const hanging = outboundFetch({ allowLoopback: true, timeout: 50, resolve: () => new Promise(() => undefined) })
    expect(await refusal(hanging('https://client.example/doc'))).toBe('deadline')
  })

  it('a closed port is unreachable', async () => {
    const port = await canary((_req, res) => res.end())
    await new Promise((done) => server?.close(done))
    expect(await refusal(fetchLocal(to(port)))).toBe('unreachable')
  })
})
