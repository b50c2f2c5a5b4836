// Acceptance case 19: a gateway code is good once, for a while, at the callback it was issued for; which callbacks there are. And
// what its tokens are good for afterwards.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { type OtherGateway, otherGateway } from '../support/other-gateway.ts'
import { createPerson } from '../support/person.ts'

const MCP = 'https://mcp.example.com/oauth/callback'
const SECOND = 'https://second.example.com/oauth/callback'
const LOCAL = 'http://localhost:8090/oauth/callback'

let gateway: TestGateway
let other: OtherGateway
beforeAll(async () => {
  gateway = await startGateway({
    servers: [{ id: 'files', url: 'http://127.0.0.1:9/mcp' }],
    oauth: { gatewayCallbacks: { enabled: true, allowedRedirectUris: [MCP, SECOND, LOCAL] } },
  })
  other = otherGateway(gateway.url, MCP)
})
afterAll(() => gateway?.close())

const person = () => gateway.person()
const codeFor = async (of: OtherGateway = other) => (await of.signIn(await person(), { provider: 'local' })).code

async function tokens(of: OtherGateway = other): Promise<Record<string, string>> {
  const answer = await of.exchange(await codeFor(of))
  expect(answer.status).toBe(200)
  return (await answer.json()) as Record<string, string>
}

const userInfo = (token: string, query = '') =>
  fetch(`${gateway.url}/user_info${query}`, { headers: { authorization: `Bearer ${token}` } })
const post = (path: string, body?: string | URLSearchParams, type = 'application/json') =>
  fetch(gateway.url + path, {
    method: 'POST',
    body: body ?? null,
    headers: typeof body === 'string' ? { 'content-type': type } : {},
  })
const refused = async (answer: Response) => [
  answer.status,
  ((await answer.json()) as Record<string, unknown>)['error_description'],
]
const BAD_CODE = [400, 'Invalid or expired gateway code']

describe('sign-in for another gateway', () => {
  it('answers its callback with a code of 128 bits and more, its state, and who we are', async () => {
    const { code, state, iss, visit } = await other.signIn(await person(), { provider: 'local' })
    expect(visit.location?.startsWith(`${MCP}?`)).toBe(true)
    expect(code).toMatch(/^[\w-]{22,}$/)
    expect([state, iss]).toEqual(['state-of-the-gateway', gateway.url])
  })

  it('echoes a state only where one was sent', async () => {
    expect((await other.signIn(await person(), { state: undefined })).state).toBeNull()
  })

  it('asks the person first, naming the host', async () => {
    const browser = createPerson(ANN)
    const page = await browser.open(other.loginUrl({ provider: 'local' }))
    expect(page.status).toBe(200)
    expect(page.html).toMatch(/Allow <bdi>mcp\.example\.com<\/bdi> to use <bdi>your sign-in here<\/bdi>\?/)
    const visit = await browser.refuse(other.loginUrl({ provider: 'local' }), MCP)
    expect(visit.location).toMatch(/^https:\/\/mcp\.example\.com\/oauth\/callback\?error=access_denied&/)
  })

  it.each([
    ['no callback', { gateway_uri: undefined, redirect_uri: undefined }],
    ['a callback that is not listed', { gateway_uri: 'https://evil.example/oauth/callback' }],
    ['one that nearly is', { gateway_uri: `${MCP}/` }],
    ['a listed one beside it', { gateway_uri: 'https://evil.example/', redirect_uri: MCP }],
  ])('400 "Gateway URI not authorized": %s', async (_what, parameters) => {
    const answer = await fetch(other.loginUrl(parameters), { redirect: 'manual' })
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
    expect(await answer.text()).toContain('Gateway URI not authorized')
  })

  it('400 "Unsupported provider", with those there are', async () => {
    const answer = await fetch(other.loginUrl({ provider: 'azure' }), { redirect: 'manual' })
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
    expect(await answer.text()).toContain('Unsupported provider: azure. Available: local')
  })

  it.each(['gateway_uri', 'state', 'provider'])('400 when %s comes twice', async (name) => {
    const answer = await fetch(`${other.loginUrl({ provider: 'local' })}&${name}=x`, { redirect: 'manual' })
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
  })
})

