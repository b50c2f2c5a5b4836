// One reading, then the signature. Each forgery has a twin that differs in nothing but the bend, and is accepted.
import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { encode } from '../../test/support/forge.ts'
import { type Bent, signedBy, signingKey } from '../../test/support/issuer.ts'
import { looksLikeJwt, parseJwt, peekIssuer, verifyJwt } from './jwt.ts'

const KEY = signingKey('k')
const CLAIMS = { iss: 'https://issuer.example', sub: 'ann' }
const token = (bent: Bent = {}) => signedBy(KEY, { typ: 'at+jwt' }, CLAIMS, bent)

let looked = 0
beforeEach(() => {
  looked = 0
})
const findKeys = async ({ kid, alg }: { kid: string | undefined; alg: string }): Promise<KeyObject[]> => {
  looked++
  return (kid === undefined || kid === 'k') && alg === 'ES256' ? [KEY.publicKey] : []
}
const verify = (text: string, algorithms = ['ES256', 'RS256']) => verifyJwt(text, { algorithms, findKeys })
const reasonOf = (text: string) =>
  verify(text).then(
    () => 'accepted',
    (error: { reason?: string }) => error.reason,
  )

it('takes what one of the keys signed', async () => {
  expect(await verify(token())).toMatchObject({ header: { alg: 'ES256', kid: 'k', typ: 'at+jwt' }, claims: CLAIMS })
  expect(await reasonOf(token({ header: { kid: undefined } }))).toBe('accepted')
})

it.each([
  ['JWT', 'jwt'],
  ['application/AT+JWT', 'at+jwt'],
  ['application/x/y', 'application/x/y'],
  [undefined, undefined],
])('RFC 7515 §4.1.9: typ %s is %s', (typ, read) => {
  expect(parseJwt(token({ header: { typ } })).header.typ).toBe(read)
})

describe('what must not be read at all', () => {
  const signed = token()
  const [head = '', body = '', signature = ''] = signed.split('.')
  const flipped = (last: string) => String.fromCharCode(last.charCodeAt(0) + 1)
  it.each<[string, string]>([
    ['two parts', `${head}.${body}`],
    ['four parts', `${signed}.x`],
    ['five parts, as an encrypted one', `${head}.${body}.${signature}.aaaa.bbbb`],
    ['no payload', `${head}..${signature}`],
    ['no signature', `${head}.${body}.`],
    ['padding', `${signed}==`],
    ['a space', `${head}.${body} .${signature}`],
    ['a line break', `${signed}\n`],
    ['other unused bits', `${head}.${body}.${signature.slice(0, -1)}${flipped(signature.slice(-1))}`],
    ['plus and slash', token({ claims: { mark: '?'.repeat(12) } }).replace(/[-_]/g, '+')],
    ['a claim twice', token({ claimsText: '{"sub":"ann","iss":"https://issuer.example","sub":"bob"}' })],
    ['a claim twice, once escaped', token({ claimsText: '{"sub":"ann","s\\u0075b":"bob"}' })],
    ['a claim twice deep inside', token({ claimsText: '{"a":[{"b":1,"b":2}]}' })],
    ['alg twice', token({ headerText: '{"alg":"none","kid":"k","alg":"ES256"}' })],
    ['a byte order mark', token({ claimsText: `\ufeff${JSON.stringify(CLAIMS)}` })],
    ['no JSON', token({ claimsText: '{sub:1}' })],
    ['a list', token({ claimsText: '[]' })],
    ['null', token({ claimsText: 'null' })],
    ['a header that is a list', token({ headerText: '["ES256"]' })],
    ['alg as a number', token({ header: { alg: 1 } })],
    ['no alg', token({ header: { alg: undefined } })],
    ['kid as a number', token({ header: { kid: 1 } })],
    ['typ as a list', token({ header: { typ: ['JWT'] } })],
    ['16 KB and more', token({ claims: { x: 'x'.repeat(13_000) } })],
    ['brackets without end', token({ claimsText: `{"a":${'['.repeat(9000)}` })],
    ['deep brackets', token({ claimsText: `{"a":${'['.repeat(6000)}${']'.repeat(6000)}}` })],
  ])('%s', async (_what, text) => {
    expect(await reasonOf(text)).toBe('malformed')
    expect(looked).toBe(0)
    expect(await reasonOf(token())).toBe('accepted')
  })

  it('bytes that are no UTF-8', async () => {
    const bad = Buffer.concat([Buffer.from('{"sub":"'), Buffer.from([0xff]), Buffer.from('"}')])
    const input = `${head}.${encode(bad)}`
    const proof = sign('sha256', Buffer.from(input), { key: KEY.privateKey, dsaEncoding: 'ieee-p1363' })
    expect(await reasonOf(`${input}.${encode(proof)}`)).toBe('malformed')
  })

  it.each(['a"b', 'a\\"b:', '{"x":1}', ':', 'é"', '\\', '":'])('but a value like %j is one reading', async (value) => {
    expect(await reasonOf(token({ claims: { value, [value]: [value, { [value]: 1 }] } }))).toBe('accepted')
  })

  it('each name once is what JSON.parse and JSON.stringify agree on', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = JSON.stringify({ value }, undefined, 1)
        expect(parseJwt(token({ claimsText: text })).claims).toEqual(JSON.parse(text))
      }),
      { numRuns: 200 },
    )
  })
})

