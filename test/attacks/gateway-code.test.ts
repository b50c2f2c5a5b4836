// The redirect proxy for other gateways under attack: open redirects, stolen and guessed codes, side doors, answers taken for others'.
// Security catalogue A1, A3, A6, A8–A10, A15, A16, A18, A20–A22 for `/login` and `/gateway-oauth/exchange`.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerClient } from '../support/client.ts'
import { ANN, startGateway } from '../support/gateway.ts'
import { type Liar, startLiar } from '../support/liar.ts'
import {
  answerOf,
  codeFor,
  expectLocalPage,
  expectRefused,
  type FederatedRange,
  GOOD,
  press,
  SCOPE,
  type Seen,
  seenOf,
  send,
  startFederatedRange,
  targetOf,
} from '../support/oauth-range.ts'
import { type OtherGateway, otherGateway } from '../support/other-gateway.ts'
import { createPerson } from '../support/person.ts'
import { attackTable } from '../support/range.ts'

const MCP = 'https://mcp.example.com/oauth/callback'
const SECOND = 'https://mcp.example.com/second/callback'
const LOCAL = 'http://localhost:8090/oauth/callback'

let silent: Liar
let range: FederatedRange
let other: OtherGateway
let second: OtherGateway
beforeAll(async () => {
  silent = await startLiar({ announcesIssuer: false })
  const plain = { id: 'plain', type: 'oidc', issuer: silent.issuer, clientId: 'gate', callback: '/callback' } as const
  range = await startFederatedRange({
    identity: { providers: [plain] },
    oauth: { gatewayCallbacks: { enabled: true, allowedRedirectUris: [MCP, SECOND, LOCAL] } },
  })
  other = otherGateway(range.gateway.url, MCP)
  second = otherGateway(range.gateway.url, SECOND)
})
afterAll(async () => {
  await range?.close()
  await silent?.close()
})

interface Told extends Seen {
  readonly body: Record<string, unknown>
}

async function told(asking: Promise<Response>): Promise<Told> {
  const seen = await seenOf(await asking)
  return { ...seen, body: seen.html === '' ? {} : JSON.parse(seen.html) }
}

async function freshCode(of: OtherGateway = other): Promise<string> {
  const { code } = await of.signIn(await range.gateway.person(), { provider: 'local' })
  expect(code).not.toBe('')
  range.secrets.add(code)
  return code
}

async function expectGood(code: string, of: OtherGateway = other): Promise<string> {
  const { status, body } = await told(of.exchange(code))
  expect(status).toBe(200)
  const token = String(body['access_token'])
  range.secrets.add(token).add(String(body['refresh_token']))
  return token
}

const userInfo = (token: string) =>
  told(fetch(`${range.gateway.url}/user_info`, { headers: { authorization: `Bearer ${token}` } }))

const CALLBACKS = [
  'https://evil.example/oauth/callback',
  'https://mcp.example.com/oauth/callback/',
  'https://mcp.example.com/oauth/callback/../../evil',
  'https://mcp.example.com/oauth/callback%2f..%2fevil',
  'https://mcp.example.com/oauth/callback?next=https://evil.example',
  'https://mcp.example.com/oauth/callback#evil',
  'https://mcp.example.com:8443/oauth/callback',
  'https://mcp.example.com.evil.example/oauth/callback',
  'https://mcp.example.com@evil.example/oauth/callback',
  'https://evil.example\\@mcp.example.com/oauth/callback',
  'https://MCP.example.com/oauth/callback',
  'https://mcp.example.com/OAuth/callback',
  'https://mcp.example.com/oauth/callback\r\nLocation: https://evil.example',
  'https://mcp.example.com/oauth/callback\t',
  ' https://mcp.example.com/oauth/callback',
  '//mcp.example.com/oauth/callback',
  'http://mcp.example.com/oauth/callback',
  'https://mcp.еxample.com/oauth/callback',
  'http://localhost:8091/oauth/callback',
  'http://localhost:8090@evil.example/oauth/callback',
  'http://127.0.0.1:8090/oauth/callback',
  'javascript:alert(1)//https://mcp.example.com/oauth/callback',
  '*',
  'null',
].map((uri) => ({ id: JSON.stringify(uri), uri }))

attackTable(
  'A1, A3: a callback that is not listed gets no redirect, no question and no provider',
  CALLBACKS,
  async ({ uri }) => {
    const attack = () => send(other.loginUrl({ gateway_uri: uri, provider: 'corp' }))
    expectLocalPage(await expectRefused(range, 'gateway_uri_not_authorized', attack))
    const listed = await send(other.loginUrl({ provider: 'corp' }))
    expect(listed.location).toContain('/interaction/')
  },
)

