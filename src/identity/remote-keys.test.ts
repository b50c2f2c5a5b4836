// Keys of an issuer over the wire: rotation, outages, and key sets that are an attack (catalogue rows C18, C19, R7).
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { signingKey, startIssuer, type TestIssuer } from '../../test/support/issuer.ts'
import { outboundFetch } from '../http/outbound.ts'
import { systemNames } from '../upstreams/network/names.ts'
import { Unavailable } from './lasting.ts'
import { remoteKeys } from './remote-keys.ts'

let issuer: TestIssuer
let now: number
let told: { object: Record<string, unknown>; message: string }[]
const silent = () => undefined
const log = {
  debug: silent,
  info: silent,
  error: silent,
  warn: (object: object, message: string) => void told.push({ object: { ...object }, message }),
}
const fetch = outboundFetch({
  allowLoopback: true,
  configured: true,
  maxBytes: 1024 * 1024,
  timeout: 2000,
  resolve: systemNames(),
})
const open = (path = '/jwks') =>
  remoteKeys({
    locate: async () => ({ uri: issuer.origin + path, fetch }),
    of: issuer.issuer,
    clock: () => now,
    log,
  })
const publish = (keySet: unknown) => Object.assign(issuer, { keySet })
const ES256 = (kid: string | undefined) => ({ kid, alg: 'ES256' })
const why = () => told.map(({ object }) => (object['error'] as Error | undefined)?.message ?? '').join('\n')

beforeEach(async () => {
  issuer = await startIssuer()
  now = Date.now()
  told = []
})
afterEach(() => issuer.close())

describe('rotation', () => {
  it('is seen by the first token of a new key', async () => {
    const keys = open()
    expect(await keys.find(ES256(issuer.key.kid))).toHaveLength(1)
    const next = issuer.rotate()
    now += 30_000
    expect(await keys.find(ES256(next.kid))).toHaveLength(1)
    expect(issuer.countOf('/jwks')).toBe(2)
  })

  it('is not looked for by each of five thousand made-up names', async () => {
    const keys = open()
    const made = Array.from({ length: 5000 }, (_, n) => keys.find(ES256(`made-up-${n}`)))
    expect((await Promise.all(made)).flat()).toEqual([])
    expect(issuer.countOf('/jwks')).toBe(1)
    expect(await keys.find(ES256(issuer.key.kid))).toHaveLength(1)
    now += 30_000
    for (let n = 0; n < 100; n++) await keys.find(ES256(`more-${n}`))
    expect(issuer.countOf('/jwks')).toBe(2)
  })

  it('ends a key that is no longer published', async () => {
    const keys = open()
    const old = issuer.key.kid
    await keys.find(ES256(old))
    issuer.keySet = { keys: [signingKey('new').jwk] }
    now += 600_000
    expect(await keys.find(ES256(old))).toEqual([])
    expect(await keys.find(ES256('new'))).toHaveLength(1)
  })
})

describe('an outage', () => {
  it('leaves the keys that are known as they are, for an hour and more; an unknown one stays unknown', async () => {
    const keys = open()
    await keys.find(ES256(issuer.key.kid))
    await issuer.down()
    now += 3_600_000
    expect(await keys.find(ES256(issuer.key.kid))).toHaveLength(1)
    expect(await keys.find(ES256('unknown'))).toEqual([])
    expect(why()).toContain('nothing answers there')
    await issuer.up()
    now += 30_000
    const next = issuer.rotate()
    expect(await keys.find(ES256(next.kid))).toHaveLength(1)
  })

  it('before there were any keys is told as one', async () => {
    await issuer.down()
    await expect(open().find(ES256('any'))).rejects.toThrow(Unavailable)
    await issuer.up()
  })
})

describe('a key set that cannot be taken', () => {
  const big = () => ({ keys: [issuer.key.jwk], padding: 'x'.repeat(10 * 1024 * 1024) })
  it.each<[string, () => void, RegExp]>([
    ['of 10 MB', () => publish(big()), /larger than 1 MB/],
    [
      'that redirects',
      () => void issuer.instead.set('/jwks', (_q, res) => void res.writeHead(302, { location: '/else' }).end()),
      /redirect/,
    ],
    [
      'that is an error',
      () => void issuer.instead.set('/jwks', (_q, res) => void res.writeHead(500).end()),
      /answers 500/,
    ],
    ['that never comes', () => void issuer.instead.set('/jwks', () => undefined), /in time/],
    [
      'that is a page',
      () => void issuer.instead.set('/jwks', (_q, res) => void res.writeHead(200).end('<html>')),
      /not JSON/,
    ],
    ['without keys', () => publish({ jwks: [] }), /no JWK Set/],
    [
      'compressed',
      () =>
        void issuer.instead.set('/jwks', (_q, res) => void res.writeHead(200, { 'content-encoding': 'br' }).end('x')),
      /compressed/,
    ],
  ])('%s is none, and the log says why; a good one later is taken', async (_what, bend, message) => {
    const good = issuer.keySet
    bend()
    const keys = open()
    await expect(keys.find(ES256(issuer.key.kid))).rejects.toThrow(Unavailable)
    expect(why()).toMatch(message)
    expect(issuer.countOf('/else')).toBe(0)
    issuer.keySet = good
    issuer.instead.clear()
    now += 30_000
    expect(await keys.find(ES256(issuer.key.kid))).toHaveLength(1)
  })

  it('does not put out the one before it', async () => {
    const keys = open()
    await keys.find(ES256(issuer.key.kid))
    issuer.keySet = big()
    now += 600_000
    expect(await keys.find(ES256(issuer.key.kid))).toHaveLength(1)
  })

  it('on a private address is not asked for where the administrator did not write it', async () => {
    const guarded = remoteKeys({
      locate: async () => ({
        uri: `${issuer.origin}/jwks`,
        fetch: outboundFetch({ allowLoopback: false, resolve: systemNames() }),
      }),
      of: issuer.issuer,
      clock: () => now,
      log,
    })
    await expect(guarded.find(ES256(issuer.key.kid))).rejects.toThrow(Unavailable)
    expect(issuer.asked).toEqual([])
    expect(why()).toMatch(/not on the public internet; name it in the configuration/)
  })
})

it('weak keys are told in one line, once', async () => {
  issuer.keySet = {
    keys: [
      { ...issuer.key.jwk, kid: 'enc', use: 'enc' },
      { kty: 'oct', k: 'x', kid: 'a' },
      { kty: 'EC', kid: 'b' },
      issuer.key.jwk,
    ],
  }
  const keys = open()
  expect(await keys.find(ES256(issuer.key.kid))).toHaveLength(1)
  expect(await keys.find(ES256('a'))).toEqual([])
  now += 600_000
  await keys.find(ES256(issuer.key.kid))
  expect(issuer.countOf('/jwks')).toBe(2)
  expect(told).toEqual([
    {
      object: {
        of: issuer.issuer,
        uri: `${issuer.issuer}/jwks`,
        flaws: ['"a": it is symmetric', '"b": it is malformed'],
      },
      message: 'keys of an issuer are left out',
    },
  ])
})