describe('what a token may not bring along', () => {
  it.each(['crit', 'jwk', 'jku', 'x5u', 'x5c', 'b64', 'enc', 'zip', 'epk', 'p2c', 'p2s'])('%s', async (name) => {
    expect(await reasonOf(token({ header: { [name]: name === 'crit' ? [] : 'x' } }))).toBe('header_forbidden')
    expect(looked).toBe(0)
    expect(await reasonOf(token({ header: { x5t: 'x', anything: 'x' } }))).toBe('accepted')
  })
})

describe('which algorithm', () => {
  const pem = KEY.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const mac = (secret: string) => (input: Buffer) => createHmac('sha256', secret).update(input).digest()
  it.each<[string, Bent]>([
    ['none', { header: { alg: 'none' }, signature: () => randomBytes(32) }],
    ['HS256 with the public key', { header: { alg: 'HS256' }, signature: mac(pem) }],
    ['HS256 with nothing', { header: { alg: 'HS256' }, signature: mac('') }],
    ['ES384, which is not allowed', { header: { alg: 'ES384' } }],
    ['es256', { header: { alg: 'es256' } }],
    ['PBES2', { header: { alg: 'PBES2-HS256+A128KW' } }],
  ])('%s: no key is looked for', async (_what, bent) => {
    expect(await reasonOf(token(bent))).toBe('algorithm')
    expect(looked).toBe(0)
  })
  it('RS256 of a key that is none: there is no such key', async () => {
    expect(await reasonOf(token({ header: { alg: 'RS256' } }))).toBe('unknown_key')
  })
})

describe('the signature', () => {
  const thief = signingKey('k')
  it.each<[string, Bent]>([
    [
      'another key',
      { key: thief, signature: (input) => sign('sha256', input, { key: thief.privateKey, dsaEncoding: 'ieee-p1363' }) },
    ],
    ['zeros', { signature: () => Buffer.alloc(64) }],
    [
      'a byte short',
      { signature: (input) => sign('sha256', input, { key: KEY.privateKey, dsaEncoding: 'ieee-p1363' }).subarray(1) },
    ],
    ['DER', { signature: (input) => sign('sha256', input, KEY.privateKey) }],
  ])('%s', async (_what, bent) => {
    expect(await reasonOf(token(bent))).toBe('bad_signature')
    expect(await reasonOf(token())).toBe('accepted')
  })

  it('of an unknown kid is looked at no further', async () => {
    expect(await reasonOf(token({ header: { kid: '../../dev/null' } }))).toBe('unknown_key')
  })

  it('is tried with each of a few keys that have no name', async () => {
    const others = Array.from({ length: 9 }, () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
    const among = (keys: KeyObject[]) => verifyJwt(token(), { algorithms: ['ES256'], findKeys: async () => keys })
    await expect(among([...others.slice(0, 3), KEY.publicKey])).resolves.toBeDefined()
    await expect(among([...others, KEY.publicKey])).rejects.toMatchObject({ reason: 'bad_signature' })
  })

  it('is not checked where the keys cannot be had', async () => {
    const findKeys = () => Promise.reject(new Error('down'))
    await expect(verifyJwt(token(), { algorithms: ['ES256'], findKeys })).rejects.toThrow('down')
  })
})

describe('peekIssuer', () => {
  it('reads who a token says it is of, and believes nothing', () => {
    expect(peekIssuer(token())).toBe(CLAIMS.iss)
    expect(peekIssuer(token({ signature: () => Buffer.alloc(9) }))).toBe(CLAIMS.iss)
  })
  it.each(['', 'x', 'a.b.c', 'eyJ.eyJ.eyJ', 'pc_live_x', `${encode('{}')}.${encode('null')}.xx`])(
    'of %j nobody',
    (text) => {
      expect(peekIssuer(text)).toBeUndefined()
    },
  )
  it('is text', () => expect(peekIssuer(token({ claims: { iss: ['https://issuer.example'] } }))).toBeUndefined())
})

it('looks are cheap: form and length alone', () => {
  expect([looksLikeJwt(token()), looksLikeJwt('aa.bb.cc'), looksLikeJwt(`aa.${'b'.repeat(17_000)}.cc`)]).toEqual([
    true,
    true,
    false,
  ])
})
