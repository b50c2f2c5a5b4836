import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pkce, registerClient, type TestClient } from '../support/client.ts'
import { createCookieJar } from '../support/cookies.ts'
import { ANN, BOB } from '../support/gateway.ts'
import {
  answerOf,
  codeFor,
  departFor,
  EVIL,
  expectLocalPage,
  expectRefused,
  expectServed,
  type FederatedRange,
  formOf,
  GOOD,
  type Mirror,
  press,
  SCOPE,
  type Seen,
  seenOf,
  send,
  startFederatedRange,
  startMirror,
  targetOf,
  tokensOf,
} from '../support/oauth-range.ts'
import { createPerson, type Person, type Visit } from '../support/person.ts'
import { attackTable } from '../support/range.ts'

const SECOND = 'https://good.example/second'
const SESSION = /session/

let range: FederatedRange
let mirror: Mirror
let client: TestClient

beforeAll(async () => {
  range = await startFederatedRange()
  mirror = await startMirror()
  client = await registerClient(range.gateway, { redirectUris: [GOOD, SECOND] })
  await range.gateway.person('bob')
  // Ann is signed in from here on.
  await codeFor(range, client)
})
afterAll(async () => {
  mirror?.close()
  await range?.close()
})

const requestOf = (of: TestClient = client, bend = {}): string =>
  of.authorize({ resource: range.resource, scope: SCOPE, ...bend }).url

const cara = () => createPerson({ username: 'cara', password: 'any', provider: /corp/i })
const _uidOf = ({ url }: Pick<Visit, 'url'>): string => new URL(url).pathname.split('/')[2] ?? ''

/** Asked in full: a page of ours that names the target, with nothing decided yet. */
function expectAsked(visit: Visit): void {
  expect({ status: visit.status, location: visit.location }).toEqual({ status: 200, location: undefined })
  expect(new URL(visit.url).pathname).toMatch(/^\/interaction\/[^/]+$/)
  expect(formOf(visit, 'allow').method).toBe('post')
  expect(visit.html).toContain('Allow')
}

/** The browser was sent to the client with a code, which is a secret from here on. */
function expectCode(location: string | undefined, target = GOOD): void {
  expect(targetOf(location)).toBe(target)
  const code = answerOf(location).get('code') ?? ''
  expect(code.length).toBeGreaterThan(20)
  range.secrets.add(code)
}

describe('A8: a person who is signed in, at the provider too, and once consented', () => {
  let victim: Person
  let unseen: TestClient
  const rows = [
    { id: 'an unseen client of the same name and target', url: () => requestOf(unseen) },
    { id: 'an unseen target of the same client', url: () => requestOf(client, { redirect_uri: SECOND }) },
    { id: 'an unseen resource', url: () => requestOf(client, { resource: range.gateway.resource('other') }) },
    { id: 'a wider scope', url: () => requestOf(client, { scope: `${SCOPE} notes:delete` }) },
    { id: 'the same, asked for again by the client', url: () => requestOf(client, { prompt: 'consent' }) },
  ]

  beforeAll(async () => {
    victim = cara()
    expectCode((await victim.follow(requestOf())).location)
    unseen = await registerClient(range.gateway, { redirectUris: [GOOD] })
  })

  attackTable('A8: is asked about', rows, async ({ url }) => {
    const before = range.canary.requests.length
    for (const from of [undefined, 'https://evil.example/', `${range.gateway.url}/`]) {
      const navigation = from === undefined ? {} : { from }
      expectAsked(await victim.open(url(), { stopAt: 'https://good.example/', ...navigation }))
    }
    expect(range.canary.requests.length).toBe(before)
    // The same browser, the known request: no question.
    expectCode((await victim.open(requestOf(), { stopAt: GOOD })).location)
  })

  attackTable('A8: is not asked silently about', rows.slice(0, 4), async ({ url }) => {
    const silent = `${url()}&prompt=none`
    const attack = () => victim.open(silent, { stopAt: 'https://good.example/' })
    const { location } = await expectRefused(range, 'consent_required', attack)
    expect(answerOf(location).get('error')).toBe('consent_required')
    expect(answerOf(location).has('code')).toBe(false)
    expectCode((await victim.open(`${requestOf()}&prompt=none`, { stopAt: GOOD })).location)
  })

  it('is asked before anything goes to the provider, also when only the provider still knows them', async () => {
    const person = cara()
    expectCode((await person.follow(requestOf())).location)
    const page = await person.open(`${range.gateway.url}/logout`)
    await person.submit(page, /sign out/i)
    expect(person.cookieNames().filter((name) => name.startsWith('idp_session')).length).toBeGreaterThan(0)
    expectAsked(await person.open(requestOf(unseen), { from: 'https://evil.example/' }))
  })
})

