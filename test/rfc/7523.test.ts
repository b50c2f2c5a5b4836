// RFC 7523 §2.2, JWT client authentication: for clients that publish their keys in their own document.
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Door, REDIRECT, startDoor } from '../support/door.ts'

const ID = 'https://client.example/c.json'
const KEYS = 'https://client.example/jwks.json'
const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const keys = await generateKeyPair('ES256', { extractable: true })
const stranger = await generateKeyPair('ES256')

let door: Door
const fetched: string[] = []
beforeAll(async () => {
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256' }
  const document = {
    client_id: ID,
    client_name: 'Signing',
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks_uri: KEYS,
  }
  door = await startDoor({
    fetchPublic: async (url) => {
      fetched.push(url)
      const body = url === KEYS ? { keys: [jwk] } : document
      return { status: 200, headers: new Headers(), body: Buffer.from(JSON.stringify(body)) }
    },
  })
})
afterAll(() => door?.close())

async function assertion(
  claims: Record<string, unknown> = {},
  key = keys.privateKey,
  header: Record<string, unknown> = {},
) {
  const now = Math.floor(Date.now() / 1000)
  const all = { iss: ID, sub: ID, aud: door.url, iat: now, exp: now + 60, jti: crypto.randomUUID(), ...claims }
  return new SignJWT(all).setProtectedHeader({ alg: 'ES256', kid: 'one', ...header }).sign(key)
}
const present = async (client_assertion: string) =>
  (
    await door.post('/oauth/token', {
      grant_type: 'refresh_token',
      refresh_token: 'unknown',
      client_id: ID,
      client_assertion_type: TYPE,
      client_assertion,
    })
  ).body['error']
// The client is authenticated, and only the token is wrong.
const PASSED = 'invalid_grant'

describe('RFC 7523 §3', () => {
  it('takes an assertion for the issuer or the token endpoint, its key fetched through the vetted way', async () => {
    expect(await present(await assertion())).toBe(PASSED)
    expect(await present(await assertion({ aud: `${door.url}/oauth/token` }))).toBe(PASSED)
    expect(fetched).toContain(KEYS)
  })

  it('once', async () => {
    const used = await assertion()
    expect(await present(used)).toBe(PASSED)
    expect(await present(used)).toBe('invalid_client')
    const raced = await assertion()
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => present(raced)))
    expect(outcomes.filter((outcome) => outcome === PASSED)).toHaveLength(1)
  })

  const soon = () => Math.floor(Date.now() / 1000)
  it.each<[string, () => Record<string, unknown>]>([
    ['another audience', () => ({ aud: 'https://other.example' })],
    ['several audiences', () => ({ aud: [door.url, 'https://other.example'] })],
    ['no audience', () => ({ aud: undefined })],
    ['another issuer', () => ({ iss: 'https://other.example/c.json' })],
    ['no subject', () => ({ sub: undefined })],
    ['no jti', () => ({ jti: undefined })],
    ['no end', () => ({ exp: undefined })],
    ['an end in the past', () => ({ exp: soon() - 300 })],
    ['an end too far away', () => ({ exp: soon() + 3600 })],
    ['a beginning in the future', () => ({ nbf: soon() + 120 })],
  ])('MUST reject %s', async (_name, claims) => {
    expect(await present(await assertion(claims()))).toMatch(/^invalid_(client|request)$/)
  })

  it("MUST reject another's signature, and a client that leaves its assertion out", async () => {
    expect(await present(await assertion({}, stranger.privateKey))).toBe('invalid_client')
    const bare = await door.post('/oauth/token', { grant_type: 'refresh_token', refresh_token: 'x', client_id: ID })
    expect(bare.body['error']).toBe('invalid_client')
  })
})
