// Parameters sent twice, flows that are switched off, scopes that nobody consented to: security catalogue A6, A19, A27.
// RFC 6749 §3.1, §3.2 and §6, OAuth 2.1 §2.1.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, register, registerClient, type TestClient } from '../support/client.ts'
import {
  answerOf,
  codeFor,
  EVIL,
  expectLocalPage,
  expectRefused,
  expectServed,
  formOf,
  GOOD,
  type OAuthRange,
  postPairs,
  SCOPE,
  type Seen,
  seenOf,
  send,
  startOAuthRange,
  targetOf,
  tokensOf,
} from '../support/oauth-range.ts'
import type { Person } from '../support/person.ts'
import { attackTable } from '../support/range.ts'

let range: OAuthRange
let client: TestClient

beforeAll(async () => {
  range = await startOAuthRange()
  client = await registerClient(range.gateway, { redirectUris: [GOOD] })
})
afterAll(async () => {
  await range?.close()
})

const rightRequest = (of: TestClient = client): string =>
  of.authorize({ resource: range.resource, scope: SCOPE, prompt: 'consent', response_mode: 'query' }).url

const TWICE = [
  ...['client_id', 'redirect_uri', 'response_type', 'response_mode', 'scope', 'state', 'resource', 'prompt'],
  ...['code_challenge', 'code_challenge_method'],
]
/** Ways to say the same name a second time. */
const FORMS: readonly { id: string; bend(url: URL, name: string, value: string): [URL, string?] }[] = [
  { id: 'in the query, the same value', bend: (url, name, value) => [withPair(url, name, value)] },
  { id: 'in the query, another value', bend: (url, name) => [withPair(url, name, 'evil')] },
  { id: 'in the query, first without a value', bend: (url, name) => [withPair(url, name, '')] },
  { id: 'in the query, its name encoded', bend: (url, name) => [withPair(url, encodeAll(name), 'evil')] },
  { id: 'in the body', bend: (url, name) => [stripped(url), `${url.search.slice(1)}&${name}=evil`] },
  { id: 'in query and body', bend: (url, name) => [url, `${name}=evil`] },
  { id: 'as a list', bend: (url, name) => [withPair(url, `${name}[]`, 'evil')] },
  { id: 'as an indexed list', bend: (url, name) => [withPair(url, `${name}[0]`, 'evil')] },
  { id: 'as a member', bend: (url, name) => [withPair(url, `${name}%5Bx%5D`, 'evil')] },
]

const withPair = (url: URL, name: string, value: string) => new URL(`${url.href}&${name}=${encodeURIComponent(value)}`)
const stripped = (url: URL) => new URL(url.pathname, url.origin)
const encodeAll = (name: string) => [...name].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')

const POLLUTED = TWICE.flatMap((name) => FORMS.map(({ id, bend }) => ({ id: `${name} ${id}`, name, bend })))

attackTable('A6: an authorization request with a parameter twice', POLLUTED, async ({ name, bend }) => {
  const url = new URL(rightRequest())
  const [target, body] = bend(url, name, url.searchParams.get(name) ?? '')
  const form = body === undefined ? {} : { form: new URLSearchParams(body) }
  const seen = await expectRefused(range, 'invalid_request', () => send(target.href, form))
  expectLocalPage(seen)
  expect(seen.html).toContain('invalid_request')
})

describe('A6: the positive twins', () => {
  it('a request with every parameter once is asked about, by GET, by POST, and from both', async () => {
    const url = new URL(rightRequest())
    const [half, rest] = [new URLSearchParams(), new URLSearchParams()]
    for (const [name, value] of url.searchParams) (name.startsWith('code') ? rest : half).set(name, value)
    for (const seen of [
      await send(url.href),
      await send(stripped(url).href, { form: url.searchParams }),
      await send(`${stripped(url).href}?${half}`, { form: rest }),
    ])
      expect(seen.location).toContain('/interaction/')
  })

  it('a parameter that nobody knows is no parameter', async () => {
    expect((await send(`${rightRequest()}&utm_source=mail`)).location).toContain('/interaction/')
  })
})

