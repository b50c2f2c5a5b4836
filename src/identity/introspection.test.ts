// Tokens that only their issuer can read: RFC 7662. Its word counts for a while, its silence never.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INTROSPECTION_CLIENT, signedBy, startIssuer, type TestIssuer } from '../../test/support/issuer.ts'
import { type OpenedWay, openWay, RESOURCE } from '../../test/support/issuer-way.ts'
import type { Credentials } from './way.ts'

let issuer: TestIssuer
let way: OpenedWay
let known: Map<string, object>
const open = (more: object = {}, client: object = {}) =>
  openWay({
    issuer: issuer.issuer,
    introspection: { ...INTROSPECTION_CLIENT, ...client },
    ...more,
  })
beforeEach(async () => {
  issuer = await startIssuer()
  known = new Map()
  issuer.introspection = (token) => ({ ...(known.get(token) ?? { active: false }) })
  way = open()
})
afterEach(() => issuer.close())

const active = (more: object = {}) => ({
  active: true,
  iss: issuer.issuer,
  sub: 'ann',
  aud: RESOURCE,
  client_id: 'c1',
  scope: 'a b',
  token_type: 'Bearer',
  exp: Math.floor(way.now / 1000) + 600,
  ...more,
})
const asked = () => issuer.countOf('POST /introspect')
const ANN = expect.objectContaining({ identity: 'ann', client: 'c1', scopes: ['a', 'b'] })

describe('a token that is active', () => {
  it('is who its issuer says', async () => {
    known.set('opaque', active())
    expect(await way.judge('opaque')).toEqual(ANN)
  })

  it('is asked about once for half a minute, then again', async () => {
    known.set('opaque', active())
    await Promise.all(Array.from({ length: 50 }, () => way.judge('opaque')))
    await way.judge('opaque')
    expect(asked()).toBe(1)
    known.set('opaque', { active: false })
    way.now += 29_000
    expect(await way.judge('opaque')).toEqual(ANN)
    way.now += 1000
    expect(await way.judge('opaque')).toBe('inactive')
    expect(asked()).toBe(2)
  })

  it('is asked about every time where nothing is kept', async () => {
    way = open({}, { cache: 0 })
    known.set('opaque', active())
    await way.judge('opaque')
    known.set('opaque', { active: false })
    expect(await way.judge('opaque')).toBe('inactive')
  })

  it('does not outlive its own end in what is kept', async () => {
    way = open({}, { cache: '1h' })
    known.set('opaque', active({ exp: Math.floor(way.now / 1000) + 60 }))
    expect(await way.judge('opaque')).toEqual(ANN)
    way.now += 66_000
    expect(await way.judge('opaque')).toBe('expired')
  })

  it('names the endpoint in its metadata, unless that is written', async () => {
    known.set('opaque', active())
    await way.judge('opaque')
    expect(issuer.asked).toContain('/.well-known/openid-configuration')
    issuer.asked.length = 0
    await open({}, { endpoint: `${issuer.issuer}/introspect` }).judge('opaque')
    expect(issuer.asked).toEqual(['POST /introspect'])
  })

  it('goes in the body, with what it is; the client in the header', async () => {
    let seen: string[] = []
    issuer.instead.set('/introspect', (req, res, body) => {
      seen = [req.headers.authorization ?? '', req.headers['content-type'] ?? '', req.headers.accept ?? '', body]
      res.end(JSON.stringify(active()))
    })
    await way.judge('opaque/token+1')
    // RFC 6749 §2.3.1: form-encoded before it is joined.
    expect(Buffer.from(seen[0]?.slice('Basic '.length) ?? '', 'base64').toString()).toBe('gate:a+secret')
    expect(seen.slice(1)).toEqual([
      'application/x-www-form-urlencoded',
      'application/json',
      'token=opaque%2Ftoken%2B1&token_type_hint=access_token',
    ])
  })
})

describe('what is refused although it was asked about', () => {
  it.each<[string, object, string]>([
    ['inactive', { active: false }, 'inactive'],
    ['active as text', { active: 'true' }, 'inactive'],
    ['active as a number', { active: 1 }, 'inactive'],
    ['no active', { active: undefined }, 'inactive'],
    ['of another issuer', { iss: 'https://else.example' }, 'issuer_mismatch'],
    ['of an issuer that is no text', { iss: ['x'] }, 'issuer_mismatch'],
    ['for another audience', { aud: 'https://else.example' }, 'audience_mismatch'],
    ['for nobody', { aud: undefined }, 'audience_missing'],
    ['without an end', { exp: undefined }, 'claim_type'],
    ['over', { exp: 1 }, 'expired'],
    ['not yet', { nbf: 9_999_999_999 }, 'not_yet_valid'],
    ['of nobody', { sub: undefined }, 'claim_type'],
    ['a refresh token', { token_use: 'refresh_token' }, 'token_type'],
    ['of another type', { token_type: 'DPoP' }, 'token_type'],
    ['bound to a key', { cnf: { jkt: 'x' } }, 'token_bound'],
  ])('%s', async (_what, bent, reason) => {
    known.set('opaque', active(bent))
    known.set('good', active())
    expect(await way.judge('opaque')).toBe(reason)
    expect(await way.judge('good')).toEqual(ANN)
  })

  it('made-up ones are remembered as such: each is asked about once', async () => {
    for (let n = 0; n < 5; n++) expect(await way.judge('made-up')).toBe('inactive')
    expect(asked()).toBe(1)
  })
})