const PARAMETERS: readonly { id: string; query: string; reason: string }[] = [
  { id: 'the callback twice', query: `&gateway_uri=${encodeURIComponent(MCP)}`, reason: 'invalid_request' },
  { id: 'the state twice', query: '&state=x', reason: 'invalid_request' },
  { id: 'the callback as a list', query: '&gateway_uri[]=https://evil.example/', reason: 'invalid_request' },
  { id: 'a provider nobody has', query: '&provider=<script>alert(1)</script>', reason: 'unsupported_provider' },
  { id: 'bytes that are no text', query: '&provider=%ff%fe', reason: 'invalid_request' },
  { id: 'a broken escape', query: '&provider=%zz', reason: 'invalid_request' },
  { id: 'a state of 3 KB', query: '', reason: 'invalid_request' },
]

attackTable(
  'A6, A20: what is wrong with the request is said here, never at an address of the request',
  PARAMETERS,
  async (row) => {
    const base = row.query === '' ? other.loginUrl({ state: 'x'.repeat(3000) }) : other.loginUrl()
    const seen = await expectRefused(range, row.reason, () => send(base + row.query))
    expectLocalPage(seen)
    expect((await send(other.loginUrl())).location).toContain('/interaction/')
  },
)

describe('A8, A10, A22: consent', () => {
  it('is asked before any provider hears of it and before any state exists', async () => {
    const first = await send(other.loginUrl({ provider: 'corp' }))
    expect(new URL(first.location ?? '', range.gateway.url).origin).toBe(range.gateway.url)
    expect(first.headers.getSetCookie().filter((cookie) => cookie.startsWith('portcullis-sign-in'))).toEqual([])
    const page = await createPerson(ANN).open(other.loginUrl({ provider: 'corp' }))
    expect(page.html).toContain('Allow <bdi>mcp.example.com</bdi>')
    const { location } = await createPerson(ANN).refuse(other.loginUrl({ provider: 'corp' }), MCP)
    expect([targetOf(location), answerOf(location).get('error')]).toEqual([MCP, 'access_denied'])
  })

  it('is not taken from another callback on the same host, and comes again when another site sends the browser', async () => {
    const person = await range.gateway.person()
    await freshCode()
    const elsewhere = await person.open(second.loginUrl())
    expect(elsewhere.html).toContain('Allow <bdi>mcp.example.com</bdi>')
    const again = await person.open(other.loginUrl(), { from: 'https://evil.example/' })
    expect(again.html).toContain('Continue as')
    expect(again.location).toBeUndefined()
  })

  it('belongs to the browser that was asked', async () => {
    const [victim, thief] = [createPerson(ANN), createPerson(ANN)]
    const page = await victim.open(other.loginUrl())
    const stolen = await expectRefused(range, 'interaction_elsewhere', () => press(thief, page, 'allow'))
    expect(stolen.status).toBe(403)
    expect((await press(victim, page, 'allow')).location).toContain('/oauth/authorize/')
  })
})

describe('the provider that was asked for', () => {
  it('is the only one this sign-in can be made with', async () => {
    const person = createPerson(ANN)
    const consent = await person.open(other.loginUrl({ provider: 'corp' }))
    const page = await person.submit(consent, /allow/i)
    expect(page.html).toContain('Sign in with Corp')
    expect(page.html).not.toMatch(/type="password"|idp\/plain/)
    const bend = (act: string) => ({ ...page, html: page.html.replace(/idp\/corp/g, act) })
    await expectRefused(range, 'other_provider', () => press(person, bend('idp/plain'), 'idp/plain'))
    const fields = { username: ANN.username, password: ANN.password }
    await expectRefused(range, 'local_closed', () => press(person, bend('login'), 'login', fields))
    expect((await press(person, page, 'idp/corp')).location).toContain(range.idp.issuer)
  })

  it('is asked again even of who is signed in here by another', async () => {
    const person = await range.gateway.person()
    await freshCode()
    // Allowed before, and typed in: no question is left but this one.
    const page = await person.open(other.loginUrl({ provider: 'corp' }))
    expect(page.html).toContain('Sign in with Corp')
  })
})

