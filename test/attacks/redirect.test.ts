// Redirect URIs under attack, security catalogue A1, A3–A5, A7, A20: an answer goes to a registered address, spelled as it was
// registered, or it goes nowhere. RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §2.1 and §4.1.
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCertificate } from '../support/certificate.ts'
import { register, registerClient, type TestClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import {
  answerOf,
  codeFor,
  EVIL,
  expectLocalPage,
  expectRefused,
  expectServed,
  GOOD,
  type OAuthRange,
  SCOPE,
  seenOf,
  send,
  startOAuthRange,
  targetOf,
  tokensOf,
} from '../support/oauth-range.ts'
import { attackTable } from '../support/range.ts'

let range: OAuthRange
let client: TestClient

beforeAll(async () => {
  range = await startOAuthRange({ server: { development: true } })
  client = await registerClient(range.gateway, { redirectUris: [GOOD] })
})
afterAll(async () => {
  await range?.close()
})

/** An authorization request that is right in everything but what is given. */
const requestTo = (redirectUri: string | undefined, of: TestClient = client): string =>
  of.authorize({ redirect_uri: redirectUri, resource: range.resource, scope: SCOPE }).url

const metadataWith = (redirectUri: string) => ({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' })

/** The question to the person: what a request with a good redirect URI leads to. */
async function expectAsked(url: string): Promise<void> {
  const seen = await send(url)
  expect({ status: seen.status, location: seen.location }).toEqual({
    status: 303,
    location: expect.stringContaining('/interaction/'),
  })
}

const WAYS = ['/oauth/authorize', '/authorize'].flatMap((path) =>
  (['GET', 'POST'] as const).flatMap((method) =>
    ['stranger', 'signed in, consent remembered'].map((who) => ({
      id: `${method} ${path}, ${who}`,
      path,
      method,
      stranger: who === 'stranger',
    })),
  ),
)

attackTable('A1: a redirect URI that the client never registered', WAYS, async ({ path, method, stranger }) => {
  const person = await range.gateway.person()
  await codeFor(range, client)
  const fire = async (redirectUri: string) => {
    const { search } = new URL(requestTo(redirectUri))
    const url = `${range.gateway.url}${path}${method === 'GET' ? search : ''}`
    const form = method === 'GET' ? undefined : new URLSearchParams(search)
    if (stranger) return send(url, form && { form })
    return seenOf(await person.request(url, form && { method, body: form }))
  }
  expectLocalPage(await expectRefused(range, 'invalid_redirect_uri', () => fire(EVIL)))
  const twin = await fire(GOOD)
  expect([twin.status, targetOf(twin.location)]).toEqual([
    303,
    stranger ? expect.stringContaining('/interaction/') : GOOD,
  ])
})

interface Spelling {
  readonly id: string
  readonly uri: string
  /** An honest address of its own: it may be registered, and then means itself alone. */
  readonly honest?: true
  readonly reason?: string
}

const SPELLINGS: readonly Spelling[] = [
  { id: 'longer path', uri: `${GOOD}/more`, honest: true },
  { id: 'longer segment', uri: `${GOOD}evil`, honest: true },
  { id: 'shorter path', uri: 'https://good.example/', honest: true },
  { id: 'no path', uri: 'https://good.example', honest: true },
  { id: 'trailing slash', uri: `${GOOD}/`, honest: true },
  { id: 'path parameter', uri: `${GOOD};x`, honest: true },
  { id: 'doubled slash', uri: 'https://good.example//cb', honest: true },
  { id: 'another case of the path', uri: 'https://good.example/CB', honest: true },
  { id: 'another port', uri: 'https://good.example:8443/cb', honest: true },
  { id: 'a query', uri: `${GOOD}?x=1`, honest: true },
  { id: 'an empty query', uri: `${GOOD}?`, honest: true },
  { id: 'host as a suffix', uri: 'https://evilgood.example/cb', honest: true },
  { id: 'host as a prefix', uri: 'https://good.example.evil.test/cb', honest: true },
  { id: 'a host below', uri: 'https://evil.good.example/cb', honest: true },
  { id: 'root dot of the host', uri: 'https://good.example./cb', honest: true },
  { id: 'a punycode look-alike', uri: 'https://xn--god-0ed.example/cb', honest: true },
  { id: 'default port', uri: 'https://good.example:443/cb' },
  { id: 'empty port', uri: 'https://good.example:/cb' },
  { id: 'plain http', uri: 'http://good.example/cb' },
  { id: 'upper-case scheme', uri: 'HTTPS://good.example/cb' },
  { id: 'upper-case host', uri: 'https://GOOD.example/cb' },
  { id: 'userinfo before another host', uri: 'https://good.example@evil.test/cb' },
  { id: 'userinfo with a password', uri: 'https://good.example:443@evil.test/cb' },
  { id: 'userinfo before the right host', uri: 'https://evil@good.example/cb' },
  { id: 'dot segment', uri: 'https://good.example/./cb' },
  { id: 'dot-dot segment', uri: 'https://good.example/x/../cb' },
  { id: 'dot-dot past the end', uri: `${GOOD}/../evil` },
  { id: 'encoded dot segment', uri: 'https://good.example/x/%2e%2e/cb' },
  { id: 'half encoded dot segment', uri: `${GOOD}/.%2E/evil` },
  { id: 'encoded slash', uri: 'https://good.example%2fcb' },
  { id: 'encoded backslash', uri: 'https://good.example/%5ccb' },
  { id: 'encoded letter', uri: 'https://good.example/c%62', honest: true },
  { id: 'encoded NUL', uri: `${GOOD}%00` },
  { id: 'encoded CR and LF', uri: `${GOOD}%0d%0aSet-Cookie:%20a=b` },
  { id: 'twice encoded', uri: 'https://good.example/x/%252e%252e/cb', honest: true },
  { id: 'backslashes', uri: 'https:\\\\good.example\\cb' },
  { id: 'backslash before a host', uri: 'https://evil.test\\@good.example/cb' },
  { id: 'backslash after the host', uri: 'https://good.example\\.evil.test/cb' },
  { id: 'no slashes', uri: 'https:good.example/cb' },
  { id: 'one slash', uri: 'https:/good.example/cb' },
  { id: 'three slashes', uri: 'https:///good.example/cb' },
  { id: 'no scheme', uri: '//good.example/cb' },
  { id: 'a path alone', uri: '/cb' },
  { id: 'tab inside', uri: 'https://good.exam\tple/cb' },
  { id: 'newline inside', uri: 'https://good.example/c\nb' },
  { id: 'CR and LF at the end', uri: `${GOOD}\r\nLocation: https://evil.test/` },
  { id: 'leading space', uri: ` ${GOOD}` },
  { id: 'trailing space', uri: `${GOOD} ` },
  { id: 'NUL at the end', uri: `${GOOD}\0` },
  { id: 'byte order mark', uri: `\u{feff}${GOOD}` },
  { id: 'two of them', uri: `${GOOD} https://evil.test/cb` },
  { id: 'Cyrillic letter', uri: 'https://g\u043eod.example/cb' },
  { id: 'full-width letters', uri: 'https://\uff47ood.example/cb' },
  { id: 'ideographic full stop', uri: 'https://good\u3002example/cb' },
  { id: 'soft hyphen', uri: 'https://go\u00adod.example/cb' },
  { id: 'a fragment', uri: `${GOOD}#x` },
  { id: 'an empty fragment', uri: `${GOOD}#` },
  { id: 'empty', uri: '', reason: 'invalid_request' },
]

attackTable('A3: another spelling in the authorization request', SPELLINGS, async ({ uri, reason }) => {
  const url = requestTo(uri)
  expectLocalPage(await expectRefused(range, reason ?? 'invalid_redirect_uri', () => send(url)))
  await expectAsked(requestTo(GOOD))
})

const DISHONEST = SPELLINGS.filter(({ honest }) => !honest)
attackTable('A3: a spelling with two readings, registered', DISHONEST, async ({ uri }) => {
  const answer = await expectRefused(range, 'invalid_redirect_uri', () =>
    register(range.gateway.url, metadataWith(uri)),
  )
  expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_redirect_uri' } })
  expect((await register(range.gateway.url, metadataWith(GOOD))).status).toBe(201)
})

const HONEST = SPELLINGS.filter(({ honest }) => honest)
attackTable('A3: a neighbour, registered: it means itself alone', HONEST, async ({ uri }) => {
  const neighbour = await registerClient(range.gateway, { redirectUris: [uri] })
  const url = requestTo(GOOD, neighbour)
  expectLocalPage(await expectRefused(range, 'invalid_redirect_uri', () => send(url)))
  await expectAsked(requestTo(uri, neighbour))
})

attackTable(
  'A3: a wildcard is a letter like any other',
  [
    { id: 'of the host', uri: 'https://*.good.example/cb', means: 'https://evil.good.example/cb' },
    { id: 'of the path', uri: 'https://good.example/*', means: 'https://good.example/evil' },
    { id: 'of the query', uri: 'https://good.example/cb?*', means: 'https://good.example/cb?evil' },
  ],
  async ({ uri, means }) => {
    const answer = await register(range.gateway.url, metadataWith(uri))
    if (answer.status !== 201) return expect(answer.body).toMatchObject({ error: 'invalid_redirect_uri' })
    const wild = await registerClient(range.gateway, { redirectUris: [uri] })
    expectLocalPage(await expectRefused(range, 'invalid_redirect_uri', () => send(requestTo(means, wild))))
    await expectAsked(requestTo(uri, wild))
  },
)

describe('A3: redirects after sign-out', () => {
  it('do not exist: neither registered nor followed', async () => {
    const answer = await register(range.gateway.url, { ...metadataWith(GOOD), post_logout_redirect_uris: [EVIL] })
    expect(answer.status).toBe(201)
    expect(JSON.stringify(answer.body)).not.toContain(EVIL)
    const query = `?client_id=${client.id}&post_logout_redirect_uri=${encodeURIComponent(EVIL)}`
    for (const path of ['/oauth/session/end', '/session/end', '/oauth/logout']) {
      const seen = await send(`${range.gateway.url}${path}${query}`)
      expect({ status: seen.status, location: seen.location }).toEqual({ status: 404, location: undefined })
    }
    const page = await send(`${range.gateway.url}/logout${query}`)
    expect({ status: page.status, location: page.location }).toEqual({ status: 200, location: undefined })
    expect(page.html).not.toContain('evil.example')
  })
})

const ACTIVE = [
  { id: 'javascript', uri: 'javascript:alert(document.domain)' },
  { id: 'javascript in mixed case', uri: 'JaVaScRiPt:alert(1)' },
  { id: 'javascript with an authority', uri: 'javascript://good.example/%0aalert(1)' },
  { id: 'javascript behind a tab', uri: 'java\tscript:alert(1)' },
  { id: 'javascript behind a space', uri: ' javascript:alert(1)' },
  { id: 'data', uri: 'data:text/html,<script>alert(1)</script>' },
  { id: 'data in base64', uri: 'data:text/html;base64,PHNjcmlwdD4=' },
  { id: 'vbscript', uri: 'vbscript:msgbox(1)' },
  { id: 'file', uri: 'file:///etc/passwd' },
  { id: 'blob', uri: 'blob:https://good.example/7c1f' },
  { id: 'filesystem', uri: 'filesystem:https://good.example/temporary/x' },
  { id: 'about', uri: 'about:blank' },
  { id: 'view-source', uri: 'view-source:https://good.example/' },
  { id: 'intent', uri: 'intent://good.example/#Intent;scheme=https;end' },
  { id: 'ftp', uri: 'ftp://good.example/cb' },
] as const

attackTable('A4: an active scheme, registered', ACTIVE, async ({ uri }) => {
  const answer = await expectRefused(range, 'invalid_redirect_uri', () =>
    register(range.gateway.url, { ...metadataWith(GOOD), redirect_uris: [GOOD, uri] }),
  )
  expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_redirect_uri' } })
  const twin = await register(range.gateway.url, metadataWith('com.example.app:/cb'))
  expect(twin.status).toBe(201)
})

describe('A4: an active scheme in the configuration', () => {
  it.each(ACTIVE.slice(0, 2))('stops the start: $id', async ({ uri }) => {
    const clients = [{ clientId: 'console', redirectUris: [uri] }]
    await expect(startGateway({ oauth: { clients } })).rejects.toThrow(/A redirect URI must/)
  })
  it('starts with an honest one', async () => {
    const gateway = await startGateway({ oauth: { clients: [{ clientId: 'console', redirectUris: [GOOD] }] } })
    await gateway.close()
  })
})

describe('A4: client documents', () => {
  let documents: Server
  let base: string
  const usual = getCACertificates('default')

  beforeAll(async () => {
    const certificate = createCertificate()
    setDefaultCACertificates([...usual, certificate.cert])
    // The document whose path is `/{redirect URI}` has that redirect URI, next to a good one.
    documents = createServer(certificate, (req, res) => {
      const redirectUri = Buffer.from((req.url ?? '').slice(1), 'base64url').toString()
      const redirect_uris = [GOOD, redirectUri]
      const document = { client_id: base + req.url, client_name: 'By document', redirect_uris }
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
    })
    await new Promise<void>((resolve) => documents.listen(0, '127.0.0.1', resolve))
    base = `https://127.0.0.1:${(documents.address() as AddressInfo).port}`
  })
  afterAll(() => {
    setDefaultCACertificates(usual)
    documents?.closeAllConnections()
    documents?.close()
  })

  const requestOf = (uri: string, redirectUri: string) =>
    client.authorize({
      client_id: `${base}/${Buffer.from(uri).toString('base64url')}`,
      redirect_uri: redirectUri,
      resource: range.resource,
      scope: SCOPE,
    }).url

  attackTable('A4: an active scheme in a client document', ACTIVE, async ({ uri }) => {
    // Documents are fetched ten times a minute from one host.
    range.gateway.clock.advance('2m')
    for (const redirectUri of [uri, GOOD])
      expectLocalPage(await expectRefused(range, 'invalid_client', () => send(requestOf(uri, redirectUri))))
    await expectAsked(requestOf('com.example.app:/cb', GOOD))
  })
})

const LOOPBACK = 'http://127.0.0.1/cb'
const LOOPBACKS = [
  { id: 'a host that begins like it', uri: 'http://127.0.0.1.evil.test/cb' },
  { id: 'userinfo that looks like it', uri: 'http://127.0.0.1@evil.test/cb' },
  { id: 'userinfo with a port', uri: 'http://127.0.0.1:80@evil.test/cb' },
  { id: 'localhost as userinfo', uri: 'http://localhost@evil.test/cb' },
  { id: 'userinfo before it', uri: 'http://evil@127.0.0.1:8080/cb' },
  { id: 'localhost', uri: 'http://localhost:8080/cb' },
  { id: 'the other loopback', uri: 'http://[::1]:8080/cb' },
  { id: 'mapped address', uri: 'http://[::ffff:127.0.0.1]:8080/cb' },
  { id: 'short form', uri: 'http://127.1:8080/cb' },
  { id: 'decimal form', uri: 'http://2130706433:8080/cb' },
  { id: 'hexadecimal form', uri: 'http://0x7f000001:8080/cb' },
  { id: 'octal form', uri: 'http://0177.0.0.1:8080/cb' },
  { id: 'another address of the machine', uri: 'http://127.0.0.2:8080/cb' },
  { id: 'any address', uri: 'http://0.0.0.0:8080/cb' },
  { id: 'root dot', uri: 'http://127.0.0.1.:8080/cb' },
  { id: 'another path', uri: 'http://127.0.0.1:8080/evil' },
  { id: 'longer path', uri: 'http://127.0.0.1:8080/cb/more' },
  { id: 'dot segment', uri: 'http://127.0.0.1:8080/x/../cb' },
  { id: 'a query', uri: 'http://127.0.0.1:1/cb?x=1' },
  { id: 'a fragment', uri: 'http://127.0.0.1:1/cb#x' },
  { id: 'https', uri: 'https://127.0.0.1:8080/cb' },
  { id: 'backslashes', uri: 'http:\\\\127.0.0.1:8080\\cb' },
  { id: 'no slashes', uri: 'http:127.0.0.1:8080/cb' },
  { id: 'upper-case scheme', uri: 'HTTP://127.0.0.1:8080/cb' },
  { id: 'port beyond the last', uri: 'http://127.0.0.1:65536/cb' },
  { id: 'negative port', uri: 'http://127.0.0.1:-1/cb' },
  { id: 'two ports', uri: 'http://127.0.0.1:1:2/cb' },
  { id: 'a port with letters', uri: 'http://127.0.0.1:80evil/cb' },
  { id: 'a port with spaces', uri: 'http://127.0.0.1: 80/cb' },
] as const

attackTable('A5: what the loopback rule does not mean', LOOPBACKS, async ({ uri }) => {
  const native = await registerClient(range.gateway, { redirectUris: [LOOPBACK] })
  expectLocalPage(await expectRefused(range, 'invalid_redirect_uri', () => send(requestTo(uri, native))))
  await expectAsked(requestTo('http://127.0.0.1:8080/cb', native))
})

describe('A5: what the loopback rule means', () => {
  it.each(['', ':1', ':80', ':8080', ':65535'])('any port of the registered address: "%s"', async (port) => {
    const native = await registerClient(range.gateway, { redirectUris: [LOOPBACK] })
    await expectAsked(requestTo(`http://127.0.0.1${port}/cb`, native))
  })

  it('and no port but its own beyond loopback', async () => {
    const url = requestTo('https://good.example:8080/cb')
    expectLocalPage(await expectRefused(range, 'invalid_redirect_uri', () => send(url)))
  })
})

const ANSWERS = ['code', 'state', 'iss', 'error', 'error_description', 'access_token', 'id_token', 'response']
attackTable(
  'A7: parameters of the answer in the redirect URI',
  [
    { id: 'code, state and iss', query: 'code=x&state=y&iss=z' },
    ...ANSWERS.map((name) => ({ id: name, query: `${name}=x` })),
    { id: 'without a value', query: 'code' },
    { id: 'with an encoded name', query: '%63ode=x' },
    { id: 'behind another', query: 'tenant=1&iss=https%3A%2F%2Fevil.test' },
  ],
  async ({ query }) => {
    const uri = `${GOOD}?${query}`
    const answer = await expectRefused(range, 'invalid_redirect_uri', () =>
      register(range.gateway.url, metadataWith(uri)),
    )
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_redirect_uri' } })
  },
)

describe('A7: a query of its own', () => {
  it('stays, and each parameter of the answer comes once', async () => {
    const tenant = await registerClient(range.gateway, { redirectUris: [`${GOOD}?tenant=1`] })
    const person = await range.gateway.person()
    const { location } = await person.follow(requestTo(`${GOOD}?tenant=1`, tenant))
    const names = [...answerOf(location).keys()].sort()
    expect(names).toEqual(['code', 'iss', 'state', 'tenant'])
    expect(answerOf(location).get('tenant')).toBe('1')
    range.secrets.add(answerOf(location).get('code') ?? '')
  })
})

const LOCAL = [
  { id: 'unknown client', bend: { client_id: 'nobody' }, reason: 'invalid_client' },
  { id: 'no client', bend: { client_id: undefined }, reason: 'invalid_request' },
  {
    id: 'a document that cannot be fetched',
    bend: { client_id: 'https://127.0.0.1:1/c.json' },
    reason: 'invalid_client',
  },
  { id: 'evil target, unknown client', bend: { client_id: 'nobody', redirect_uri: EVIL }, reason: 'invalid_client' },
  { id: 'evil target, bad scope', bend: { redirect_uri: EVIL, scope: 'bad:scope' }, reason: 'invalid_redirect_uri' },
  { id: 'evil target, bad type', bend: { redirect_uri: EVIL, response_type: 'token' }, reason: 'invalid_redirect_uri' },
  {
    id: 'evil target, no PKCE',
    bend: { redirect_uri: EVIL, code_challenge: undefined },
    reason: 'invalid_redirect_uri',
  },
  { id: 'evil target, no prompt', bend: { redirect_uri: EVIL, prompt: 'none' }, reason: 'invalid_redirect_uri' },
  {
    id: 'evil target, bad mode',
    bend: { redirect_uri: EVIL, response_mode: 'fragment' },
    reason: 'invalid_redirect_uri',
  },
  { id: 'evil target, bad resource', bend: { redirect_uri: EVIL, resource: EVIL }, reason: 'invalid_redirect_uri' },
  { id: 'no target', bend: { redirect_uri: undefined }, reason: 'invalid_request' },
] as const

attackTable('A20: errors with nowhere to go stay here', LOCAL, async ({ bend, reason }) => {
  const { url } = client.authorize({ resource: range.resource, scope: SCOPE, ...bend })
  expectLocalPage(await expectRefused(range, reason, () => send(url)))
  await expectAsked(requestTo(GOOD))
})

const TOLD = [
  { id: 'bad scope', bend: { scope: 'bad:scope' }, error: 'invalid_scope' },
  { id: 'bad type', bend: { response_type: 'token' }, error: 'unsupported_response_type' },
  { id: 'no PKCE', bend: { code_challenge: undefined }, error: 'invalid_request' },
  { id: 'foreign resource', bend: { resource: EVIL }, error: 'invalid_target' },
  { id: 'request object', bend: { request: 'e30.e30.' }, error: 'request_not_supported' },
  { id: 'request by address', bend: { request_uri: EVIL }, error: 'request_uri_not_supported' },
  { id: 'registration in the request', bend: { registration: '{}' }, error: 'registration_not_supported' },
  { id: 'unknown prompt', bend: { prompt: 'evil' }, error: 'invalid_request' },
] as const

attackTable('A20: other errors go to the exact URI, and say whose they are', TOLD, async ({ bend, error }) => {
  for (const [registered, asked] of [
    [GOOD, GOOD],
    [`${GOOD}?tenant=1`, `${GOOD}?tenant=1`],
    [LOOPBACK, 'http://127.0.0.1:8080/cb'],
  ] as const) {
    const one = await registerClient(range.gateway, { redirectUris: [registered] })
    const { url, state } = one.authorize({ redirect_uri: asked, resource: range.resource, scope: SCOPE, ...bend })
    const { status, location } = await expectRefused(range, error, () => send(url))
    expect([302, 303]).toContain(status)
    expect(targetOf(location)).toBe(targetOf(asked))
    const answer = answerOf(location)
    expect({ error: answer.get('error'), state: answer.get('state'), iss: answer.get('iss') }).toEqual({
      error,
      state,
      iss: range.gateway.url,
    })
    expect(answer.has('code')).toBe(false)
  }
  await expectAsked(requestTo(GOOD))
})

describe('the way that stays open', () => {
  it('leads from the registered address to a token that the canary is called with', async () => {
    const { code, verifier } = await codeFor(range, client)
    await expectServed(range, tokensOf(range, await client.exchange(code, verifier)).accessToken)
  })
})
