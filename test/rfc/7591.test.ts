// RFC 7591, Dynamic Client Registration, and RFC 7592, its management: open to strangers, who get what they may have.
import { afterEach, describe, expect, it } from 'vitest'
import { type Door, REDIRECT, startDoor } from '../support/door.ts'
import type { Answer } from '../support/door-browser.ts'

let door: Door
afterEach(() => door?.close())
const idOf = (answer: Answer) => String(answer.body['client_id'])

describe('RFC 7591 §3.2.1: registration', () => {
  it('answers 201 with what was registered, uncacheable and to any origin', async () => {
    door = await startDoor()
    const answer = await door.register({ redirect_uris: [REDIRECT, 'http://127.0.0.1/cb', 'cursor://app/cb'] })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(answer.body).toMatchObject({
      client_id: expect.any(String),
      client_id_issued_at: expect.any(Number),
      client_name: 'Test',
      redirect_uris: [REDIRECT, 'http://127.0.0.1/cb', 'cursor://app/cb'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      registration_client_uri: `${door.url}/oauth/register/${idOf(answer)}`,
    })
    expect(answer.body).not.toHaveProperty('client_secret')
    expect(door.acts).toContainEqual(expect.objectContaining({ act: 'client_registered', client: idOf(answer) }))
  })

  it('without an authentication method means client_secret_basic, with a secret that does not expire', async () => {
    door = await startDoor()
    const { body } = await door.register({ token_endpoint_auth_method: undefined })
    expect(body).toMatchObject({ token_endpoint_auth_method: 'client_secret_basic', client_secret_expires_at: 0 })
    expect(String(body['client_secret']).length).toBeGreaterThan(40)
  })

  it('ignores what a stranger may not set, and what would be fetched', async () => {
    door = await startDoor()
    const { status, body } = await door.register({
      client_id: 'mine',
      client_secret: 'mine',
      trusted: true,
      skip_consent: true,
      scope: 'admin',
      application_type: 'web',
      sector_identifier_uri: 'https://127.0.0.1/x',
      jwks_uri: 'https://127.0.0.1/x',
      logo_uri: 'http://169.254.169.254/x',
      id_token_signed_response_alg: 'none',
      grant_types: ['authorization_code', 'implicit', 'password'],
      __proto__: { polluted: true },
    })
    expect(status).toBe(201)
    expect(body['client_id']).not.toBe('mine')
    expect(body['grant_types']).toEqual(['authorization_code'])
    for (const name of [
      'client_secret',
      'trusted',
      'skip_consent',
      'scope',
      'sector_identifier_uri',
      'jwks_uri',
      'logo_uri',
    ])
      expect(body).not.toHaveProperty(name)
  })
})

describe('RFC 7591 §3.2.2: refusals', () => {
  it.each([
    ['http://client.example/cb'],
    ['https://client.example/cb#x'],
    ['javascript:alert(1)'],
    ['data:text/html,x'],
    ['https://client.example/cb?code=1'],
    ['myapp://cb'],
  ])('invalid_redirect_uri for %s, also beside a good one', async (uri) => {
    door = await startDoor()
    const answer = await door.register({ redirect_uris: [REDIRECT, uri] })
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_redirect_uri'])
    expect(await door.store.durable.clients.count()).toBe(0)
  })

  it.each([
    [{ redirect_uris: [] }],
    [{ redirect_uris: 'https://client.example/cb' }],
    [{ redirect_uris: [1] }],
    [{ redirect_uris: undefined }],
    [{ response_types: ['token'] }],
    [{ grant_types: ['implicit'] }],
    [{ token_endpoint_auth_method: 'client_secret_jwt' }],
    [{ token_endpoint_auth_method: 'private_key_jwt' }],
    [{ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ kty: 'oct', k: 'x' }] } }],
    [
      {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }] },
      },
    ],
    [{ client_name: { a: 1 } }],
  ])('%o', async (metadata) => {
    door = await startDoor()
    const answer = await door.register(metadata)
    expect(answer.status).toBe(400)
    expect(answer.body['error']).toMatch(/^invalid_(client_metadata|redirect_uri)$/)
  })

  it('is JSON, an object, and not larger than 64 KB', async () => {
    door = await startDoor()
    const send = (body: string, type = 'application/json') =>
      door.send('/oauth/register', { method: 'POST', body, headers: { 'content-type': type } })
    for (const body of ['', '[]', 'null', '"x"', '{', '\ufeff{}'])
      expect([body, (await send(body)).status]).toEqual([body, 400])
    expect((await send('{}', 'text/plain')).status).toBe(400)
    expect((await send(JSON.stringify({ client_name: 'x'.repeat(70_000) }))).status).toBe(413)
  })

  it('trustedHosts holds redirect URIs to those hosts', async () => {
    door = await startDoor({ oauth: { registration: { trustedHosts: ['*.corp.example'] } } })
    expect((await door.register()).body['error']).toBe('invalid_redirect_uri')
    expect((await door.register({ redirect_uris: ['https://a.corp.example/cb'] })).status).toBe(201)
    expect((await door.register({ redirect_uris: ['http://localhost:1/cb'] })).status).toBe(201)
  })

  it('a closed registration is not there, and not in the metadata', async () => {
    door = await startDoor({ oauth: { registration: { dynamic: false } } })
    expect((await door.register()).status).toBe(404)
    expect((await door.send('/.well-known/oauth-authorization-server')).body).not.toHaveProperty(
      'registration_endpoint',
    )
  })
})