type Pairs = readonly (readonly [string, string])[]
interface Posting {
  readonly id: string
  readonly pairs: (right: Pairs) => Pairs
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
}

const again = (name: string, value?: string) => (right: Pairs) =>
  [...right, [name, value ?? right.find(([one]) => one === name)?.[1] ?? 'x'] as const] satisfies Pairs

const POSTINGS: readonly Posting[] = [
  ...['grant_type', 'client_id', 'redirect_uri', 'code', 'code_verifier', 'resource', 'scope'].flatMap((name) => [
    { id: `${name} twice, the same`, pairs: (right: Pairs) => again(name)(again(name)(right)) },
    { id: `${name} twice, another`, pairs: (right: Pairs) => again(name, 'evil')(again(name)(right)) },
    { id: `${name} as a list`, pairs: again(`${name}[]`, 'evil') },
  ]),
  { id: 'an unknown name twice', pairs: (right) => again('foo', 'a')(again('foo', 'b')(right)) },
  { id: 'a parameter in the query', pairs: (right) => right, query: '?grant_type=authorization_code' },
  { id: 'the code in the query', pairs: (right) => right.filter(([name]) => name !== 'code'), query: '?code=x' },
  { id: 'an unknown parameter in the query', pairs: (right) => right, query: '?foo=bar' },
  {
    id: 'two ways of saying who the client is',
    pairs: again('client_secret', 'x'),
    headers: { authorization: `Basic ${btoa('a:b')}` },
  },
]

attackTable('A6: a token request with a parameter twice', POSTINGS, async ({ pairs, query = '', headers = {} }) => {
  const { code, verifier } = await codeFor(range, client)
  const right: Pairs = [
    ['grant_type', 'authorization_code'],
    ['client_id', client.id],
    ['redirect_uri', GOOD],
    ['code', code],
    ['code_verifier', verifier],
  ]
  const endpoint = client.metadata.token_endpoint
  const answer = await expectRefused(range, 'invalid_request', () => postPairs(endpoint + query, pairs(right), headers))
  expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  // Nothing was spent.
  tokensOf(range, await postPairs(endpoint, right))
})

const CONTENT_TYPES = [
  { id: 'JSON', type: 'application/json', body: (form: URLSearchParams) => JSON.stringify(Object.fromEntries(form)) },
  { id: 'no type', type: '', body: String },
  { id: 'text', type: 'text/plain', body: String },
  { id: 'another charset', type: 'application/x-www-form-urlencoded; charset=utf-16', body: String },
  { id: 'two charsets', type: 'application/x-www-form-urlencoded; charset=utf-8; charset=utf-7', body: String },
  {
    id: 'a byte order mark',
    type: 'application/x-www-form-urlencoded',
    body: (form: URLSearchParams) => `\u{feff}${form}`,
  },
  {
    id: 'a broken escape',
    type: 'application/x-www-form-urlencoded',
    body: (form: URLSearchParams) => `${form}&scope=%zz`,
  },
  { id: 'no UTF-8', type: 'application/x-www-form-urlencoded', body: (form: URLSearchParams) => `${form}&scope=%ff` },
] as const

attackTable('A6: a token request that two readers could read differently', CONTENT_TYPES, async ({ type, body }) => {
  const { code, verifier } = await codeFor(range, client)
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: client.id,
    redirect_uri: GOOD,
    code,
    code_verifier: verifier,
  })
  const post = async (contentType: string, text: string) => {
    const init = { method: 'POST', headers: { 'content-type': contentType }, body: new TextEncoder().encode(text) }
    const response = await fetch(client.metadata.token_endpoint, init)
    const json = (await response.json()) as Answer['body']
    return { status: response.status, headers: response.headers, body: json }
  }
  const answer = await expectRefused(range, 'invalid_request', () => post(type, body(form)))
  expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  tokensOf(range, await post('application/x-www-form-urlencoded;charset=UTF-8', String(form)))
})

