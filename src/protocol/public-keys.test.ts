// Which keys of a published set count. Every weak one stands beside a sound one, which must go on counting.
import { generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { KeySetError, parsePublicKeys } from './public-keys.ts'
import { isRocaModulus } from './roca.ts'

const ec = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve })
const rsa = (modulusLength = 2048, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent })
const jwkOf = (pair: { publicKey: ReturnType<typeof ec>['publicKey'] }, more: object = {}): JsonWebKey => ({
  ...pair.publicKey.export({ format: 'jwk' }),
  ...more,
})
const setOf = (...keys: unknown[]) => parsePublicKeys(JSON.stringify({ keys }))

const [EC, OTHER_EC, RSA] = [ec(), ec(), rsa()]
const SOUND = jwkOf(EC, { kid: 'sound', use: 'sig', alg: 'ES256' })
const countOf = (keys: ReturnType<typeof parsePublicKeys>, kid: string | undefined, alg = 'ES256') =>
  keys.select({ kid, alg }).length

/** A modulus as the broken generator makes it: a power of 65537 modulo every small prime. */
function rocaModulus(): string {
  const primes = Array.from({ length: 700 }, (_, n) => n).filter(
    (n) => n > 1 && Array.from({ length: n }, (_, d) => d).every((d) => d < 2 || n % d !== 0),
  )
  const product = primes.reduce((all, prime) => all * BigInt(prime), 1n)
  let residue = 1n
  for (let power = 0; power < 1234; power++) residue = (residue * 65_537n) % product
  const above = BigInt(`0x${randomBytes(250).toString('hex')}`) / product
  let n = residue + product * above
  // Of the length that is asked for, in steps that leave every residue as it is.
  while (n.toString(2).length < 2048) n = residue + (n - residue) * 2n
  return Buffer.from(n.toString(16).padStart(512, '0'), 'hex').toString('base64url')
}

describe('keys that are left out, and told', () => {
  const rsaJwk = jwkOf(RSA)
  const rows: readonly (readonly [string, unknown, RegExp])[] = [
    ['RSA of 1024 bits', jwkOf(rsa(1024), { kid: 'weak' }), /RSA of 1024 bits/],
    ['RSA with e = 1', { ...rsaJwk, e: 'AQ', kid: 'weak' }, /exponent/],
    ['RSA with e = 3', { ...rsaJwk, e: 'Aw', kid: 'weak' }, /exponent/],
    ['RSA with an even e', { ...rsaJwk, e: 'AQAA', kid: 'weak' }, /exponent/],
    ['RSA with e of 5 bytes', { ...rsaJwk, e: 'AQAAAAE', kid: 'weak' }, /exponent/],
    [
      'RSA of 16384 bits',
      { ...rsaJwk, n: randomBytes(2048).fill(0xff, 0, 1).toString('base64url'), kid: 'weak' },
      /16384/,
    ],
    ['RSA of a broken generator', { ...rsaJwk, n: rocaModulus(), kid: 'weak' }, /ROCA/],
    ['a shared key', { kty: 'oct', k: 'c2VjcmV0', kid: 'weak' }, /symmetric/],
    ['a key with its private part', { ...EC.privateKey.export({ format: 'jwk' }), kid: 'weak' }, /private part/],
    ['a point off its curve', { ...jwkOf(EC), y: jwkOf(OTHER_EC).y, kid: 'weak' }, /malformed/],
    ['a curve for no signature', jwkOf(ec('secp256k1'), { kid: 'weak' }), /curve/],
    ['a key for key agreement', jwkOf(generateKeyPairSync('x25519') as never, { kid: 'weak' }), /kind/],
    ['a key with an unknown use', jwkOf(OTHER_EC, { kid: 'weak', use: 'both' }), /use/],
    ['a key for wrapping', jwkOf(RSA, { kid: 'weak', key_ops: ['wrapKey'] }), /verifying/],
    ['operations that are no list', jwkOf(RSA, { kid: 'weak', key_ops: 'verify' }), /verifying/],
    ['a kid that is a number', jwkOf(RSA, { kid: 7 }), /malformed/],
    ['a kind nobody knows', { kty: 'XX', kid: 'weak' }, /malformed/],
    ['no kind', { kid: 'weak' }, /malformed/],
    ['an entry that is no object', 'weak', /no key/],
    ['null', null, /no key/],
    ['a list', [], /no key/],
  ]
  it.each(rows)('%s', (_what, weak, told) => {
    const keys = setOf(weak, SOUND)
    expect(keys.flaws).toEqual([expect.stringMatching(told)])
    expect(keys.size).toBe(1)
    for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256', 'none']) expect(countOf(keys, 'weak', alg)).toBe(0)
    expect(countOf(keys, 'sound')).toBe(1)
  })

  it('two keys of one kid, both of them', () => {
    const keys = setOf(jwkOf(EC, { kid: 'twice' }), jwkOf(OTHER_EC, { kid: 'twice' }), SOUND)
    expect(keys.flaws).toEqual([expect.stringContaining('several keys have this kid')])
    expect([countOf(keys, 'twice'), countOf(keys, 'sound')]).toEqual([0, 1])
  })

  it('but not one that is listed twice, nor a kid shared with an encryption key', () => {
    const keys = setOf(SOUND, SOUND, jwkOf(RSA, { kid: 'sound', use: 'enc' }))
    expect(keys.flaws).toEqual([])
    expect(countOf(keys, 'sound')).toBeGreaterThan(0)
  })

  it('keys beyond the hundredth', () => {
    const keys = setOf(...Array.from({ length: 100 }, (_, n) => ({ ...SOUND, kid: `k${n}` })), SOUND)
    expect(keys.flaws).toEqual(['1 keys beyond the first 100'])
    expect([countOf(keys, 'k99'), countOf(keys, 'sound')]).toEqual([1, 0])
  })
})