describe('A9: a sign-in that one browser began and another one ends', () => {
  it('is refused to the other one, and stays open to the first', async () => {
    const [attacker, victim] = [cara(), cara()]
    const { url } = client.authorize({ resource: range.resource, scope: SCOPE })
    const address = await departFor(attacker, url)
    const callback = await range.idp.signIn(address.href, 'cara')
    range.secrets.add(new URL(callback).searchParams.get('code') ?? '')
    const attack = async () => seenOf(await victim.request(callback))
    const refused = await expectRefused(range, 'another_browser', attack)
    expectLocalPage(refused, 403)
    expect(victim.cookieNames().filter((name) => SESSION.test(name))).toEqual([])

    // A browser with a sign-in of its own under way is still another browser.
    await departFor(victim, requestOf())
    expectLocalPage(await expectRefused(range, 'another_browser', attack), 403)

    expectCode((await attacker.open(callback, { stopAt: GOOD })).location)
  })

  it('is refused at every later step too', async () => {
    const [attacker, victim] = [await range.gateway.person(), cara()]
    const consent = await attacker.open(requestOf(client, { prompt: 'consent' }))
    const allowed = await press(attacker, consent, 'allow')
    const resume = async () => seenOf(await victim.request(new URL(allowed.location ?? '', consent.url).href))
    expectLocalPage(await expectRefused(range, 'interaction_elsewhere', resume), 403)
    const page = async () => seenOf(await victim.request(consent.url))
    expectLocalPage(await expectRefused(range, 'interaction_elsewhere', page), 403)
    expectCode((await attacker.open(allowed.location ?? '', { stopAt: GOOD })).location)
  })

  // On plain-http loopback no prefix protects a cookie: whatever listens on another port may plant all of them.
  it('is asked anew with all cookies of whoever allowed it, where somebody else is signed in', async () => {
    const [attacker, victim] = [createPerson(BOB), await range.gateway.person()]
    const consent = await attacker.open(requestOf())
    const { href } = new URL((await press(attacker, consent, 'allow')).location ?? '', consent.url)
    const session = victim
      .cookiesFor(range.gateway.url)
      .split('; ')
      .filter((pair) => SESSION.test(pair))
    expect(session.length).toBeGreaterThan(0)
    const cookie = [...session, attacker.cookiesFor(href)].join('; ')
    const seen = await seenOf(await victim.request(href, { headers: { cookie, 'sec-fetch-site': 'cross-site' } }))
    expect(seen.status).toBe(303)
    expect(new URL(seen.location ?? '', href).pathname).toMatch(/^\/interaction\//)
    const own = await victim.open(requestOf(client, { prompt: 'consent' }))
    const { location = '' } = await press(victim, own, 'allow')
    expectCode((await victim.open(new URL(location, own.url).href, { from: own.url, stopAt: GOOD })).location)
  })
})

describe('A9: a cookie that a sibling host planted', () => {
  const url = 'https://gate.example'
  let edge: FederatedRange

  beforeAll(async () => {
    edge = await startFederatedRange({ server: { url } })
  })
  afterAll(async () => {
    await edge?.close()
  })

  /** A browser that reaches the gateway by its public name, through a TLS terminator. */
  function createVisitor() {
    const jar = createCookieJar()
    async function visit(address: string, form?: Readonly<Record<string, string>>, bend = (cookie: string) => cookie) {
      const { href, pathname, search } = new URL(address, url)
      const method = form === undefined ? 'GET' : 'POST'
      const cookie = bend(jar.header(new URL(href), { crossSite: false, method }) ?? '')
      const headers = { cookie, 'sec-fetch-site': 'same-origin', ...(form !== undefined && { origin: url }) }
      const sending = form === undefined ? { headers } : { headers, form }
      const seen = await send(`http://127.0.0.1:${edge.gateway.port}${pathname}${search}`, sending)
      jar.take(new URL(href), seen.headers.getSetCookie())
      return seen
    }
    const submit = (seen: Seen, act: 'allow' | 'idp/corp') => visit(formOf(seen, act).action, formOf(seen, act).fields)
    return { visit, submit }
  }

  async function register(): Promise<string> {
    const body = JSON.stringify({ redirect_uris: [GOOD], token_endpoint_auth_method: 'none' })
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
    const response = await fetch(`http://127.0.0.1:${edge.gateway.port}/oauth/register`, init)
    expect(response.status).toBe(201)
    return ((await response.json()) as { client_id: string }).client_id
  }

  const NAME = '__Host-portcullis-sign-in='
  const PLANTED = [
    { id: 'without the prefix', name: 'portcullis-sign-in=' },
    { id: 'with the weaker prefix', name: '__Secure-portcullis-sign-in=' },
    { id: 'with the prefix in another case', name: '__host-portcullis-sign-in=' },
    // White space to a careless reader, part of the name to a browser, which therefore sees no prefix to protect.
    { id: 'behind a no-break space', name: '\u00a0__Host-portcullis-sign-in=' },
    { id: 'behind a next-line mark', name: '\u0085__Host-portcullis-sign-in=' },
  ] as const

  attackTable('A9: the right value under a name', PLANTED, async ({ name }) => {
    const { visit, submit } = createVisitor()
    const { challenge } = pkce()
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: await register(),
      redirect_uri: GOOD,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      resource: edge.resource,
      scope: SCOPE,
    })
    const { location: question = '' } = await visit(`/oauth/authorize?${query}`)
    const { location: onwards = '' } = await submit(await visit(question), 'allow')
    const { location: login = '' } = await visit(onwards)
    const left = await submit(await visit(login), 'idp/corp')
    expect(left.headers.getSetCookie().join()).toMatch(/^__Host-portcullis-sign-in=[^;]+;.*Secure/i)
    const callback = await edge.idp.signIn(left.location ?? '', 'cara')
    edge.secrets.add(new URL(callback).searchParams.get('code') ?? '')
    const planted = () => visit(callback, undefined, (cookie) => cookie.replace(NAME, name))
    expectLocalPage(await expectRefused(edge, 'another_browser', planted), 403)
    const { location: resume = '' } = await visit(callback)
    expectCode((await visit(resume)).location)
  })

  /** A browser in front of the question whether this client may. */
  async function asked() {
    const visitor = createVisitor()
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: await register(),
      redirect_uri: GOOD,
      code_challenge: pkce().challenge,
      code_challenge_method: 'S256',
      resource: edge.resource,
      scope: SCOPE,
    })
    const { location: question = '' } = await visitor.visit(`/oauth/authorize?${query}`)
    return { ...visitor, question: await visitor.visit(question) }
  }

  it.each(['allowed', 'signed in'] as const)('does not bring along that its planter has %s', async (done) => {
    const attacker = await asked()
    let { location: resume = '' } = await attacker.submit(attacker.question, 'allow')
    if (done === 'signed in') {
      const { location: login = '' } = await attacker.visit(resume)
      const { location: departure = '' } = await attacker.submit(await attacker.visit(login), 'idp/corp')
      const callback = await edge.idp.signIn(departure, 'mallory')
      edge.secrets.add(new URL(callback).searchParams.get('code') ?? '')
      resume = (await attacker.visit(callback)).location ?? ''
    }
    let planted = ''
    await attacker.visit(resume, undefined, (cookie) => {
      planted = cookie.replaceAll('__Host-', '__Secure-')
      return ''
    })
    expect(planted).toContain('__Secure-portcullis_resume=')
    const victim = createVisitor()
    const attack = () => victim.visit(resume, undefined, () => planted)
    const refused = await expectRefused(edge, 'interaction_elsewhere', attack)
    expectLocalPage(refused, 403)
    expect(refused.headers.getSetCookie().filter((cookie) => SESSION.test(cookie))).toEqual([])
    // Nothing is spent: who answered goes on.
    const onwards = await attacker.visit(resume)
    expect(onwards.status).toBe(303)
    if (done === 'signed in') expectCode(onwards.location)
    else expect(onwards.location).toContain('/interaction/')
  })
})