attackTable(
  'A6: revocation and introspection with a parameter twice',
  ['revocation_endpoint', 'introspection_endpoint'].flatMap((endpoint) =>
    ['token', 'client_id', 'token_type_hint'].flatMap((name) => [
      { id: `${endpoint}: ${name} twice`, endpoint, name },
      { id: `${endpoint}: ${name} as a list`, endpoint, name: `${name}[]` },
    ]),
  ),
  async ({ endpoint, name }) => {
    const { code, verifier } = await codeFor(range, client)
    const { accessToken } = tokensOf(range, await client.exchange(code, verifier))
    const url = String(client.metadata[endpoint])
    const right: Pairs = [
      ['client_id', client.id],
      ['token', accessToken],
      ['token_type_hint', 'access_token'],
    ]
    const answer = await expectRefused(range, 'invalid_request', () => postPairs(url, again(name, 'evil')(right)))
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
    await expectServed(range, accessToken)
    expect((await postPairs(url, right)).status).toBe(200)
  },
)

const FLOWS = [
  ...[
    'token',
    'id_token',
    'id_token token',
    'code token',
    'code id_token',
    'code id_token token',
    'none',
    'CODE',
    'code ',
  ].map((type) => ({
    id: `response_type "${type}"`,
    bend: { response_type: type },
    error: 'unsupported_response_type',
  })),
  { id: 'no response_type', bend: { response_type: undefined }, error: 'invalid_request' },
  ...['fragment', 'form_post', 'web_message', 'jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt', 'QUERY'].map(
    (mode) => ({
      id: `response_mode ${mode}`,
      bend: { response_mode: mode },
      error: 'unsupported_response_mode',
    }),
  ),
  {
    id: 'implicit, with a nonce and openid',
    bend: { response_type: 'id_token', scope: `openid ${SCOPE}`, nonce: 'n' },
    error: 'unsupported_response_type',
  },
  {
    id: 'a request object',
    bend: { request: 'eyJhbGciOiJub25lIn0.eyJyZXNwb25zZV90eXBlIjoidG9rZW4ifQ.' },
    error: 'request_not_supported',
  },
] as const

attackTable('A19: a flow that is not offered', FLOWS, async ({ bend, error }) => {
  const person = await range.gateway.person()
  const { url } = client.authorize({ resource: range.resource, scope: SCOPE, ...bend })
  for (const ask of [() => send(url), async () => seenOf(await person.request(url))]) {
    const { location } = await expectRefused(range, error, ask)
    expect(targetOf(location)).toBe(GOOD)
    const answer = answerOf(location)
    expect(answer.get('error')).toBe(error)
    for (const name of ['code', 'access_token', 'id_token', 'token_type']) expect(answer.has(name)).toBe(false)
  }
  const twin = client.authorize({ resource: range.resource, scope: SCOPE, response_mode: 'query' })
  const { location } = await person.follow(twin.url)
  expect(new URL(location ?? '').hash).toBe('')
  range.secrets.add(answerOf(location).get('code') ?? '')
})

const ASKED = [
  { id: 'response_types token', metadata: { response_types: ['token'] }, refused: true },
  { id: 'response_types id_token', metadata: { response_types: ['id_token'] }, refused: true },
  { id: 'grant_types implicit', metadata: { grant_types: ['implicit'] }, refused: true },
  { id: 'grant_types client_credentials', metadata: { grant_types: ['client_credentials'] }, refused: true },
  { id: 'response_types with code among others', metadata: { response_types: ['code', 'token', 'code id_token'] } },
  {
    id: 'grant_types among others',
    metadata: { grant_types: ['authorization_code', 'implicit', 'password', 'client_credentials'] },
  },
  {
    id: 'a consent that need not be asked',
    metadata: { require_consent: false, skip_consent: true, first_party: true },
  },
  { id: 'no PKCE', metadata: { require_pkce: false, pkce: false } },
  { id: 'scopes of its own', metadata: { scope: 'admin mcp:tools' } },
  { id: 'unsigned objects', metadata: { request_object_signing_alg: 'none', id_token_signed_response_alg: 'none' } },
] as const