describe('the exchange', () => {
  it('gives our tokens, for that callback and nothing else', async () => {
    const given = await tokens()
    expect(given).toMatchObject({ token_type: 'Bearer', expires_in: 600, refresh_token: expect.any(String) })
    const claims = JSON.parse(Buffer.from(given['access_token']?.split('.')[1] ?? '', 'base64url').toString())
    expect(claims).toMatchObject({ iss: gateway.url, aud: MCP, scope: 'profile email groups' })
    const { status } = await callTool(gateway.resource('files'), given['access_token'], 'anything')
    expect(status).toBe(401)
  })

  const query = (code: string) => `?${new URLSearchParams({ code, gateway_uri: MCP })}`
  it.each<[string, (code: string) => Promise<Response>]>([
    ['a form', (code) => other.exchange(code)],
    ['JSON', (code) => post('/gateway-oauth/exchange', JSON.stringify({ code, gateway_uri: MCP }))],
    ['the query', (code) => post(`/gateway-oauth/exchange${query(code)}`)],
    [
      'JSON at the older address',
      (code) => post('/api/v1/gateway-oauth/exchange', JSON.stringify({ code, gateway_uri: MCP })),
    ],
    ['query and body that agree', (code) => post(`/gateway-oauth/exchange${query(code)}`, JSON.stringify({ code }))],
  ])('takes %s', async (_how, exchange) => {
    const answer = await exchange(await codeFor())
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await answer.json()).toMatchObject({ access_token: expect.any(String), refresh_token: expect.any(String) })
  })

  it.each<[string, (code: string) => Promise<Response>]>([
    [
      'query and body that disagree',
      (code) => post(`/gateway-oauth/exchange${query('another')}`, JSON.stringify({ code })),
    ],
    ['a field twice in the query', (code) => post(`/gateway-oauth/exchange${query(code)}&code=${code}`)],
    [
      'a field twice in the form',
      (code) => post('/gateway-oauth/exchange', new URLSearchParams(`code=${code}&code=${code}&gateway_uri=${MCP}`)),
    ],
    [
      'a field twice in JSON',
      (code) => post('/gateway-oauth/exchange', `{"code":"${code}","gateway_uri":"${MCP}","c\\u006fde":"${code}"}`),
    ],
    ['a list', (code) => post('/gateway-oauth/exchange', JSON.stringify({ code: [code], gateway_uri: MCP }))],
    ['no object', () => post('/gateway-oauth/exchange', '"code"')],
    ['broken JSON', () => post('/gateway-oauth/exchange', '{"code":')],
    ['no code', () => post('/gateway-oauth/exchange', JSON.stringify({ gateway_uri: MCP }))],
    ['no callback', (code) => post('/gateway-oauth/exchange', JSON.stringify({ code }))],
    ['another kind of body', (code) => post('/gateway-oauth/exchange', `code=${code}`, 'text/plain')],
  ])('refuses %s with 400, and the code stays good', async (_what, exchange) => {
    const code = await codeFor()
    const answer = await exchange(code)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: 'invalid_request' })
    expect((await other.exchange(code)).status).toBe(200)
  })

  it('is once: a second time 400, and what the first gave ends', async () => {
    const code = await codeFor()
    const { access_token: token = '', refresh_token } = (await (await other.exchange(code)).json()) as Record<
      string,
      string
    >
    expect((await userInfo(token)).status).toBe(200)
    expect(await refused(await other.exchange(code))).toEqual(BAD_CODE)
    expect((await userInfo(token)).status).toBe(401)
    expect((await post('/refresh_token', JSON.stringify({ refresh_token, provider: 'local' }))).status).toBe(400)
  })

  it('is for five minutes', async () => {
    const [early, late] = [await codeFor(), await codeFor()]
    gateway.clock.advance('290s')
    expect((await other.exchange(early)).status).toBe(200)
    gateway.clock.advance('11s')
    expect(await refused(await other.exchange(late))).toEqual(BAD_CODE)
  })

  it('is for the callback that the code was issued for; a wrong one burns it', async () => {
    const code = await codeFor()
    expect(await refused(await other.exchange(code, SECOND))).toEqual(BAD_CODE)
    expect(await refused(await other.exchange(code))).toEqual(BAD_CODE)
    const events = await gateway.audit((all) => all.some(({ reason }) => reason === 'gateway_code_elsewhere'))
    expect(events.find(({ reason }) => reason === 'gateway_code_elsewhere')).toMatchObject({ decision: 'deny' })
    expect(
      (await otherGateway(gateway.url, SECOND).exchange(await codeFor(otherGateway(gateway.url, SECOND)))).status,
    ).toBe(200)
  })
})