describe('A15, A16: codes', () => {
  it('tried at a wrong callback is burned, so that nobody tries a second one', async () => {
    const code = await freshCode()
    const guess = await expectRefused(range, 'gateway_code_elsewhere', () => told(other.exchange(code, SECOND)))
    expect(guess).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    for (const uri of [SECOND, LOCAL, 'https://evil.example/', MCP]) {
      const { status, body } = await told(other.exchange(code, uri))
      expect([status, Object.keys(body)]).toEqual([400, ['error', 'error_description']])
    }
    await expectGood(await freshCode())
  })

  it('of an MCP client is none here, and stays good for that client', async () => {
    const client = await registerClient(range.gateway, { redirectUris: [GOOD] })
    const { code, verifier } = await codeFor(range, client)
    const attack = () => told(other.exchange(code, GOOD))
    expect((await expectRefused(range, 'gateway_code_unknown', attack)).status).toBe(400)
    expect((await client.exchange(code, verifier)).status).toBe(200)
  })

  it('of a gateway is none at the token endpoint, whoever asks, and stays good here', async () => {
    const code = await freshCode()
    const redeem = (more: Record<string, string>) => () =>
      told(
        fetch(`${range.gateway.url}/oauth/token`, {
          method: 'POST',
          body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: MCP, ...more }),
        }),
      )
    for (const verifier of [{}, { code_verifier: 'x'.repeat(43) }])
      await expectRefused(range, 'invalid_grant', redeem({ client_id: `gateway:${MCP}`, ...verifier }))
    await expectGood(code)
  })

  it('raced is redeemed once, and the race ends what it gave', async () => {
    const code = await freshCode()
    const answers = await Promise.all(Array.from({ length: 20 }, () => told(other.exchange(code))))
    const winners = answers.filter(({ status }) => status === 200)
    expect(winners).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(19)
    expect((await userInfo(String(winners[0]?.body['access_token']))).status).toBe(401)
    const token = await expectGood(await freshCode())
    expect((await userInfo(token)).status).toBe(200)
  })

  const STRANGE: readonly { id: string; body: string | Buffer; type: string; status: number }[] = [
    {
      id: 'letters beyond ASCII, in JSON',
      body: '{"code":"ćöđé🔑","gateway_uri":"https://mcp.example.com/oauth/callback"}',
      type: 'application/json',
      status: 400,
    },
    {
      id: 'letters beyond ASCII, in a form',
      body: `code=%C4%87&gateway_uri=${MCP}`,
      type: 'application/x-www-form-urlencoded',
      status: 400,
    },
    {
      id: 'a callback beyond ASCII',
      body: '{"code":"x","gateway_uri":"https://mcp.exämple.com/cb"}',
      type: 'application/json',
      status: 400,
    },
    {
      id: 'half a character',
      body: '{"code":"\\ud800","gateway_uri":"https://mcp.example.com/oauth/callback"}',
      type: 'application/json',
      status: 400,
    },
    {
      id: 'NUL',
      body: '{"code":"a\\u0000b","gateway_uri":"https://mcp.example.com/oauth/callback"}',
      type: 'application/json',
      status: 400,
    },
    {
      id: 'bytes that are no text',
      body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
      type: 'application/json',
      status: 400,
    },
    { id: 'a prototype', body: '{"__proto__":{"code":"x"},"gateway_uri":"x"}', type: 'application/json', status: 400 },
    { id: 'a number', body: '{"code":1,"gateway_uri":"x"}', type: 'application/json', status: 400 },
    { id: 'a deep nest', body: '['.repeat(8000), type: 'application/json', status: 400 },
    { id: '20 KB', body: `{"code":"${'x'.repeat(20_000)}"}`, type: 'application/json', status: 413 },
  ]

  it.each(STRANGE)('with $id: $status, never a failure of ours', async ({ body, type, status }) => {
    const answer = await fetch(`${range.gateway.url}/gateway-oauth/exchange`, {
      method: 'POST',
      body: Buffer.from(body),
      headers: { 'content-type': type },
    })
    expect(answer.status).toBe(status)
    expect(Object.keys((await answer.json()) as object)).toEqual(['error', 'error_description'])
    await expectGood(await freshCode())
  })
})