describe('a key is taken', () => {
  it.each([
    ['ES256', ec('P-256')],
    ['ES384', ec('P-384')],
    ['ES512', ec('P-521')],
    ['RS256', RSA],
    ['PS512', RSA],
    ['EdDSA', generateKeyPairSync('ed25519') as unknown as typeof EC],
  ])('for %s, and for no algorithm of another kind', (alg, pair) => {
    const keys = setOf(jwkOf(pair, { kid: 'k' }))
    expect(keys.flaws).toEqual([])
    const taken = ['ES256', 'ES384', 'ES512', 'RS256', 'PS512', 'EdDSA'].filter((one) => countOf(keys, 'k', one) > 0)
    expect(taken).toContain(alg)
    expect(taken).toEqual(alg === 'RS256' || alg === 'PS512' ? ['RS256', 'PS512'] : [alg])
  })

  it('for its one algorithm, where it names one', () => {
    const keys = setOf(jwkOf(RSA, { kid: 'k', alg: 'PS256' }))
    expect([countOf(keys, 'k', 'PS256'), countOf(keys, 'k', 'RS256')]).toEqual([1, 0])
  })

  it('by its kid; one without a kid may be any, and a header without one means any', () => {
    const keys = setOf(SOUND, jwkOf(OTHER_EC))
    expect([countOf(keys, 'sound'), countOf(keys, 'unknown'), countOf(keys, undefined)]).toEqual([2, 1, 2])
    expect(countOf(setOf(SOUND), '__proto__')).toBe(0)
  })

  it('RFC 7517 §4.2: one for encryption is passed over in silence', () => {
    const keys = setOf(jwkOf(RSA, { kid: 'enc', use: 'enc', alg: 'RSA-OAEP' }), SOUND)
    expect([keys.size, keys.flaws.length]).toEqual([1, 0])
  })
})

describe('PEM', () => {
  const pem = EC.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const other = RSA.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()

  it('gives a key that any kid may mean', () => {
    const keys = parsePublicKeys(`\n${pem}\n${other}`)
    expect([countOf(keys, 'x'), countOf(keys, undefined, 'RS256')]).toEqual([1, 1])
  })

  it.each([
    ['cut short', pem.slice(0, -20), /cut short/],
    ['with a letter that is none', pem.replace(/\nMF/, '\n!!'), /cut short/],
    ['beside one that is cut short', `${pem}${other.slice(0, -20)}`, /cut short/],
    ['with other bytes', pem.replace(/\nMF/, '\nAA'), /malformed/],
    ['of another kind', pem.replaceAll('PUBLIC KEY', 'CERTIFICATE'), /malformed/],
    ['of a private key', EC.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), /private key/],
    ['of a weak key', rsa(1024).publicKey.export({ type: 'spki', format: 'pem' }).toString(), /1024 bits/],
  ])('%s is refused', (_what, text, why) => {
    expect(() => parsePublicKeys(text)).toThrow(why)
    expect(() => parsePublicKeys(text)).toThrow(KeySetError)
  })
})

describe('a text that is no key set', () => {
  it.each(['', '{', 'null', '[]', '7', '"keys"', '{}', '{"keys":{}}', '{"keys":"x"}', '<html></html>'])(
    '%j',
    (text) => {
      expect(() => parsePublicKeys(text)).toThrow(KeySetError)
    },
  )
})

it('keys of an honest generator are not taken for broken ones', () => {
  for (let n = 0; n < 200; n++) expect(isRocaModulus(randomBytes(256).toString('base64url'))).toBe(false)
  expect(isRocaModulus(String(jwkOf(RSA).n))).toBe(false)
  expect(isRocaModulus(rocaModulus())).toBe(true)
})
