// RFC 9068, JWT Profile for Access Tokens: what is in ours, and what the server refuses although it is signed.
import { generateKeyPair } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { registerClient } from '../support/client.ts'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { listTools } from '../support/mcp.ts'
import { type Bent, type Mint, minterOf } from '../support/mint.ts'

let canary: Canary
let gateway: TestGateway
let mint: Mint
let ann: string
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({
    servers: [
      { id: 'canary', url: canary.url },
      { id: 'other', url: canary.url },
    ],
  })
  mint = await minterOf(gateway, 'canary')
  ann = (await gateway.addUser(ANN)).id
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const part = (token: string, at: number) => JSON.parse(Buffer.from(token.split('.')[at] ?? '', 'base64url').toString())
const statusOf = async (token: string, server = 'canary') => (await listTools(gateway.resource(server), token)).status

/** Refused with invalid_token, and nothing reached the server behind. */
async function expectInvalid(token: string): Promise<void> {
  const before = canary.requests.length
  const { status, headers, body } = await listTools(gateway.resource('canary'), token)
  expect([status, canary.requests.length]).toEqual([401, before])
  expect(headers.get('www-authenticate')).toMatch(/error="invalid_token"/)
  // One sentence for every cause.
  expect(body).toEqual({ error: 'Unauthorized', message: 'The access token is not valid here.' })
}
const now = () => Math.floor(gateway.clock.now() / 1000)

describe('RFC 9068 §2: the token', () => {
  it('§2.1: MUST be signed, with an algorithm other than none, and typ is at+jwt', async () => {
    const header = part(await gateway.tokenFor('canary'), 0)
    expect(header).toMatchObject({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) })
  })

  it('§2.2: has iss, exp, aud, sub, client_id, iat and jti', async () => {
    const client = await registerClient(gateway)
    const { accessToken } = await client.signIn(await gateway.person(), { resource: gateway.resource('canary') })
    const claims = part(accessToken, 1)
    expect(claims).toMatchObject({
      iss: gateway.url,
      aud: gateway.resource('canary'),
      sub: ann,
      client_id: client.id,
      jti: expect.stringMatching(/^\S{16,}$/),
      iat: expect.any(Number),
      exp: expect.any(Number),
    })
    expect(claims.exp).toBe(claims.iat + 600)
  })

  it('§2.2: jti is one of its own each time', async () => {
    const tokens = [await gateway.tokenFor('canary'), await gateway.tokenFor('canary')]
    expect(new Set(tokens.map((token) => part(token, 1).jti)).size).toBe(2)
  })

  it('§2.2.3: has the scope claim, and §6: nothing of a person that policy does not need', async () => {
    const claims = part(await gateway.tokenFor('canary', { scope: 'openid email mcp:tools' }), 1)
    expect(claims.scope).toBe('mcp:tools')
    expect(Object.keys(claims).sort()).toEqual(['aud', 'client_id', 'exp', 'fam', 'iat', 'iss', 'jti', 'scope', 'sub'])
  })

  it('§3: aud MUST be the resource of the request', async () => {
    expect(part(await gateway.tokenFor('other'), 1).aud).toBe(gateway.resource('other'))
    expect(part(await gateway.tokenFor('canary'), 1).aud).toBe(gateway.resource('canary'))
  })
})

