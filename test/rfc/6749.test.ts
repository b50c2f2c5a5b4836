// RFC 6749, The OAuth 2.0 Authorization Framework: authorization code, errors, scopes, client authentication. Refreshing: 6749-refresh.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCOUNT, type Door, type Parameters, pkce, REDIRECT, startDoor } from '../support/door.ts'
import type { Answer } from '../support/door-browser.ts'

let door: Door
let client: string
beforeAll(async () => {
  door = await startDoor({
    oauth: { clients: [{ clientId: 'desk', clientSecret: 'a secret of the desk', redirectUris: [REDIRECT] }] },
  })
  client = String((await door.register()).body['client_id'])
})
afterAll(() => door?.close())

const authorize = (parameters: Parameters, raw = '') =>
  door.browser().get(door.authorizeUrl(client, pkce().challenge, parameters) + raw)
const errorSent = (answer: Answer) => {
  const location = new URL(answer.headers.get('location') ?? 'nowhere:')
  return location.href.startsWith(REDIRECT) ? location.searchParams.get('error') : `not sent: ${answer.status}`
}

describe('RFC 6749 §3.1.2.4: an invalid redirect URI', () => {
  it.each([
    ['https://evil.example/cb'],
    ['https://client.example/cb/'],
    ['https://client.example/cb?x=1'],
    ['https://client.example/CB'],
    ['https://client.example:443/cb'],
    ['https://client.example/a/../cb'],
    ['https://client.example%2f@evil.example/cb'],
    ['https://client.example\\@evil.example/cb'],
    ['https://client.example/cb\r\nX: y'],
    ['javascript:alert(1)'],
  ])('MUST NOT redirect to %s', async (redirect_uri) => {
    const answer = await authorize({ redirect_uri })
    expect(answer.status).toBe(400)
    expect(answer.headers.get('location')).toBeNull()
    expect(answer.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  })

  it('MUST NOT redirect for an unknown client, nor reflect what it sent', async () => {
    const answer = await authorize({ client_id: '<script>', state: '<img>' })
    expect(answer.status).toBe(400)
    expect(answer.headers.get('location')).toBeNull()
    expect(answer.text).not.toMatch(/<script>|<img>/)
  })

  it('RFC 8252 §7.3: on loopback the port alone may differ', async () => {
    const native = (await door.register({ redirect_uris: ['http://127.0.0.1/cb'] })).body['client_id']
    const to = async (redirect_uri: string) => (await authorize({ client_id: String(native), redirect_uri })).status
    expect(await to('http://127.0.0.1:41234/cb')).toBe(303)
    expect(await to('http://127.0.0.1/cb')).toBe(303)
    for (const other of [
      'http://127.0.0.1.evil.example/cb',
      'http://localhost@evil.example/cb',
      'http://localhost/cb',
      'http://[::1]/cb',
      'http://127.0.0.1:1/other',
      'http://127.0.0.1:1/cb?x=1',
      'https://127.0.0.1/cb',
      'http://user@127.0.0.1/cb',
    ])
      expect([other, await to(other)]).toEqual([other, 400])
  })
})

describe('RFC 6749 §4.1.2.1: errors go to the client once it is proved', () => {
  it.each([
    ['unsupported_response_type', { response_type: 'none' }],
    ['unsupported_response_type', { response_type: 'code code_wrong' }],
    ['unsupported_response_mode', { response_mode: 'fragment' }],
    ['unsupported_response_mode', { response_mode: 'form_post' }],
    ['unsupported_response_mode', { response_mode: 'query.jwt' }],
    ['invalid_scope', { scope: 'everything' }],
    ['invalid_target', { resource: 'https://other.example/mcp' }],
    ['invalid_request', { prompt: 'none login' }],
    ['consent_required', { prompt: 'none' }],
    ['request_not_supported', { request: 'eyJ' }],
    ['request_uri_not_supported', { request_uri: 'urn:x' }],
  ])('%s for %o, with state and iss', async (error, parameters) => {
    const answer = await authorize(parameters)
    expect(errorSent(answer)).toBe(error)
    const { searchParams } = new URL(answer.headers.get('location') ?? '')
    expect(searchParams.get('state')).toBe('state-1')
    expect(searchParams.get('iss')).toBe(door.url)
  })

  it.each(['token', 'id_token', 'code token', 'code id_token'])(
    'the implicit answer %s is not offered',
    async (response_type) => {
      const location = new URL(
        (await authorize({ response_type, nonce: 'n', scope: 'openid' })).headers.get('location') ?? '',
      )
      expect(location.href).toMatch(/unsupported_response_type/)
      expect(location.href).not.toMatch(/access_token=|code=/)
    },
  )

  it('access_denied when the person refuses', async () => {
    const location = await door.browser().follow(door.authorizeUrl(client, pkce().challenge), { deny: true })
    expect(location.searchParams.get('error')).toBe('access_denied')
    expect(location.searchParams.get('iss')).toBe(door.url)
  })
})

describe('RFC 6749 §3.1 and §3.2: parameters MUST NOT be included more than once', () => {
  it.each(['client_id', 'redirect_uri', 'scope', 'state', 'resource', 'code_challenge', 'response_type'])(
    '%s twice in the query',
    async (name) => {
      const value = name === 'resource' ? door.resource : 'x'
      const extra = new URL(door.authorizeUrl(client, pkce().challenge)).searchParams.has(name)
        ? ''
        : `&${name}=${value}`
      const answer = await authorize({}, `${extra}&${name}=${encodeURIComponent(value)}`)
      expect(answer.status).toBe(400)
      expect(answer.text).toContain('invalid_request')
      expect(answer.headers.get('location')).toBeNull()
    },
  )
  it.each(['scope[]=mcp:tools', 'resource[0]=x', 'scope%5B%5D=x'])('no list form: %s', async (raw) => {
    expect((await authorize({}, `&${raw}`)).status).toBe(400)
  })
  it('nor once in the query and once in the body', async () => {
    const url = door.authorizeUrl(client, pkce().challenge)
    const twice = await door.send(url, { method: 'POST', body: new URLSearchParams({ state: 'other' }) })
    expect(twice.status).toBe(400)
    const [endpoint = '', query = ''] = url.split('?')
    const posted = await door.send(endpoint, { method: 'POST', body: new URLSearchParams(query) })
    expect(posted.status).toBe(303)
  })
  it('at the token endpoint, in body or query', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = 'grant_type=authorization_code&grant_type=refresh_token'
    const twice = await door.send('/oauth/token', { method: 'POST', body, headers })
    expect([twice.status, twice.body['error']]).toEqual([400, 'invalid_request'])
    const query = await door.post('/oauth/token?client_secret=x', { grant_type: 'refresh_token' })
    expect([query.status, query.body['error']]).toEqual([400, 'invalid_request'])
  })
  it('MUST ignore unrecognised parameters, and count empty ones as omitted', async () => {
    expect((await authorize({ unheard_of: 'x', scope: '' })).status).toBe(303)
  })
})