describe('afterwards', () => {
  it('/user_info says who it is, to the bearer of a token for a gateway', async () => {
    const { access_token: token = '' } = await tokens()
    const answer = await userInfo(token, '?provider=local')
    expect(await answer.json()).toEqual({
      sub: expect.any(String),
      name: 'ann',
      email: 'ann@example.com',
      email_verified: true,
      groups: ['engineering'],
      roles: [],
      teams: [],
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await refused(await userInfo(token, '?provider=x'))).toEqual([
      400,
      'Unsupported provider: x. Available: local',
    ])
  })

  it.each([
    ['none', async () => undefined, 'Bearer'],
    ['a made-up one', async () => 'made.up.token', 'Bearer error="invalid_token"'],
    ['a token for one of our servers', () => gateway.tokenFor('files'), 'Bearer error="invalid_token"'],
  ])('401 without a credential of a gateway: %s', async (_what, tokenOf, challenge) => {
    const token = await tokenOf()
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    for (const [method, path] of [
      ['GET', '/user_info'],
      ['POST', '/is_token_valid'],
    ] as const) {
      const answer = await fetch(gateway.url + path, { method, headers })
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, challenge])
      await answer.body?.cancel()
    }
  })

  it('/is_token_valid: 200, and 401 once it ended or its person may not come any more', async () => {
    const valid = async (token: string) =>
      (await fetch(`${gateway.url}/is_token_valid`, { method: 'POST', headers: { authorization: `Bearer ${token}` } }))
        .status
    const { access_token: token = '' } = await tokens()
    expect(await valid(token)).toBe(200)
    const { sub } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    await gateway.store.durable.users.setDisabled(sub, true, gateway.clock.now())
    expect(await valid(token)).toBe(401)
    await gateway.store.durable.users.setDisabled(sub, false, gateway.clock.now())
    expect(await valid(token)).toBe(200)
    gateway.clock.advance('11m')
    expect(await valid(token)).toBe(401)
  })

  it('/refresh_token rotates; the old one is caught when it comes again late', async () => {
    const refresh = (token: unknown) =>
      post('/refresh_token', JSON.stringify({ refresh_token: token, provider: 'local' }))
    const first = await tokens()
    const second = (await (await refresh(first['refresh_token'])).json()) as Record<string, string>
    expect(second['refresh_token']).not.toBe(first['refresh_token'])
    expect((await userInfo(second['access_token'] ?? '')).status).toBe(200)
    const third = (await (await refresh(second['refresh_token'])).json()) as Record<string, string>
    gateway.clock.advance('31s')
    expect(await refused(await refresh(first['refresh_token']))).toEqual([400, 'Refresh token is invalid or expired'])
    expect((await refresh(third['refresh_token'])).status).toBe(400)
    expect((await userInfo(third['access_token'] ?? '')).status).toBe(401)
  })

  it('/refresh_token leaves the refresh token of an MCP client alone', async () => {
    const { refreshToken } = await gateway.signIn('files')
    expect(await refused(await post('/refresh_token', JSON.stringify({ refresh_token: refreshToken })))).toEqual([
      400,
      'Refresh token is invalid or expired',
    ])
    expect(await refused(await post('/refresh_token', '{}'))).toEqual([400, 'refresh_token is required'])
  })

  it('/exchange-code serves who comes without a gateway, at a listed address', async () => {
    const visit = await (await person()).follow(
      other.loginUrl({ gateway_uri: undefined, redirect_uri: MCP, provider: 'local' }),
      MCP,
    )
    const code = new URL(visit.location ?? 'none:').searchParams.get('code') ?? ''
    const body = { code, provider: 'local', redirect_uri: MCP }
    expect((await post('/exchange-code', JSON.stringify({ ...body, provider: 'azure' }))).status).toBe(400)
    expect((await post('/exchange-code', JSON.stringify(body))).status).toBe(200)
  })
})

