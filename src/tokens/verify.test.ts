import { generateKeyPairSync } from 'node:crypto'
import { CompactSign, type JWK, SignJWT } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { newKey } from './keyring.ts'
import { type AccessTokenVerifier, accessTokenVerifier } from './verify.ts'

const ISSUER = 'http://localhost:4444'
const A = `${ISSUER}/servers/a/mcp`
const NOW = Date.parse('2026-11-20T12:00:00Z')
const jwk = JSON.parse(newKey('signing', NOW, NOW).material) as JWK

let revoked: Set<string>
let epoch: number
let stale: boolean
let now: number
let rotated: (() => void)[]
let keys: JWK[]
let verifier: AccessTokenVerifier

beforeEach(() => {
  revoked = new Set()
  epoch = 1
  stale = false
  now = NOW
  rotated = []
  keys = [jwk]
  verifier = accessTokenVerifier({
    keyring: { signingKeys: () => keys, onRotation: (listener) => void rotated.push(listener) },
    revocations: { epoch: () => epoch, isRevoked: (token) => revoked.has(token.jti), isStale: () => stale },
    issuer: ISSUER,
    clock: () => now,
  })
})

const seconds = (at: number) => Math.floor(at / 1000)
const claims = {
  iss: ISSUER,
  sub: 'u1',
  aud: A,
  client_id: 'c1',
  scope: 'mcp:tools',
  jti: 'j1',
  iat: seconds(NOW),
  exp: seconds(NOW) + 600,
  fam: 'f1',
}
const sign = (payload: object = claims, header: object = {}, key: JWK = jwk) =>
  new SignJWT(payload as Record<string, unknown>)
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: key.kid ?? '', ...header })
    .sign({ ...key, alg: 'ES256' })
const invalid = expect.objectContaining({ code: 'invalid_token' })

describe('RFC 9068 §4', () => {
  it('takes our token for its resource', async () => {
    expect(await verifier.verify(await sign(), [A])).toEqual({
      jti: 'j1',
      subject: 'u1',
      client: 'c1',
      audience: A,
      scopes: ['mcp:tools'],
      family: 'f1',
      issuedAt: NOW,
      expiresAt: NOW + 600_000,
    })
  })
  it.each([
    `${A}/`,
    `${ISSUER}/servers/b/mcp`,
    `${ISSUER}/servers/ab/mcp`,
    ISSUER,
    A.toUpperCase(),
    A.replace('localhost', 'LOCALHOST'),
    `${A}:80`,
  ])('MUST refuse it at %s', async (resource) => {
    await expect(verifier.verify(await sign(), [resource])).rejects.toEqual(
      expect.objectContaining({ reason: 'audience_mismatch' }),
    )
  })
  it.each<[string, object]>([
    ['no exp', { ...claims, exp: undefined }],
    ['exp 1e300', { ...claims, exp: 1e300 }],
    ['exp as text', { ...claims, exp: String(claims.exp) }],
    ['negative exp', { ...claims, exp: -1 }],
    ['expired', { ...claims, exp: seconds(NOW) - 1 }],
    ['nbf in the future', { ...claims, nbf: seconds(NOW) + 120 }],
    ['iat in the future', { ...claims, iat: seconds(NOW) + 600 }],
    ['sub a number', { ...claims, sub: 1 }],
    ['sub empty', { ...claims, sub: '' }],
    ['no sub', { ...claims, sub: undefined }],
    ['iss an array', { ...claims, iss: [ISSUER] }],
    ['iss of another', { ...claims, iss: 'http://evil' }],
    ['iss with a slash', { ...claims, iss: `${ISSUER}/` }],
    ['no aud', { ...claims, aud: undefined }],
    ['aud an array with a stranger', { ...claims, aud: [A, 'http://evil'] }],
    ['nested aud', { ...claims, aud: [[A]] }],
    ['no jti', { ...claims, jti: undefined }],
    ['no client', { ...claims, client_id: undefined }],
    ['scope an array', { ...claims, scope: ['mcp:tools'] }],
    ['family a number', { ...claims, fam: 1 }],
  ])('MUST refuse: %s', async (_name, payload) => {
    await expect(verifier.verify(await sign(payload), [A])).rejects.toEqual(invalid)
  })
})