describe('RFC 6749 §4.1.3 and §4.1.4: the token request', () => {
  it('answers once, uncacheable, with what was granted', async () => {
    const { answer, accessToken } = await door.signIn({ clientId: client, parameters: { scope: 'openid mcp:tools' } })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('content-type')).toContain('application/json')
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(Object.keys(answer.body).sort()).toEqual(
      ['access_token', 'expires_in', 'id_token', 'refresh_token', 'scope', 'token_type'].sort(),
    )
    const [head = '', payload = ''] = accessToken.split('.')
    expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toEqual({
      iss: door.url,
      sub: ACCOUNT,
      aud: door.resource,
      client_id: client,
      scope: 'mcp:tools',
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: expect.any(Number),
      fam: expect.any(String),
    })
  })
  it('gives no ID token to who did not ask for one', async () => {
    expect((await door.signIn({ clientId: client })).answer.body).not.toHaveProperty('id_token')
  })

  it('MUST deny a code used twice, and revokes what the first use gave', async () => {
    const first = await door.signIn()
    expect(await door.isAlive(first.accessToken)).toBe(true)
    const second = await door.post('/oauth/token', first.request)
    expect([second.status, second.body['error']]).toEqual([400, 'invalid_grant'])
    expect(await door.isAlive(first.accessToken)).toBe(false)
    expect((await door.refresh(first.clientId, first.refreshToken)).body['error']).toBe('invalid_grant')
    expect(door.acts).toContainEqual(expect.objectContaining({ act: 'family_revoked', reason: 'code_replayed' }))
  })

  it('gives one of fifty racers its tokens', async () => {
    const { request } = await door.code()
    const answers = await Promise.all(Array.from({ length: 50 }, () => door.post('/oauth/token', request)))
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
    expect(new Set(answers.filter((answer) => answer.status !== 200).map((answer) => answer.body['error']))).toEqual(
      new Set(['invalid_grant']),
    )
  })

  it('MUST bind the code to its client and redirect URI, and a wrong guess spends nothing', async () => {
    const other = String((await door.register()).body['client_id'])
    const { request } = await door.code()
    const wrong: [Parameters, string][] = [
      [{ client_id: other }, 'invalid_grant'],
      [{ redirect_uri: 'https://client.example/other' }, 'invalid_grant'],
      [{ redirect_uri: undefined }, 'invalid_request'],
      [{ scope: 'mcp:tools admin' }, 'invalid_scope'],
      [{ grant_type: 'client_credentials' }, 'unsupported_grant_type'],
      [{ grant_type: 'password' }, 'unsupported_grant_type'],
    ]
    for (const [change, error] of wrong)
      expect((await door.post('/oauth/token', { ...request, ...change })).body['error']).toBe(error)
    expect((await door.post('/oauth/token', request)).status).toBe(200)
  })

  it('§4.1.2: a code SHOULD be short-lived', async () => {
    const { request } = await door.code()
    door.advance(61_000)
    const late = await door.post('/oauth/token', request)
    expect(late.body['error']).toBe('invalid_grant')
  })
})

