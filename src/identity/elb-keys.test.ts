// Keys by name: nothing but a UUID is asked for, strangers have only so many looked up, and the one in use stays.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { publishPem } from '../../test/support/edges.ts'
import { startIssuer, type TestIssuer } from '../../test/support/issuer.ts'
import { outboundFetch } from '../http/outbound.ts'
import { systemNames } from '../upstreams/network/names.ts'
import { elbKeys } from './elb-keys.ts'
import type { FindKeys } from './jwt.ts'

let server: TestIssuer
let now: number
let told: string[]
let find: FindKeys
const silent = () => undefined
const fetch = outboundFetch({
  allowLoopback: true,
  configured: true,
  maxBytes: 1024 * 1024,
  timeout: 2000,
  resolve: systemNames(),
})
beforeAll(async () => {
  server = await startIssuer()
})
afterAll(() => server?.close())
beforeEach(() => {
  now = Date.now()
  told = []
  server.asked.length = 0
  find = elbKeys({
    keys: server.origin,
    of: 'arn',
    fetch,
    clock: () => now,
    log: {
      debug: silent,
      info: silent,
      error: silent,
      warn: (object, message) => void told.push(`${message} ${(object as { error: Error }).error.message}`),
    },
  })
})
const ES256 = (kid: string | undefined) => ({ kid, alg: 'ES256' })
const reasonOf = (kid: string) => find(ES256(kid)).catch((error: { reason?: string }) => error.reason)

describe('a name', () => {
  it.each([
    undefined,
    '',
    'key',
    '../keys',
    '..%2fkeys',
    `${randomUUID()}/../..`,
    `${randomUUID()}?x`,
    `${randomUUID()}#`,
    ` ${randomUUID()}`,
    `${randomUUID()}\n`,
    `{${randomUUID()}}`,
    randomUUID().replaceAll('-', ''),
    '127.0.0.1:9/x',
    'https://evil.example/key',
    '@evil.example',
    "' or 1=1",
    `${randomUUID()}${'0'.repeat(5000)}`,
  ])('%j is never asked for', async (kid) => {
    expect(await find(ES256(kid))).toEqual([])
    expect(server.asked).toEqual([])
  })

  it('that is a UUID is, once, in whatever letters', async () => {
    const { kid } = publishPem(server)
    const [one] = await find(ES256(kid))
    expect(one?.asymmetricKeyType).toBe('ec')
    expect(await find(ES256(kid.toUpperCase()))).toEqual([one])
    expect(server.asked).toEqual([`/${kid}`])
    expect(await find({ kid, alg: 'RS256' })).toEqual([])
  })
})

describe('names that are made up', () => {
  it('are looked up ten times in thirty seconds; beyond that nobody can tell, and the known key is known', async () => {
    const { kid } = publishPem(server)
    expect(await find(ES256(kid))).toHaveLength(1)
    const made = await Promise.all(Array.from({ length: 500 }, () => reasonOf(randomUUID())))
    expect(made.filter((one) => Array.isArray(one) && one.length === 0)).toHaveLength(9)
    expect(made.filter((one) => one === 'issuer_unreachable')).toHaveLength(491)
    expect(server.asked).toHaveLength(10)
    expect(await find(ES256(kid))).toHaveLength(1)
    expect(server.asked).toHaveLength(10)
    now += 30_000
    expect(await reasonOf(randomUUID())).toEqual([])
    expect(server.asked).toHaveLength(11)
  })

  it('push out one another, not the key in use', async () => {
    const { kid } = publishPem(server)
    await find(ES256(kid))
    for (let round = 0; round < 12; round++) {
      for (let made = 0; made < 10; made++) await reasonOf(randomUUID())
      expect(await find(ES256(kid))).toHaveLength(1)
      now += 30_000
    }
    expect(server.countOf(`/${kid}`)).toBe(1)
  })

  it('are remembered, and looked for again where one comes true', async () => {
    const kid = randomUUID()
    expect(await find(ES256(kid))).toEqual([])
    expect(await find(ES256(kid))).toEqual([])
    expect(server.asked).toHaveLength(1)
    publishPem(server, kid)
    now += 30_000
    expect(await find(ES256(kid))).toHaveLength(1)
    expect(server.asked).toHaveLength(2)
  })
})

describe('the address of the keys', () => {
  it('that says 403 has no such key, as a bucket says it', async () => {
    const kid = randomUUID()
    server.instead.set(`/${kid}`, (_req, res) => void res.writeHead(403).end('<Error/>'))
    expect(await find(ES256(kid))).toEqual([])
    expect(told).toEqual([])
  })

  it.each<[string, (kid: string) => void, RegExp]>([
    ['is down', (kid) => server.instead.set(`/${kid}`, (_req, res) => void res.writeHead(500).end()), /answers 500/],
    [
      'redirects',
      (kid) => server.instead.set(`/${kid}`, (_req, res) => void res.writeHead(302, { location: '/else' }).end()),
      /redirect/,
    ],
    [
      'answers a page',
      (kid) => server.instead.set(`/${kid}`, (_req, res) => void res.writeHead(200).end('<html>')),
      /not JSON/,
    ],
    [
      'answers without end',
      (kid) => server.instead.set(`/${kid}`, (_req, res) => void res.writeHead(200).end('x'.repeat(2 * 1024 * 1024))),
      /larger than 1 MB/,
    ],
    [
      'answers half a key',
      (kid) =>
        server.instead.set(`/${kid}`, (_req, res) => void res.writeHead(200).end('-----BEGIN PUBLIC KEY-----\nMFkw')),
      /cut short/,
    ],
    ['never answers', (kid) => server.instead.set(`/${kid}`, () => undefined), /in time/],
  ])('%s: nobody can tell, and the log says why', async (_what, bend, why) => {
    const kid = randomUUID()
    bend(kid)
    expect(await reasonOf(kid)).toBe('issuer_unreachable')
    expect(told.join()).toMatch(why)
    expect(server.countOf('/else')).toBe(0)
    server.instead.delete(`/${kid}`)
    publishPem(server, kid)
    now += 30_000
    expect(await find(ES256(kid))).toHaveLength(1)
  })

  it('may be down while a key that is known is used on, for a day', async () => {
    const { kid } = publishPem(server)
    await find(ES256(kid))
    server.instead.set(`/${kid}`, (_req, res) => void res.writeHead(500).end())
    now += 23 * 3_600_000
    expect(await find(ES256(kid))).toHaveLength(1)
    now += 2 * 3_600_000
    expect(await reasonOf(kid)).toBe('issuer_unreachable')
  })

  it('that no longer has a key ends it', async () => {
    const { kid } = publishPem(server)
    await find(ES256(kid))
    server.instead.delete(`/${kid}`)
    now += 600_000
    expect(await find(ES256(kid))).toEqual([])
  })
})