describe('RFC 8725', () => {
  it.each<[string, () => Promise<string>]>([
    ['§3.11 another type (an ID token)', () => sign(claims, { typ: 'JWT' })],
    [
      '§3.1 alg none',
      async () =>
        `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${(await sign()).split('.')[1]}.AA`,
    ],
    [
      '§3.1 HS256 with the public key',
      () =>
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: jwk.kid ?? '' })
          .sign(Buffer.from(JSON.stringify({ x: jwk.x, y: jwk.y, kty: 'EC' }))),
    ],
    [
      'another key under our kid',
      () =>
        sign(
          claims,
          {},
          {
            ...(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }) as JWK),
            kid: jwk.kid ?? '',
          },
        ),
    ],
    ['unknown kid', () => sign(claims, { kid: '../../dev/null' })],
    ['unknown crit', () => sign(claims, { crit: ['x'], x: 1 }).catch(() => 'a.b.c')],
    ['a JWE', async () => `${await sign()}.AA.AA`],
    ['not a token', async () => 'x'],
    ['longer than 8 KB', async () => 'a'.repeat(9000)],
  ])('MUST refuse %s', async (_name, make) => {
    await expect(verifier.verify(await make(), [A])).rejects.toEqual(invalid)
  })
  it('a member that comes twice, or anything around the claims: there must be one reading', async () => {
    const signText = (text: string) =>
      new CompactSign(Buffer.from(text))
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: jwk.kid ?? '' })
        .sign({ ...jwk, alg: 'ES256' })
    const text = JSON.stringify(claims)
    const twofold = [` ${text}`, `${text}\n`, `${text.slice(0, -1)},"sub":"u2"}`, text.replace('"sub"', '"s\\u0075b"')]
    for (const other of twofold)
      await expect(verifier.verify(await signText(other), [A])).rejects.toEqual(
        expect.objectContaining({ code: 'invalid_token', reason: 'malformed' }),
      )
    expect(await verifier.verify(await signText(text), [A])).toMatchObject({ subject: 'u1' })
  })

  it('an embedded jwk, jku or x5u is not looked at', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }) as JWK
    const { kty, crv, x, y } = other
    await expect(
      verifier.verify(
        await sign(
          claims,
          { kid: 'theirs', jwk: { kty, crv, x, y }, jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' },
          { ...other, kid: 'theirs' },
        ),
        [A],
      ),
    ).rejects.toEqual(invalid)
  })
})

describe('one token, one string', () => {
  it('refuses every other spelling of a good token, cached or not, and of a revoked one', async () => {
    const token = await sign()
    const last = token.at(-1) ?? ''
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const twin = token.slice(0, -1) + alphabet[alphabet.indexOf(last) ^ 1]
    const spellings = [twin, `${token}==`, `${token} `, token.replace('.', '.\n'), `${token.slice(0, 20)}junk`]
    for (const spelling of spellings) await expect(verifier.verify(spelling, [A])).rejects.toEqual(invalid)
    await verifier.verify(token, [A])
    for (const spelling of spellings) await expect(verifier.verify(spelling, [A])).rejects.toEqual(invalid)
    revoked.add('j1')
    epoch++
    for (const spelling of [token, ...spellings]) await expect(verifier.verify(spelling, [A])).rejects.toEqual(invalid)
  })
  it('never answers one token with the principal of another that shares a prefix', async () => {
    await verifier.verify(await sign(), [A])
    const other = await sign({ ...claims, sub: 'u2', jti: 'j2' })
    expect((await verifier.verify(other, [A])).subject).toBe('u2')
    for (let length = 16; length < other.length; length += 7) {
      const forged = other.slice(0, length) + 'A'.repeat(other.length - length)
      // A signature may itself end in an A.
      if (forged !== other) await expect(verifier.verify(forged, [A])).rejects.toEqual(invalid)
    }
  })
})

describe('the cache', () => {
  it('obeys expiry and the revocation epoch, and forgets nothing else', async () => {
    const token = await sign()
    await verifier.verify(token, [A])
    epoch++
    expect((await verifier.verify(token, [A])).jti).toBe('j1')
    revoked.add('j1')
    epoch++
    await expect(verifier.verify(token, [A])).rejects.toEqual(expect.objectContaining({ reason: 'revoked' }))
    const second = await sign({ ...claims, jti: 'j2' })
    await verifier.verify(second, [A])
    now += 600_000
    await expect(verifier.verify(second, [A])).rejects.toEqual(expect.objectContaining({ reason: 'expired' }))
  })
  it('recalls what was proved for as long as nothing has happened to it', async () => {
    const token = await sign()
    expect(verifier.recall(token, [A])).toBeUndefined()
    await verifier.verify(token, [A])
    expect(verifier.recall(token, [A])?.jti).toBe('j1')
    expect(verifier.recall(token, ['https://elsewhere.example/mcp'])).toBeUndefined()
    const [head = '', claimed = '', signature = ''] = token.split('.')
    for (const forged of [`${head}.${claimed}x.${signature}`, `x${token}`, signature, `.${signature}`])
      expect(verifier.recall(forged, [A])).toBeUndefined()
    stale = true
    expect(verifier.recall(token, [A])).toBeUndefined()
    stale = false
    epoch++
    expect(verifier.recall(token, [A])).toBeUndefined()
    await verifier.verify(token, [A])
    expect(verifier.recall(token, [A])?.jti).toBe('j1')
    now += 600_000
    expect(verifier.recall(token, [A])).toBeUndefined()
  })
  it('is emptied when a key is withdrawn', async () => {
    const token = await sign()
    await verifier.verify(token, [A])
    keys = [JSON.parse(newKey('signing', NOW, NOW).material) as JWK]
    for (const listener of rotated) listener()
    expect(verifier.recall(token, [A])).toBeUndefined()
    await expect(verifier.verify(token, [A])).rejects.toEqual(invalid)
  })
  it('refuses with 503 once revocations have not been heard of for too long', async () => {
    const token = await sign()
    await verifier.verify(token, [A])
    stale = true
    await expect(verifier.verify(token, [A])).rejects.toEqual(
      expect.objectContaining({ status: 503, reason: 'revocations_stale' }),
    )
    stale = false
    expect((await verifier.verify(token, [A])).jti).toBe('j1')
  })
})