describe('A10: remembered consent', () => {
  const SITES = [
    { id: 'from another site', headers: { 'sec-fetch-site': 'cross-site' } },
    { id: 'from a sibling', headers: { 'sec-fetch-site': 'same-site' } },
    { id: 'from who knows where', headers: { 'sec-fetch-site': '' } },
    { id: 'from a liar', headers: { 'sec-fetch-site': 'none, cross-site' } },
    { id: 'from a browser that does not say', headers: {} },
  ] as const

  const cookieOf = async (person: Person) => mirror.cookies(person, '/oauth/authorize')

  attackTable('A10: a navigation', SITES, async ({ headers }) => {
    const person = await range.gateway.person()
    await codeFor(range, client)
    const cookie = await cookieOf(person)
    const seen = await send(requestOf(), { headers: { ...headers, cookie } })
    expect(seen.location).toMatch(/\/interaction\//)
    expect(seen.location).not.toContain('code=')
    for (const site of ['none', 'same-origin']) {
      const twin = await send(requestOf(), { headers: { 'sec-fetch-site': site, cookie } })
      expectCode(twin.location)
    }
  })

  it('is asked with a short page, and goes on when the person does', async () => {
    const person = await range.gateway.person()
    await codeFor(range, client)
    const page = await person.open(requestOf(), { from: 'https://evil.example/', stopAt: GOOD })
    expect(page.location).toBeUndefined()
    expect(page.html).toMatch(/Continue as/)
    expect(page.html).toContain('good.example')
    const { location = '' } = await press(person, page, 'allow')
    expectCode((await person.open(location, { stopAt: GOOD })).location)
  })

  it.each(['http://127.0.0.1:33418/cb', 'com.example.app:/cb', 'cursor://app/cb'])(
    'is never silent for what any local program can claim: %s',
    async (target) => {
      const person = await range.gateway.person()
      const native = await registerClient(range.gateway, { redirectUris: [target] })
      expectCode((await person.follow(requestOf(native))).location, target)
      const again = await person.open(requestOf(native), { stopAt: target })
      expect(again.location).toBeUndefined()
      expect(again.html).toMatch(/Continue as/)
    },
  )
})

const TAMPERED = [
  { id: 'another client', fields: { client_id: 'evil' } },
  { id: 'another target', fields: { redirect_uri: EVIL } },
  { id: 'a wider scope', fields: { scope: `${SCOPE} notes:delete` } },
  { id: 'another resource', fields: { resource: 'http://127.0.0.1/servers/other/mcp' } },
  { id: 'another account', fields: { account: BOB.username, accountId: BOB.username, sub: BOB.username } },
  { id: 'another interaction', fields: { uid: 'evil', interaction: 'evil', jti: 'evil' } },
  {
    id: 'another question',
    fields: { prompt: 'login', what: 'evil', consent: 'evil', result: '{"login":{"accountId":"x"}}' },
  },
  { id: 'the request all over', fields: { state: 'evil', code_challenge: 'e'.repeat(43), nonce: 'evil' } },
  { id: 'the prototype', fields: { __proto__x: 'evil', 'constructor[prototype][what]': 'evil' } },
] as const

attackTable('A24: a form with more in it than we put there', TAMPERED, async ({ fields }) => {
  const person = await range.gateway.person()
  const { url, verifier, state } = client.authorize({ resource: range.resource, scope: SCOPE, prompt: 'consent' })
  const page = await person.open(url)
  const { location = '', status } = await press(person, page, 'allow', fields)
  expect(status).toBe(303)
  const query = new URLSearchParams(fields)
  const done = await person.open(`${location}?${query}`, { stopAt: 'https:' })
  expectCode(done.location)
  expect(answerOf(done.location).get('state')).toBe(state)
  const tokens = tokensOf(range, await client.exchange(answerOf(done.location).get('code') ?? '', verifier))
  expect(tokens.scope).toBe('mcp:tools')
  const claims = JSON.parse(Buffer.from(tokens.accessToken.split('.')[1] ?? '', 'base64url').toString())
  expect(claims).toMatchObject({ aud: range.resource, client_id: client.id, scope: 'mcp:tools' })
  await expectServed(range, tokens.accessToken)
  const ann = await range.gateway.store.durable.users.findByIdentity('local', ANN.username)
  expect(claims.sub).toBe(ann?.id)
})