describe('which callbacks there are', () => {
  const ADDRESSES: readonly (readonly [method: string, path: string])[] = [
    ['GET', '/login'],
    ['POST', '/gateway-oauth/exchange'],
    ['POST', '/api/v1/gateway-oauth/exchange'],
    ['POST', '/exchange-code'],
    ['POST', '/refresh_token'],
    ['GET', '/user_info'],
    ['POST', '/is_token_valid'],
  ]
  const statuses = (url: string) =>
    Promise.all(ADDRESSES.map(async ([method, path]) => (await fetch(url + path, { method })).status))

  it('none of the addresses exists while the proxy is off', async () => {
    const off = await startGateway({ doors: { admin: false } })
    expect(new Set(await statuses(off.url))).toEqual(new Set([404]))
    expect(await statuses(gateway.url)).not.toContain(404)
    await off.close()
  })

  it('none of them exists behind a closed door', async () => {
    const gatewayCallbacks = { enabled: true, allowedRedirectUris: [MCP] }
    const closed = await startGateway({ doors: { oauth: false, admin: false }, oauth: { gatewayCallbacks } })
    expect(new Set(await statuses(closed.url))).toEqual(new Set([404]))
    await closed.close()
  })

  it('an empty list refuses all', async () => {
    const empty = await startGateway({ oauth: { gatewayCallbacks: { enabled: true } } })
    for (const uri of [MCP, LOCAL, empty.url])
      expect((await fetch(otherGateway(empty.url, uri).loginUrl(), { redirect: 'manual' })).status).toBe(400)
    await empty.close()
  })

  it('a wildcard port serves every local callback, and no other host', async () => {
    const loose = await startGateway({
      oauth: { gatewayCallbacks: { enabled: true, strict: false, allowedRedirectUris: ['http://localhost:*'] } },
    })
    for (const uri of ['http://localhost:8090/oauth/callback', 'http://localhost:1234/']) {
      const local = otherGateway(loose.url, uri)
      const { code } = await local.signIn(await loose.person())
      expect((await local.exchange(code)).status).toBe(200)
    }
    for (const uri of [
      'http://localhost:1@evil.example/cb',
      'http://localhost:1@127.0.0.1/cb',
      'http://localhost.evil.example:1/',
      'https://mcp.example.com/oauth/callback',
    ]) {
      const answer = await fetch(otherGateway(loose.url, uri).loginUrl(), { redirect: 'manual' })
      expect([uri, answer.status, answer.headers.get('location')]).toEqual([uri, 400, null])
    }
    await loose.close()
  })

  it('a callback that is taken out of the list takes its codes and tokens along', async () => {
    const first = await startGateway({
      store: 'file',
      oauth: { gatewayCallbacks: { enabled: true, allowedRedirectUris: [MCP] } },
    })
    const gone = otherGateway(first.url, MCP)
    const browser = await first.person()
    const { access_token, refresh_token } = (await (
      await gone.exchange((await gone.signIn(browser)).code)
    ).json()) as Record<string, string>
    const { code } = await gone.signIn(browser)
    first.config.oauth.gatewayCallbacks.allowedRedirectUris.splice(0, 1, SECOND)
    await first.restart()
    expect(await refused(await gone.exchange(code))).toEqual([400, 'Gateway URI not authorized'])
    const refresh = await fetch(`${first.url}/refresh_token`, {
      method: 'POST',
      body: new URLSearchParams({ refresh_token: refresh_token ?? '' }),
    })
    expect(refresh.status).toBe(400)
    const info = await fetch(`${first.url}/user_info`, { headers: { authorization: `Bearer ${access_token}` } })
    expect(info.status).toBe(401)
    await first.close()
  })
})