describe('flooding', () => {
  it('is limited per address and hour, and says when to come back', async () => {
    door = await startDoor({ oauth: { registration: { perAddress: 2 } } })
    for (const status of [201, 201, 429]) expect((await door.register()).status).toBe(status)
    const refused = await door.register()
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await door.store.durable.clients.count()).toBe(2)
    door.advance(3_600_000)
    expect((await door.register()).status).toBe(201)
  })

  it('is limited in all', async () => {
    door = await startDoor({ oauth: { registration: { total: 1 } } })
    for (const status of [201, 429]) expect((await door.register()).status).toBe(status)
  })

  it('fills no store: beyond the cap only never-used clients make room', async () => {
    door = await startDoor({ oauth: { registration: { clients: 2, neverUsedTtl: '1h' } } })
    const used = await door.signIn()
    expect((await door.register()).status).toBe(201)
    expect((await door.register()).status).toBe(429)
    door.advance(3_700_000)
    expect((await door.register()).status).toBe(201)
    expect((await door.refresh(used.clientId, used.refreshToken)).status).toBe(200)
  })

  it('a client that never got a token is forgotten after its time', async () => {
    door = await startDoor({ oauth: { registration: { neverUsedTtl: '1h' } } })
    const forgotten = idOf(await door.register())
    const used = await door.signIn()
    door.advance(3_700_000)
    expect((await door.browser().get(door.authorizeUrl(forgotten, 'x'.repeat(43)))).status).toBe(400)
    expect((await door.browser().get(door.authorizeUrl(used.clientId, 'x'.repeat(43)))).status).toBe(303)
  })
})