describe('an outage', () => {
  const judged = (token = 'opaque') => way.prove(token, {} as Credentials, { server: 'notes', resources: [RESOURCE] })
  const OUTAGE = { status: 503, retryAfter: 5, reason: 'issuer_unreachable' }

  it.each<[string, () => void | Promise<void>, RegExp]>([
    ['nobody there', () => issuer.down(), /nothing answers/],
    [
      'an error',
      () => void issuer.instead.set('/introspect', (_q, res) => void res.writeHead(500).end()),
      /answers 500/,
    ],
    [
      'a redirect',
      () => void issuer.instead.set('/introspect', (_q, res) => void res.writeHead(307, { location: '/x' }).end()),
      /answers 307/,
    ],
    ['no answer', () => void issuer.instead.set('/introspect', () => undefined), /in time/],
    ['a page', () => void issuer.instead.set('/introspect', (_q, res) => void res.end('<html>')), /no JSON object/],
    ['a list', () => void issuer.instead.set('/introspect', (_q, res) => void res.end('[]')), /no JSON object/],
    ['10 MB', () => void issuer.instead.set('/introspect', (_q, res) => void res.end('x'.repeat(1e7))), /larger than/],
  ])('%s is 503 and never a yes; what is kept goes on', async (_what, bend, why) => {
    known.set('kept', active())
    known.set('opaque', active())
    expect(await way.judge('kept')).toEqual(ANN)
    await bend()
    await expect(judged()).rejects.toMatchObject(OUTAGE)
    expect(await way.judge('kept')).toEqual(ANN)
    way.now += 31_000
    await expect(judged('kept')).rejects.toMatchObject(OUTAGE)
    expect(way.told.join('\n')).toMatch(why)
    expect(issuer.countOf('/x')).toBe(0)
    if (_what === 'nobody there') await issuer.up()
    issuer.instead.clear()
    expect(await way.judge('opaque')).toEqual(ANN)
  })

  it('of our own credentials is told with the setting', async () => {
    way = open({}, { clientSecret: 'another' })
    known.set('opaque', active())
    await expect(judged()).rejects.toMatchObject(OUTAGE)
    expect(way.told.join('\n')).toMatch(/Check clientId and clientSecret of auth\.issuers\[\]\.introspection/)
    expect(way.told.join('\n')).not.toContain('another')
  })

  it('of a metadata without an endpoint is told, too', async () => {
    issuer.metadata = { introspection_endpoint: undefined }
    await expect(judged()).rejects.toMatchObject(OUTAGE)
    expect(way.told.join('\n')).toMatch(/no introspection_endpoint/)
  })

  it('is what a flood of made-up tokens meets when too many are under way', async () => {
    issuer.instead.set('/introspect', () => undefined)
    await way.judge('first').catch(() => undefined)
    const flood = Array.from({ length: 100 }, (_, n) => judged(`made-up-${n}`))
    const answers = await Promise.allSettled(flood.map(async (one) => one))
    expect(answers.every(({ status }) => status === 'rejected')).toBe(true)
    expect(asked()).toBeLessThanOrEqual(1 + 64)
  })
})

describe('which tokens are asked about', () => {
  it('none of ours, none that can be read here, none that are encrypted', async () => {
    const signed = signedBy(issuer.key, {}, { iss: 'https://else.example' })
    for (const token of ['pc_live_abc', signed, `${signed}.x.y`, 'eyJhbGciOiJkaXIifQ..iv.text.tag'])
      expect(way.isMine(token)).toBe(false)
    expect(['opaque', 'ya29.a0Af', 'aa.bb.cc', 'eyJopaque'].map((token) => way.isMine(token))).toEqual([
      true,
      true,
      true,
      true,
    ])
  })

  it('not a JWT of the issuer: that is proved by its keys', async () => {
    const jwt = signedBy(issuer.key, {}, { ...active(), active: undefined })
    expect(await way.judge(jwt)).toEqual(ANN)
    expect(asked()).toBe(0)
  })

  it('none at all where nothing is said of it', () => {
    expect(openWay({ issuer: issuer.issuer }).isMine('opaque')).toBe(false)
  })
})