attackTable('A19: a client that registers for more than there is', ASKED, async (row) => {
  const metadata = { redirect_uris: [GOOD], token_endpoint_auth_method: 'none', ...row.metadata }
  if ('refused' in row) {
    const answer = await expectRefused(range, 'invalid_client_metadata', () => register(range.gateway.url, metadata))
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_client_metadata' } })
    return
  }
  const greedy = await registerClient(range.gateway, { redirectUris: [GOOD], metadata: row.metadata })
  const { response_types: types, grant_types: grants } = greedy.registration
  expect(types).toEqual(['code'])
  for (const grant of grants as string[]) expect(['authorization_code', 'refresh_token']).toContain(grant)
  for (const bend of [{ response_type: 'token' }, { code_challenge: undefined }]) {
    const { url } = greedy.authorize({ resource: range.resource, scope: SCOPE, ...bend })
    const reason = 'response_type' in bend ? 'unsupported_response_type' : 'invalid_request'
    const { location } = await expectRefused(range, reason, () => send(url))
    expect(answerOf(location).get('error')).toBe(reason)
  }
  const person = await range.gateway.person()
  const asked = await person.open(greedy.authorize({ resource: range.resource, scope: SCOPE }).url, { stopAt: GOOD })
  expect(asked.location).toBeUndefined()
  expect(formOf(asked, 'allow').method).toBe('post')
})

const GRANTS = [
  ...['password', 'client_credentials', 'implicit'],
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
  'urn:ietf:params:oauth:grant-type:saml2-bearer',
  'urn:openid:params:grant-type:ciba',
  'urn:ietf:params:oauth:grant-type:pre-authorized_code',
  ...['AUTHORIZATION_CODE', 'authorization_code ', '__proto__', 'constructor'],
].map((grant) => ({ id: grant, grant }))

attackTable('A19: a grant that is not offered', GRANTS, async ({ grant }) => {
  const { code, verifier } = await codeFor(range, client)
  const extra = { username: 'ann', password: 'x', assertion: 'e30.e30.', subject_token: 'x', device_code: 'x' }
  const answer = await expectRefused(range, 'unsupported_grant_type', () =>
    client.exchange(code, verifier, { grant_type: grant, ...extra }),
  )
  expect(answer).toMatchObject({ status: 400, body: { error: 'unsupported_grant_type' } })
  expect(answer.body).not.toHaveProperty('access_token')
  tokensOf(range, await client.exchange(code, verifier))
})

