import { once } from 'node:events'
import { connect, createServer as createPlain, type Socket } from 'node:net'
import { connect as connectTls, createServer, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority, type Wish } from '../../test/support/authority.ts'
import { trustedProxies } from './trusted-proxy.ts'

const from = (remoteAddress: string | undefined) => ({ remoteAddress }) as unknown as Socket
const TCP = '127.0.0.1:4444'
const FILE = 'unix:/run/portcullis.sock'

describe('by address', () => {
  const proxies = trustedProxies(['10.0.0.0/8', 'fd00::/8', '192.0.2.7'], TCP)
  it.each(['10.1.2.3', '::ffff:10.1.2.3', '::FFFF:10.1.2.3', 'fd00::1', 'fd00::1%eth0', '192.0.2.7'])(
    '%s is one',
    (address) => {
      expect(proxies.isTrusted(from(address))).toBe(true)
      expect(proxies.isTrustedAddress(address)).toBe(true)
    },
  )
  it.each(['11.1.2.3', '::ffff:11.1.2.3', 'fe80::1', '192.0.2.70', '', 'unix', 'junk', undefined])(
    '%s is none',
    (address) => {
      expect(proxies.isTrusted(from(address))).toBe(false)
    },
  )
  it('and none is when none is named', () => {
    const nobody = trustedProxies([], TCP)
    expect([nobody.isTrusted(from('127.0.0.1')), nobody.isTrustedAddress('127.0.0.1')]).toEqual([false, false])
  })
})

describe('through our socket file', () => {
  it('counts when it is named, whatever a TCP listener would make of a missing address', () => {
    const proxies = trustedProxies(['unix'], FILE)
    expect([proxies.isTrusted(from(undefined)), proxies.peerOf(from(undefined))]).toEqual([true, 'unix'])
    expect(trustedProxies(['10.0.0.0/8'], FILE).isTrusted(from(undefined))).toBe(false)
    // The peer of a TCP connection is gone: it has no address either.
    const tcp = trustedProxies(['unix'], TCP)
    expect([tcp.isTrusted(from(undefined)), tcp.peerOf(from(undefined))]).toEqual([false, ''])
  })
  it('says nothing of the addresses behind it', () => {
    expect(trustedProxies(['unix'], FILE).isTrustedAddress('unix')).toBe(false)
  })
})

describe('by a name in its certificate', () => {
  const authority = createAuthority('Proxies')
  const server = createServer({
    ...authority.issue({ subject: 'gate', usage: 'server' }),
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: false,
  })
  beforeAll(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => void server.close())

  /** The server's end of a connection on which this was shown. */
  async function shows(wish: Wish | undefined, by = authority): Promise<TLSSocket> {
    const address = server.address()
    const accepted = once(server, 'secureConnection')
    const client = connectTls({
      port: typeof address === 'object' ? (address?.port ?? 0) : 0,
      rejectUnauthorized: false,
      ...(wish && by.issue(wish)),
    })
    client.on('error', () => undefined)
    const [socket] = (await accepted) as [TLSSocket]
    socket.once('close', () => client.destroy())
    socket.unref()
    return socket
  }

  const NAMES = ['certificate:edge.example', 'certificate:spiffe://example.org/edge', 'certificate:ops@example.org']
  const proxies = trustedProxies(NAMES, TCP)

  it.each<[string, Wish]>([
    ['a DNS name', { sans: { dns: ['other.example', 'edge.example'] } }],
    ['a URI', { sans: { uri: ['spiffe://example.org/edge'] } }],
    ['an e-mail address', { sans: { email: ['ops@example.org'] } }],
    ['the common name', { subject: 'edge.example' }],
  ])('%s of it makes one', async (_what, wish) => {
    expect(proxies.isTrusted(await shows(wish))).toBe(true)
  })

  it.each<[string, Wish | undefined]>([
    ['no certificate', undefined],
    ['another name', { sans: { dns: ['edge.example.org'] } }],
    ['a wildcard over it', { sans: { dns: ['*.example'] } }],
    ['the name as a part of another', { sans: { dns: ['x, DNS:edge.example'] } }],
    ['the name behind NUL', { sans: { dns: ['edge.example\0.evil.example'] } }],
    ['the name as organisation', { subject: [['O', 'edge.example']] }],
    ['the name inside the organisation', { subject: [['O', 'x\nCN=edge.example']] }],
  ])('%s makes none', async (_what, wish) => {
    expect(proxies.isTrusted(await shows(wish))).toBe(false)
  })

  it('the right name from an unknown authority makes none, nor does any name when only addresses are named', async () => {
    const wish = { sans: { dns: ['edge.example'] } }
    expect(proxies.isTrusted(await shows(wish, createAuthority('Others')))).toBe(false)
    expect(trustedProxies(['10.0.0.0/8'], TCP).isTrusted(await shows(wish))).toBe(false)
    expect(proxies.isTrusted(await shows(wish))).toBe(true)
  })

  it('a plain connection has no name', async () => {
    const plain = createPlain().listen(0, '127.0.0.1')
    await once(plain, 'listening')
    const address = plain.address()
    const accepted = once(plain, 'connection')
    const client = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1')
    const [socket] = (await accepted) as [Socket]
    expect(proxies.isTrusted(socket)).toBe(false)
    client.destroy()
    plain.close()
  })
})
