import { generateKeyPairSync } from 'node:crypto'
import { decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { authorizationOf, credentialNeeds, openWith } from '../../../test/support/credential-needs.ts'
import { bearer, startTokenServer, type TokenServer } from '../../../test/support/token-server.ts'
import type { Given } from '../upstream.ts'

let server: TokenServer
beforeAll(async () => {
  server = await startTokenServer()
})
afterAll(() => server.close())
beforeEach(() => {
  server.asked.length = 0
  server.documents.length = 0
  server.metadata = {}
  server.place = '/.well-known/oauth-authorization-server'
  server.answer = () => bearer()
})

const CONFIG = { type: 'client-credentials', clientId: 'the gate', clientSecret: 'canary+secret' }
const REFUSED = { status: 401, challenge: 'Bearer error="invalid_token"' }
const open = (own: object = {}, needs = credentialNeeds()) =>
  openWith(needs, { ...CONFIG, tokenUrl: server.tokenUrl, ...own })

describe('RFC 6749 §4.4', () => {
  it('asks with what is configured, and no more', async () => {
    const credential = await open({ scopes: ['a', 'b'], resource: 'https://notes.example/mcp', audience: 'notes' })
    expect(authorizationOf(await credential.given(undefined))).toMatch(/^Bearer token-\d+$/)
    expect(server.asked[0]?.form).toEqual({
      grant_type: 'client_credentials',
      scope: 'a b',
      resource: 'https://notes.example/mcp',
      audience: 'notes',
    })
    await (await open()).given(undefined)
    expect(server.asked[1]?.form).toEqual({ grant_type: 'client_credentials' })
  })

  it('is one token for everybody, until ahead of its end', async () => {
    const needs = credentialNeeds()
    const credential = await open({}, needs)
    expect(credential.personal).toBe(false)
    const all = await Promise.all(Array.from({ length: 50 }, () => credential.given(undefined)))
    expect(new Set(all).size).toBe(1)
    needs.time.now += 3_500_000
    expect(credential.given(undefined)).toBe(all[0])
    expect(server.asked).toHaveLength(1)
    needs.time.now += 60_000
    expect(credential.given(undefined)).toBe(all[0])
    await expect.poll(() => credential.given(undefined)).not.toBe(all[0])
    expect(server.asked).toHaveLength(2)
  })

  it('is had anew once where the server refuses it', async () => {
    const credential = await open()
    const first = (await credential.given(undefined)) as Given
    const again = await Promise.all([1, 2, 3].map(() => credential.renewed?.(undefined, first, REFUSED)))
    expect(new Set(again.map(authorizationOf)).size).toBe(1)
    expect(authorizationOf(again[0])).not.toBe(authorizationOf(first))
    expect(await credential.renewed?.(undefined, again[0] as Given, REFUSED)).toBeUndefined()
    expect(server.asked).toHaveLength(2)
  })
})

describe('proof of who we are', () => {
  it('is the secret in the head, form-encoded (RFC 6749 §2.3.1)', async () => {
    await (await open()).given(undefined)
    const { headers, form } = server.asked[0] ?? { headers: {}, form: {} }
    expect(headers.authorization).toBe(`Basic ${Buffer.from('the+gate:canary%2Bsecret').toString('base64')}`)
    expect(form).not.toHaveProperty('client_id')
  })

  it.each([
    ['configured', {}, { clientAuth: 'client_secret_post' }],
    ['the only one it takes', { token_endpoint_auth_methods_supported: ['client_secret_post', 'none'] }, {}],
  ])('is the secret in the body where that is %s', async (_what, metadata, own) => {
    server.metadata = metadata
    await (await open({ tokenUrl: undefined, issuer: server.issuer, ...own })).given(undefined)
    expect(server.asked[0]?.headers.authorization).toBeUndefined()
    expect(server.asked[0]?.form).toMatchObject({ client_id: 'the gate', client_secret: 'canary+secret' })
  })

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ed = generateKeyPairSync('ed25519')
  it.each([
    ['RSA as PEM', rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), rsa.publicKey, 'RS256'],
    ['P-256 as JWK', JSON.stringify({ ...ec.privateKey.export({ format: 'jwk' }), kid: 'k1' }), ec.publicKey, 'ES256'],
    ['Ed25519 as PEM', ed.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), ed.publicKey, 'EdDSA'],
  ])('is a signed assertion with a key (%s, RFC 7523 §3)', async (_what, privateKey, publicKey, alg) => {
    const needs = credentialNeeds()
    const credential = await open(
      { clientSecret: undefined, privateKey, issuer: server.issuer, tokenUrl: undefined },
      needs,
    )
    const first = (await credential.given(undefined)) as Given
    await credential.renewed?.(undefined, first, REFUSED)
    const forms = server.asked.map(({ form }) => form)
    expect(forms[0]).toMatchObject({
      client_id: 'the gate',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })
    const claims: JWTPayload[] = []
    for (const { client_assertion: jwt = '' } of forms) {
      const checks = { audience: server.issuer, issuer: 'the gate', subject: 'the gate', algorithms: [alg] }
      claims.push((await jwtVerify(jwt, publicKey, { ...checks, currentDate: new Date(needs.time.now) })).payload)
    }
    expect(new Set(claims.map(({ jti }) => jti)).size).toBe(2)
    expect((claims[0]?.exp ?? 0) - (claims[0]?.iat ?? 0)).toBe(60)
    expect(decodeProtectedHeader(forms[0]?.['client_assertion'] ?? '').kid).toBe(alg === 'ES256' ? 'k1' : undefined)
  })

  it('that cannot be made is told at the start', async () => {
    const words = /^servers\.notes\.credentials: /
    await expect(open({ privateKey: 'canary' })).rejects.toThrow('privateKey is no private key')
    await expect(open({ privateKey: '{"canary"' })).rejects.toThrow(words)
    await expect(open({ clientAuth: 'private_key_jwt' })).rejects.toThrow('there is no privateKey')
    await expect(open({ clientSecret: undefined, clientAuth: 'client_secret_post' })).rejects.toThrow(words)
    expect(await open({ privateKey: 'canary' }).catch(String)).not.toContain('canary')
  })
})