describe('A19: half way through', () => {
  async function consentPage(person: Person) {
    const url = client.authorize({ resource: range.resource, scope: SCOPE, prompt: 'consent' }).url
    return person.open(url)
  }
  const resumeOf = (url: string, query = '') =>
    `${range.gateway.url}/oauth/authorize/${new URL(url).pathname.split('/')[2]}${query}`

  it.each(['before', 'after'])('parameters of the resumed request do not count, %s the restart', async (when) => {
    const person = await range.gateway.person()
    const page = await consentPage(person)
    const form = formOf(page, 'allow')
    const headers = { origin: range.gateway.url, 'sec-fetch-site': 'same-origin' }
    const body = new URLSearchParams(form.fields)
    const allowed = await person.request(new URL(form.action, page.url).href, { method: 'POST', body, headers })
    expect(allowed.status).toBe(303)
    if (when === 'after') await range.gateway.restart()
    const query = `?response_type=token&response_mode=fragment&redirect_uri=${encodeURIComponent(EVIL)}&scope=admin`
    const { location } = await seenOf(await person.request(resumeOf(page.url, query)))
    expect(targetOf(location)).toBe(GOOD)
    expect([...answerOf(location).keys()].sort()).toEqual(['code', 'iss', 'state'])
    expect(new URL(location ?? '').hash).toBe('')
    range.secrets.add(answerOf(location).get('code') ?? '')
  })

  it('an expired interaction is over, whatever it is asked for', async () => {
    const person = await range.gateway.person()
    const page = await consentPage(person)
    const form = formOf(page, 'allow')
    range.gateway.clock.advance('31m')
    const headers = { origin: range.gateway.url, 'sec-fetch-site': 'same-origin' }
    const post = async (): Promise<Seen> =>
      seenOf(
        await person.request(new URL(form.action, page.url).href, {
          method: 'POST',
          body: new URLSearchParams({ ...form.fields, response_type: 'token' }),
          headers,
        }),
      )
    expectLocalPage(await expectRefused(range, 'interaction_gone', post))
    const resume = async () => seenOf(await person.request(resumeOf(page.url, '?response_type=token')))
    expectLocalPage(await expectRefused(range, 'invalid_request', resume))
    const twin = await person.follow(client.authorize({ resource: range.resource, scope: SCOPE }).url)
    expect(answerOf(twin.location).has('code')).toBe(true)
    range.secrets.add(answerOf(twin.location).get('code') ?? '')
  })
})

const WIDER = [
  { id: 'a scope of the resource', consented: 'mcp:tools', asked: 'mcp:tools notes:delete' },
  { id: 'an identity scope', consented: 'mcp:tools', asked: 'mcp:tools openid' },
  { id: 'another scope only', consented: 'mcp:tools', asked: 'notes:delete' },
  { id: 'an unknown scope', consented: 'mcp:tools', asked: 'mcp:tools admin' },
  { id: 'a wildcard', consented: 'mcp:tools', asked: '*' },
  { id: 'a longer name', consented: 'mcp:tools', asked: 'mcp:tools:admin' },
  { id: 'another case', consented: 'mcp:tools', asked: 'MCP:TOOLS' },
  { id: 'behind a tab', consented: 'mcp:tools', asked: 'mcp:tools\tadmin' },
] as const

attackTable('A27: more than was consented to, for a code', WIDER, async ({ consented, asked }) => {
  const { code, verifier } = await codeFor(range, client, { scope: consented })
  const answer = await expectRefused(range, 'invalid_scope', () => client.exchange(code, verifier, { scope: asked }))
  expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
  const { accessToken, scope } = tokensOf(range, await client.exchange(code, verifier))
  expect(scope).toBe(consented)
  await expectServed(range, accessToken)
})

attackTable('A27: more than was consented to, for a refresh token', WIDER, async ({ consented, asked }) => {
  const { code, verifier } = await codeFor(range, client, { scope: consented })
  const { refreshToken = '' } = tokensOf(range, await client.exchange(code, verifier))
  const answer = await expectRefused(range, 'invalid_scope', () => client.refresh(refreshToken, { scope: asked }))
  expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
  const { accessToken, scope } = tokensOf(range, await client.refresh(refreshToken))
  expect(scope).toBe(consented)
  await expectServed(range, accessToken)
})

describe('A27: a refresh for another resource', () => {
  it('is refused and costs nothing', async () => {
    const { code, verifier } = await codeFor(range, client)
    const { refreshToken = '' } = tokensOf(range, await client.exchange(code, verifier))
    const other = { resource: range.gateway.resource('other') }
    const answer = await expectRefused(range, 'invalid_target', () => client.refresh(refreshToken, other))
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_target' } })
    await expectServed(range, tokensOf(range, await client.refresh(refreshToken)).accessToken)
  })
})