describe('RFC 9068 §4: the server', () => {
  it('takes a token that is right in everything', async () => {
    expect(await statusOf(await mint(ann))).toBe(200)
    expect(await statusOf(await gateway.tokenFor('canary'))).toBe(200)
  })

  it.each(['JWT', 'jwt', 'id_token+jwt', 'logout+jwt', 'at+jwt+x', ''])(
    'MUST reject a typ other than at+jwt: "%s"',
    async (typ) => expectInvalid(await mint(ann, { header: { typ } })),
  )

  it('takes application/at+jwt, which is the same type written out', async () => {
    expect(await statusOf(await mint(ann, { header: { typ: 'application/at+jwt' } }))).toBe(200)
  })

  it('does not take the ID token of the very same sign-in', async () => {
    const client = await registerClient(gateway)
    const asked = client.authorize({ resource: gateway.resource('canary'), scope: 'openid mcp:tools' })
    const code = await client.codeFrom(await gateway.person(), asked)
    const { body } = await client.exchange(code, asked.verifier)
    await expectInvalid(String(body['id_token']))
    expect(await statusOf(String(body['access_token']))).toBe(200)
  })

  it.each<[string, () => Bent]>([
    ['iss MUST be exactly the issuer: another', () => ({ claims: { iss: 'https://evil.example' } })],
    ['iss MUST be exactly the issuer: with a slash', () => ({ claims: { iss: `${gateway.url}/` } })],
    ['iss MUST be exactly the issuer: absent', () => ({ claims: { iss: undefined } })],
    ['aud MUST name this resource: another server', () => ({ claims: { aud: gateway.resource('other') } })],
    ['aud MUST name this resource: the issuer', () => ({ claims: { aud: gateway.url } })],
    ['aud MUST name this resource: a path below', () => ({ claims: { aud: `${gateway.resource('canary')}/x` } })],
    ['aud MUST name this resource: absent', () => ({ claims: { aud: undefined } })],
    ['exp MUST be ahead: past', () => ({ claims: { exp: now() - 1 } })],
    ['exp MUST be ahead: this very second', () => ({ claims: { exp: now() } })],
    ['exp MUST be ahead: absent', () => ({ claims: { exp: undefined } })],
    ['exp MUST be ahead: a text', () => ({ claims: { exp: String(now() + 600) } })],
    ['iat in the future', () => ({ claims: { iat: now() + 120 } })],
    ['nbf in the future', () => ({ claims: { nbf: now() + 120 } })],
    ['sub is required', () => ({ claims: { sub: undefined } })],
    ['client_id is required', () => ({ claims: { client_id: undefined } })],
    ['iat is required', () => ({ claims: { iat: undefined } })],
    ['jti is required', () => ({ claims: { jti: undefined } })],
    ['scope is a text', () => ({ claims: { scope: ['mcp:tools'] } })],
  ])('%s', async (_rule, bent) => expectInvalid(await mint(ann, bent())))

  it('MUST validate the signature: with another key, with another algorithm, with none', async () => {
    const { privateKey } = await generateKeyPair('ES256')
    await expectInvalid(await mint(ann, { key: privateKey }))
    const secret = new TextEncoder().encode('a secret that the forger knows, long enough')
    await expectInvalid(await mint(ann, { header: { alg: 'HS256' }, key: secret }))
    const [, payload = ''] = (await mint(ann)).split('.')
    const header = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')
    for (const signature of ['', 'AAAA']) await expectInvalid(`${header}.${payload}.${signature}`)
  })

  it('MUST validate the signature: over what the token says now', async () => {
    const [header, payload, signature] = (await mint(ann)).split('.')
    const claims = { ...part(`.${payload}`, 1), exp: now() + 86_400 }
    const changed = Buffer.from(JSON.stringify(claims)).toString('base64url')
    await expectInvalid(`${header}.${changed}.${signature}`)
    expect(await statusOf(`${header}.${payload}.${signature}`)).toBe(200)
  })

  it('is content with aud as a list of this one resource, or refuses it: never with one of several', async () => {
    const several = [gateway.resource('canary'), gateway.resource('other')]
    await expectInvalid(await mint(ann, { claims: { aud: several } }))
  })

  it('MUST treat the key that signed as the issuer’s only while it is published', async () => {
    await expectInvalid(await mint(ann, { header: { kid: 'nobody-knows-it' } }))
    const { keys } = (await (await fetch(`${gateway.url}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] }
    expect(keys.map(({ kid }) => kid)).toContain(part(await mint(ann), 0).kid)
  })
})