describe('RFC 6749 §2.3.1: client authentication', () => {
  const basic = (id: string, secret: string) => ({
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
  })
  const asked = { grant_type: 'refresh_token', refresh_token: 'none' }

  it('takes the right secret in header or body, and refuses every other way', async () => {
    const right = await door.post('/oauth/token', asked, basic('desk', 'a secret of the desk'))
    expect(right.body['error']).toBe('invalid_grant')
    const body = { ...asked, client_id: 'desk', client_secret: 'a secret of the desk' }
    expect((await door.post('/oauth/token', body)).body['error']).toBe('invalid_grant')
    for (const [parameters, headers] of [
      [asked, basic('desk', 'a secret of the des')],
      [asked, basic('desk', '')],
      [{ ...asked, client_id: 'desk' }, {}],
      [{ ...asked, client_id: 'desk', client_secret: 'wrong' }, {}],
      [body, basic('desk', 'a secret of the desk')],
      [asked, { authorization: 'Bearer x' }],
    ] as [Parameters, Record<string, string>][])
      expect((await door.post('/oauth/token', parameters, headers)).body['error']).toMatch(/^invalid_(client|request)$/)
  })

  it('keeps only the hash of a registered secret', async () => {
    const { body } = await door.register({ token_endpoint_auth_method: 'client_secret_basic' })
    const [id, secret] = [String(body['client_id']), String(body['client_secret'])]
    const stored = JSON.stringify(await door.store.durable.clients.find(id))
    expect(stored).not.toContain(secret)
    expect((await door.post('/oauth/token', asked, basic(id, secret))).body['error']).toBe('invalid_grant')
    const hash = /sha256~[\w-]+/.exec(stored)?.[0] ?? ''
    expect((await door.post('/oauth/token', asked, basic(id, hash))).body['error']).toBe('invalid_client')
  })
})

describe('what is not at exactly its address is not there', () => {
  it.each(['/oauth/Token', '/oauth/token/', '/OAUTH/TOKEN', '/oauth/userinfo', '/me', '/session/end'])(
    '%s',
    async (path) => expect((await door.send(`${door.origin}${path}`, { method: 'POST' })).status).toBe(404),
  )
  it('and other methods are 405', async () => {
    expect((await door.send('/oauth/token')).status).toBe(405)
    expect((await door.send('/oauth/authorize', { method: 'PUT' })).status).toBe(405)
    expect((await door.send('/oauth/register')).headers.get('allow')).toBe('POST')
  })
  it('the addresses of MCP 2025-03-26 work too', async () => {
    expect((await door.send(door.authorizeUrl(client, pkce().challenge).replace('/oauth', ''))).status).toBe(303)
    expect((await door.post('/token', { grant_type: 'refresh_token' })).body['error']).toBe('invalid_request')
  })
})