describe('RFC 8414 §3', () => {
  const byIssuer = () => ({ tokenUrl: undefined, issuer: server.issuer })

  it.each(['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'])(
    'the metadata is at %s',
    async (place) => {
      server.place = place
      const credential = await open(byIssuer())
      expect(authorizationOf(await credential.given(undefined))).toMatch(/^Bearer /)
      const first = (await credential.given(undefined)) as Given
      await credential.renewed?.(undefined, first, REFUSED)
      expect(server.documents.filter((path) => path === place)).toHaveLength(1)
    },
  )

  it.each([
    ['of another issuer', { issuer: 'https://evil.example' }, 'issuer_mismatch'],
    ['with a slash too many', { issuer: 'SLASH' }, 'issuer_mismatch'],
    ['without a token endpoint', { token_endpoint: undefined }, 'discovery'],
    ['that leads into the house', { token_endpoint: 'http://127.0.0.2:1/token' }, 'unreachable'],
  ])('MUST be refused: %s', async (_what, metadata, step) => {
    server.metadata = 'issuer' in metadata && metadata.issuer === 'SLASH' ? { issuer: `${server.issuer}/` } : metadata
    await expect((await open(byIssuer())).given(undefined)).rejects.toMatchObject({ reason: 'credential_failed', step })
    expect(server.asked).toHaveLength(0)
  })
})

describe('an answer that cannot be used', () => {
  it.each([
    ['a refusal', 400, { error: 'invalid_client' }, 'refused', 'credential_failed', /refuses \(invalid_client\)/],
    ['an outage', 503, 'down', 'refused', 'credential_unavailable', /refuses \(503\)/],
    ['no token', 200, { token_type: 'Bearer' }, 'bad_answer', 'credential_failed', /without an access token/],
    ['no JSON', 200, '<html>', 'bad_answer', 'credential_failed', /without an access token/],
    [
      'a token with a line break',
      200,
      { access_token: 'a\r\nb', token_type: 'Bearer' },
      'bad_answer',
      'credential_failed',
      /./,
    ],
    [
      'a bound token',
      200,
      { access_token: 'a', token_type: 'DPoP' },
      'bad_answer',
      'credential_failed',
      /no bearer token/,
    ],
  ])('%s is a failure with a reason', async (_what, status, body, step, reason, said) => {
    server.answer = () => ({ status, body })
    const asking = (await open()).given(undefined)
    await expect(asking).rejects.toMatchObject({ step, reason })
    await expect(asking).rejects.toThrow(said)
  })

  it('is told without any secret that the server repeats', async () => {
    server.answer = ({ form }) => ({
      status: 400,
      body: {
        error: 'invalid_grant',
        error_description: `Client said canary+secret and ${JSON.stringify(form)} and abcdefghijklmnopqrstuvwxyz0123456789\u001b[31m`,
      },
    })
    const error = await Promise.resolve((await open()).given(undefined)).catch((refused: Error) => refused)
    const text = error instanceof Error ? error.message : ''
    expect(text).toContain('refuses (invalid_grant): Client said *** and')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal would obey it.
    expect(text).not.toMatch(/canary|abcdefghijklm|\u001b/)
  })

  it('nobody there is a failure that passes', async () => {
    const needs = credentialNeeds()
    const credential = await open({ tokenUrl: 'http://127.0.0.1:1/token?key=canary' }, needs)
    const error = await Promise.resolve(credential.given(undefined)).catch((refused: Error) => refused)
    expect(error).toMatchObject({ step: 'unreachable', reason: 'credential_unavailable' })
    expect((error as Error).message).not.toContain('canary')
  })
})