describe('RFC 7592 §2: management', () => {
  const manage = (id: string, token: string, init: RequestInit = {}) =>
    door.send(`/oauth/register/${id}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    })

  it('§2.1 reads, §2.2 replaces and rotates the token, §2.3 deletes with everything issued', async () => {
    door = await startDoor()
    const registered = await door.register()
    const id = idOf(registered)
    const token = String(registered.body['registration_access_token'])
    expect((await manage(id, token)).body).toMatchObject({ client_id: id, client_name: 'Test' })

    const body = JSON.stringify({
      client_id: id,
      redirect_uris: [REDIRECT],
      client_name: 'Renamed',
      token_endpoint_auth_method: 'none',
    })
    const updated = await manage(id, token, { method: 'PUT', body })
    expect(updated.body).toMatchObject({ client_name: 'Renamed' })
    const next = String(updated.body['registration_access_token'])
    expect(next).not.toBe(token)
    expect((await manage(id, token)).status).toBe(401)

    const tokens = await door.signIn({ clientId: id })
    expect((await manage(id, next, { method: 'DELETE' })).status).toBe(204)
    expect((await door.refresh(id, tokens.refreshToken)).body['error']).toBe('invalid_client')
    expect(await door.isAlive(tokens.accessToken)).toBe(false)
    expect((await manage(id, next)).status).toBe(401)
  })

  it('is recorded before it is done, and not done when it cannot be', async () => {
    door = await startDoor()
    const registered = await door.register()
    const id = idOf(registered)
    let token = String(registered.body['registration_access_token'])
    const body = JSON.stringify({
      client_id: id,
      redirect_uris: ['https://elsewhere.example/cb'],
      token_endpoint_auth_method: 'none',
    })
    const before = await door.store.durable.clients.find(id)
    door.recorder.failing = true
    for (const init of [{ method: 'PUT', body }, { method: 'DELETE' }]) {
      const refused = await manage(id, token, init)
      expect([refused.status, refused.body['error']]).toEqual([503, 'temporarily_unavailable'])
      expect(await door.store.durable.clients.find(id)).toEqual(before)
    }
    door.recorder.failing = false
    const updated = await manage(id, token, { method: 'PUT', body })
    expect([updated.status, updated.body['redirect_uris']]).toEqual([200, ['https://elsewhere.example/cb']])
    token = String(updated.body['registration_access_token'])
    expect((await manage(id, token, { method: 'DELETE' })).status).toBe(204)
    expect(door.acts.filter(({ client }) => client === id)).toMatchObject([
      { act: 'client_registered' },
      { act: 'client_updated', decision: 'allow', reason: 'managed_by_client', address: '127.0.0.1' },
      { act: 'client_deleted', decision: 'allow', reason: 'managed_by_client', address: '127.0.0.1' },
    ])
  })

  it("MUST NOT open another client's record, nor without a token", async () => {
    door = await startDoor()
    const [mine, other] = [await door.register(), await door.register()]
    const token = String(mine.body['registration_access_token'])
    expect((await manage(idOf(other), token)).status).toBe(401)
    expect((await door.send(`/oauth/register/${idOf(other)}`)).status).toBe(401)
    expect((await manage(idOf(other), 'guess')).status).toBe(401)
    expect((await manage(idOf(other), String(other.body['registration_access_token']))).status).toBe(200)
  })

  it('§2.2: an update MUST NOT change the client_id, and is held to the same rules', async () => {
    door = await startDoor()
    const registered = await door.register()
    const token = String(registered.body['registration_access_token'])
    const put = async (change: object) => {
      const body = {
        client_id: idOf(registered),
        redirect_uris: [REDIRECT],
        token_endpoint_auth_method: 'none',
        ...change,
      }
      return (await manage(idOf(registered), token, { method: 'PUT', body: JSON.stringify(body) })).status
    }
    expect(await put({ client_id: 'other' })).toBe(400)
    expect(await put({ client_id_issued_at: 1 })).toBe(400)
    expect(await put({ redirect_uris: ['javascript:alert(1)'] })).toBe(400)
    expect(await put({})).toBe(200)
  })

  it('§2.2: takes the right secret, refuses a wrong one, and tells it no second time', async () => {
    door = await startDoor()
    const { body } = await door.register({ token_endpoint_auth_method: 'client_secret_post' })
    let token = String(body['registration_access_token'])
    const id = String(body['client_id'])
    const put = async (client_secret: string) => {
      const metadata = {
        client_id: id,
        redirect_uris: [REDIRECT],
        token_endpoint_auth_method: 'client_secret_post',
        client_secret,
      }
      const answer = await manage(id, token, { method: 'PUT', body: JSON.stringify(metadata) })
      token = String(answer.body['registration_access_token'] ?? token)
      return answer
    }
    expect((await put('wrong')).status).toBe(400)
    const updated = await put(String(body['client_secret']))
    expect(updated.status).toBe(200)
    expect(updated.body).not.toHaveProperty('client_secret')
    expect((await manage(id, token)).text).not.toContain('sha256~')
    const asked = {
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_id: id,
      client_secret: String(body['client_secret']),
    }
    expect((await door.post('/oauth/token', asked)).body['error']).toBe('invalid_grant')
  })
})
