// Acceptance case 16: dynamic client registration. 201 with ids of their own; a bad redirect URI is 400.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { register, registerClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'

let canary: Canary
let gateway: TestGateway
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({
    servers: [{ id: 'canary', url: canary.url }],
    oauth: { registration: { perAddress: 1000, total: 1000 } },
  })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const GOOD = 'https://client.example/cb'
const registerWith = (redirect_uris: unknown, more: Record<string, unknown> = {}) =>
  register(gateway.url, { client_name: 'Test', redirect_uris, token_endpoint_auth_method: 'none', ...more })

describe('a registration', () => {
  it('is 201 with what was registered, for any origin and no cache', async () => {
    const answer = await registerWith([GOOD])
    expect(answer.status).toBe(201)
    expect(answer.body).toMatchObject({
      client_id: expect.stringMatching(/^\S{16,}$/),
      client_id_issued_at: expect.any(Number),
      client_name: 'Test',
      redirect_uris: [GOOD],
      grant_types: expect.arrayContaining(['authorization_code']),
      token_endpoint_auth_method: 'none',
    })
    expect(answer.body).not.toHaveProperty('client_secret')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  })

  it('has an id and a secret of its own every time, for the very same metadata too', async () => {
    const secret = { token_endpoint_auth_method: 'client_secret_basic' }
    const answers = await Promise.all(Array.from({ length: 20 }, () => registerWith([GOOD], secret)))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201))
    expect(new Set(answers.map(({ body }) => body['client_id'])).size).toBe(20)
    expect(new Set(answers.map(({ body }) => body['client_secret'])).size).toBe(20)
    for (const { body } of answers) expect(body['client_secret_expires_at']).toBe(0)
  })

  it.each([
    GOOD,
    'http://127.0.0.1/cb',
    'http://127.0.0.1:33418/cb',
    'http://localhost:33418/cb',
    'http://[::1]/cb',
    'cursor://anysphere.cursor-deeplink/cb',
    'com.example.app:/cb',
  ])('may name %s', async (uri) => {
    expect((await registerWith([uri])).body).toMatchObject({ redirect_uris: [uri] })
  })

  it('works: its client signs a person in', async () => {
    const client = await registerClient(gateway, { redirectUris: [GOOD] })
    const tokens = await client.signIn(await gateway.person(), { resource: gateway.resource('canary') })
    expect(tokens.accessToken).toMatch(/^eyJ/)
  })
})

describe('a bad redirect URI', () => {
  it.each([
    ['that runs a script', 'javascript:alert(1)'],
    ['that is the page itself', 'data:text/html,<script>alert(1)</script>'],
    ['with a fragment', `${GOOD}#x`],
    ['with an empty fragment', `${GOOD}#`],
    ['on plain http beyond loopback', 'http://client.example/cb'],
    ['that only looks like loopback', 'http://127.0.0.1.evil.example/cb'],
    ['with user information', 'https://good.example@evil.example/cb'],
    ['that is no URI', '/cb'],
    ['with a scheme that any app may claim', 'myapp://cb'],
  ])('%s is 400, alone and beside a good one', async (_what, uri) => {
    for (const uris of [[uri], [GOOD, uri]]) {
      const answer = await registerWith(uris)
      expect(answer.status).toBe(400)
      expect(['invalid_redirect_uri', 'invalid_client_metadata']).toContain(answer.body['error'])
      expect(answer.body).not.toHaveProperty('client_id')
      expect(JSON.stringify(answer.body)).not.toMatch(/<script>|alert/)
    }
  })

  it.each([[undefined], [[]], ['https://client.example/cb'], [[1]], [[null]]])(
    'is a list of %o, which is 400 too',
    async (uris) => expect((await registerWith(uris)).status).toBe(400),
  )

  it('leaves nothing behind', async () => {
    const before = await gateway.store.durable.clients.count()
    await registerWith(['javascript:alert(1)'])
    expect(await gateway.store.durable.clients.count()).toBe(before)
    await registerWith([GOOD])
    expect(await gateway.store.durable.clients.count()).toBe(before + 1)
  })
})