describe('A16: side doors', () => {
  const authorize = (bend: Record<string, string>) => {
    const parameters = {
      response_type: 'code',
      client_id: `gateway:${MCP}`,
      redirect_uri: MCP,
      resource: MCP,
      scope: 'email',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
      ...bend,
    }
    return `${range.gateway.url}/oauth/authorize?${new URLSearchParams(parameters)}`
  }

  it('a code that a gateway was sent for somebody else’s challenge is good for neither', async () => {
    const visit = await (await range.gateway.person()).follow(authorize({}))
    const code = answerOf(visit.location).get('code') ?? ''
    range.secrets.add(code)
    expect((await expectRefused(range, 'invalid_grant', () => told(other.exchange(code)))).status).toBe(400)
    await expectGood(await freshCode())
  })

  it.each([
    ['another address', { redirect_uri: 'https://evil.example/' }],
    ['another local port', { client_id: `gateway:${LOCAL}`, redirect_uri: 'http://localhost:9999/oauth/callback' }],
    ['the callback of another gateway', { redirect_uri: SECOND }],
    [
      'a gateway that is not listed',
      { client_id: 'gateway:https://evil.example/', redirect_uri: 'https://evil.example/' },
    ],
  ])('a gateway’s name does not carry an answer to %s', async (_what, bend) => {
    expectLocalPage(await send(authorize(bend)))
    expect((await send(authorize({}))).location).toContain('/interaction/')
  })

  it('a list of callbacks opens nothing while the proxy is off', async () => {
    const off = await startGateway({ oauth: { gatewayCallbacks: { allowedRedirectUris: [MCP] } } })
    expectLocalPage(await send(authorize({}).replace(range.gateway.url, off.url)))
    await off.close()
  })

  it('a gateway gets no token for our servers, and no client one for a gateway', async () => {
    const own = await send(authorize({ resource: range.resource, scope: 'mcp:tools' }))
    expect([targetOf(own.location), answerOf(own.location).get('error')]).toEqual([MCP, 'invalid_target'])
    const client = await registerClient(range.gateway, { redirectUris: [GOOD] })
    const { url } = client.authorize({ resource: MCP, scope: 'email' })
    const seen = await expectRefused(range, 'invalid_target', () => send(url))
    expect([targetOf(seen.location), answerOf(seen.location).get('error')]).toEqual([GOOD, 'invalid_target'])
    const good = await send(client.authorize({ resource: range.resource, scope: SCOPE }).url)
    expect(good.location).toContain('/interaction/')
  })

  it('a token of one gateway names that gateway, and none counts in a URL', async () => {
    const [one, two] = [await expectGood(await freshCode()), await expectGood(await freshCode(second), second)]
    const audienceOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).aud
    expect([audienceOf(one), audienceOf(two)]).toEqual([MCP, SECOND])
    const inUrl = await told(fetch(`${range.gateway.url}/user_info?token=${one}&access_token=${one}`))
    expect(inUrl.status).toBe(401)
    expect((await userInfo(one)).status).toBe(200)
  })
})

describe('A9, A18, A21: answers of the provider', () => {
  /** Somebody says yes and leaves for this provider; answers where to. */
  async function leave(provider: string) {
    const person = createPerson(ANN)
    const consent = await person.open(other.loginUrl({ provider }))
    const page = await person.submit(consent, /allow/i)
    const { location = '' } = await press(person, page, `idp/${provider}`)
    return { person, url: new URL(location) }
  }

  it('come to the one callback that was registered there, the other providers to theirs', async () => {
    const [corp, plain] = [await leave('corp'), await leave('plain')]
    expect(corp.url.searchParams.get('redirect_uri')).toBe(`${range.gateway.url}/callback/corp`)
    expect(plain.url.searchParams.get('redirect_uri')).toBe(`${range.gateway.url}/callback`)
    const state = corp.url.searchParams.get('state') ?? ''
    const query = `code=of-another-provider&state=${state}`
    await expectRefused(range, 'federation_state_unknown', () => seenOfPerson(corp.person, `/callback?${query}`))
    expect((await send(`${range.gateway.url}/callback/plain?${query}`)).status).toBe(404)
    // Nothing of it was spent.
    const back = await range.idp.signIn(corp.url.href, 'cara')
    const { location } = await corp.person.open(back, { from: corp.url.href, stopAt: MCP })
    expect(targetOf(location)).toBe(MCP)
    range.secrets.add(answerOf(location).get('code') ?? '')
  })

  const seenOfPerson = async (person: ReturnType<typeof createPerson>, path: string) =>
    seenOf(await person.request(range.gateway.url + path))

  it('count in the browser that left only', async () => {
    const mallory = await leave('corp')
    const back = new URL(await range.idp.signIn(mallory.url.href, 'mallory'))
    const victim = await leave('corp')
    const attack = () => seenOfPerson(victim.person, back.pathname + back.search)
    expect((await expectRefused(range, 'another_browser', attack)).status).toBe(403)
    const { location } = await mallory.person.open(back.href, { from: mallory.url.href, stopAt: MCP })
    expect(answerOf(location).getAll('iss')).toEqual([range.gateway.url])
    range.secrets.add(answerOf(location).get('code') ?? '')
  })
})
