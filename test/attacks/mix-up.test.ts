// Answers of one authorization server taken for another's, and a stranger's sign-in opened in my browser: security catalogue A18, A21.
// RFC 9207, RFC 9700 §4.4 and §4.7, OpenID Connect Core §3.1.2.7.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerClient, type TestClient } from '../support/client.ts'
import { ANN } from '../support/gateway.ts'
import { type Liar, startLiar } from '../support/liar.ts'
import {
  answerOf,
  codeFor,
  departFor,
  expectLocalPage,
  expectRefused,
  expectServed,
  type FederatedRange,
  formOf,
  GOOD,
  SCOPE,
  type Seen,
  seenOf,
  send,
  startFederatedRange,
  targetOf,
  tokensOf,
} from '../support/oauth-range.ts'
import { createPerson, type Person } from '../support/person.ts'
import { attackTable } from '../support/range.ts'

const DORA = { sub: 'dora', email: 'dora@corp.example', email_verified: true }

let announcing: Liar
let silent: Liar
let evil: Liar
let range: FederatedRange
let client: TestClient

beforeAll(async () => {
  announcing = await startLiar({ announcesIssuer: true })
  silent = await startLiar({ announcesIssuer: false })
  evil = await startLiar({ announcesIssuer: true })
  const provider = (id: string, { issuer }: Liar) =>
    ({ id, type: 'oidc', title: id, issuer, clientId: 'gate', clientSecret: 'known to each of them' }) as const
  range = await startFederatedRange({
    identity: { providers: [provider('announcing', announcing), provider('silent', silent), provider('evil', evil)] },
  })
  range.secrets.add('known to each of them')
  client = await registerClient(range.gateway, { redirectUris: [GOOD] })
  await codeFor(range, client)
})
afterAll(async () => {
  await range?.close()
  await Promise.all([announcing, silent, evil].map((one) => one?.close()))
})

const requestOf = (bend = {}): string => client.authorize({ resource: range.resource, scope: SCOPE, ...bend }).url

const ANSWERS = [
  { id: 'a code to a web client', target: GOOD, bend: {} },
  { id: 'a code to a native client', target: 'http://127.0.0.1:33418/cb', bend: {} },
  { id: 'a code to an application', target: 'com.example.app:/cb', bend: {} },
  { id: 'a code to an address with a query', target: `${GOOD}?tenant=1`, bend: {} },
  { id: 'no such scope', target: GOOD, bend: { scope: 'evil:scope' }, error: 'invalid_scope' },
  {
    id: 'no such type, told in the fragment',
    target: GOOD,
    bend: { response_type: 'token' },
    error: 'unsupported_response_type',
  },
  { id: 'no such resource', target: GOOD, bend: { resource: 'https://evil.example/' }, error: 'invalid_target' },
  { id: 'no PKCE', target: GOOD, bend: { code_challenge: undefined }, error: 'invalid_request' },
  {
    id: 'not without asking',
    target: GOOD,
    bend: { prompt: 'none', scope: 'notes:delete' },
    error: 'consent_required',
  },
] as const

attackTable('A18: our answer says whose it is, once and exactly', ANSWERS, async (row) => {
  const { target, bend } = row
  const person = await range.gateway.person()
  const one = await registerClient(range.gateway, { redirectUris: [target] })
  const { url, state } = one.authorize({ resource: range.resource, scope: SCOPE, ...bend })
  const follow = () => person.follow(url)
  const { location } = 'error' in row ? await expectRefused(range, row.error, follow) : await follow()
  expect(targetOf(location)).toBe(targetOf(target))
  const answer = answerOf(location)
  expect(answer.getAll('iss')).toEqual([one.metadata.issuer])
  expect(answer.getAll('state')).toEqual([state])
  expect(answer.get('error')).toBe('error' in row ? row.error : null)
  if (!('error' in row)) range.secrets.add(answer.get('code') ?? '')
})

describe('A18: our answer when the person refuses', () => {
  it('says whose it is too, and the metadata promise it', async () => {
    const { location } = await (await range.gateway.person()).refuse(requestOf({ prompt: 'consent' }))
    expect(answerOf(location).get('error')).toBe('access_denied')
    expect(answerOf(location).getAll('iss')).toEqual([range.gateway.url])
    expect(client.metadata).toMatchObject({
      issuer: range.gateway.url,
      authorization_response_iss_parameter_supported: true,
    })
  })
})

interface Departed {
  readonly person: Person
  readonly state: string
  readonly nonce: string
}

/** Somebody new leaves for this provider. */
async function depart(provider: string): Promise<Departed> {
  const person = createPerson(ANN)
  const { searchParams } = await departFor(person, requestOf(), provider)
  return { person, state: searchParams.get('state') ?? '', nonce: searchParams.get('nonce') ?? '' }
}

let made = 0
/** A code that only this answer has. */
function freshCode(): string {
  const code = `code-of-the-provider-${++made}`
  range.secrets.add(code)
  return code
}

async function comeBack(person: Person, provider: string, query: string): Promise<Seen> {
  return seenOf(await person.request(`${range.gateway.url}/callback/${provider}?${query}`))
}

const heard = () => [announcing, silent, evil].flatMap(({ codes }) => codes)
const SESSION = /^(__Host-)?portcullis_session(\.sig)?$/
const sessionOf = (person: Person) => person.cookieNames().filter((name) => SESSION.test(name))

/** Nobody was told the code, and nobody is signed in. */
async function expectUnheard(reason: string, { person }: Departed, attack: () => Promise<Seen>): Promise<void> {
  const [before, session] = [heard().length, sessionOf(person)]
  const seen = await expectRefused(range, reason, attack)
  expect(seen.status).toBe(400)
  expect(seen.location).toBeUndefined()
  expect(heard().slice(before)).toEqual([])
  expect(sessionOf(person)).toEqual(session)
}

/** The twin: the same answer with nothing bent. */
async function expectSignedIn(provider: string, liar: Liar, query: (code: string, state: string) => string) {
  const departed = await depart(provider)
  liar.vouch({ ...DORA, nonce: departed.nonce })
  const code = freshCode()
  const seen = await comeBack(departed.person, provider, query(code, departed.state))
  expect({ status: seen.status, html: seen.html }).toMatchObject({ status: 303 })
  expect(liar.codes.at(-1)).toBe(code)
  const done = await departed.person.open(seen.location ?? '', { stopAt: GOOD })
  expect(answerOf(done.location).has('code')).toBe(true)
  range.secrets.add(answerOf(done.location).get('code') ?? '')
}

const pairs = (...entries: readonly (readonly [string, string])[]) =>
  String(new URLSearchParams(entries.map(([name, value]): [string, string] => [name, value])))

const ISSUERS: readonly { id: string; iss: (own: string) => readonly string[] }[] = [
  { id: 'none', iss: () => [] },
  { id: 'an empty one', iss: () => [''] },
  { id: 'another provider of ours', iss: () => [evil.issuer] },
  { id: 'a stranger', iss: () => ['https://evil.example'] },
  { id: 'with a slash', iss: (own) => [`${own}/`] },
  { id: 'with a path', iss: (own) => [`${own}/evil`] },
  { id: 'with a query', iss: (own) => [`${own}?`] },
  { id: 'with a fragment', iss: (own) => [`${own}#`] },
  { id: 'with another scheme', iss: (own) => [own.replace('http:', 'https:')] },
  { id: 'with the scheme in another case', iss: (own) => [own.replace('http:', 'HTTP:')] },
  { id: 'by another name', iss: (own) => [own.replace('127.0.0.1', 'localhost')] },
  { id: 'with a space', iss: (own) => [`${own} `] },
  { id: 'encoded twice', iss: (own) => [encodeURIComponent(own)] },
  { id: 'twice, both right', iss: (own) => [own, own] },
  { id: 'twice, the second one wrong', iss: (own) => [own, evil.issuer] },
  { id: 'twice, the first one wrong', iss: (own) => [evil.issuer, own] },
]

const answerFrom = (code: string, state: string, issuers: readonly string[]) =>
  pairs(['code', code], ['state', state], ...issuers.map((iss) => ['iss', iss] as const))

attackTable('A18: the answer of a provider that names itself, naming', ISSUERS, async ({ iss }) => {
  const departed = await depart('announcing')
  announcing.vouch({ ...DORA, nonce: departed.nonce })
  const query = answerFrom(freshCode(), departed.state, iss(announcing.issuer))
  await expectUnheard('idp_answer_refused', departed, () => comeBack(departed.person, 'announcing', query))
  await expectSignedIn('announcing', announcing, (code, state) => answerFrom(code, state, [announcing.issuer]))
})

// Sent without a value counts as not sent (RFC 6749 §3.1).
const NAMED = ISSUERS.filter(({ id }) => id !== 'none' && id !== 'an empty one')
attackTable('A18: the answer of a provider that need not name itself, naming', NAMED, async ({ iss }) => {
  const departed = await depart('silent')
  silent.vouch({ ...DORA, nonce: departed.nonce })
  const query = answerFrom(freshCode(), departed.state, iss(silent.issuer))
  await expectUnheard('idp_answer_refused', departed, () => comeBack(departed.person, 'silent', query))
  await expectSignedIn('silent', silent, (code, state) => answerFrom(code, state, []))
})

const CALLBACKS = [
  { id: 'at the callback of another provider', provider: 'evil', bend: (state: string) => [['state', state]] },
  { id: 'without a state', provider: 'announcing', bend: () => [] },
  { id: 'with an empty state', provider: 'announcing', bend: () => [['state', '']] },
  { id: 'with an invented state', provider: 'announcing', bend: () => [['state', 'a'.repeat(43)]] },
  { id: 'with a longer state', provider: 'announcing', bend: (state: string) => [['state', `${state}a`]] },
  {
    id: 'with the state twice',
    provider: 'announcing',
    bend: (state: string) => [
      ['state', state],
      ['state', state],
    ],
  },
  {
    id: 'with two states',
    provider: 'announcing',
    bend: (state: string) => [
      ['state', 'evil'],
      ['state', state],
    ],
  },
] satisfies readonly { id: string; provider: string; bend: (state: string) => string[][] }[]

attackTable('A18: an answer', CALLBACKS, async ({ provider, bend }) => {
  const departed = await depart('announcing')
  announcing.vouch({ ...DORA, nonce: departed.nonce })
  evil.vouch({ ...DORA, nonce: departed.nonce })
  const issuer = provider === 'evil' ? evil.issuer : announcing.issuer
  const states = bend(departed.state).map(([name = '', value = '']) => [name, value] as const)
  const query = pairs(['code', freshCode()], ['iss', issuer], ...states)
  await expectUnheard('federation_state_unknown', departed, () => comeBack(departed.person, provider, query))
  // Nothing was spent: where it belongs, the same state is good.
  const right = answerFrom(freshCode(), departed.state, [announcing.issuer])
  expect((await comeBack(departed.person, 'announcing', right)).status).toBe(303)
})

describe('A18: an error in the name of another', () => {
  it('is not taken for a cancelled sign-in', async () => {
    const departed = await depart('announcing')
    const query = pairs(['error', 'access_denied'], ['state', departed.state], ['iss', evil.issuer])
    await expectUnheard('idp_answer_refused', departed, () => comeBack(departed.person, 'announcing', query))
    const again = await depart('announcing')
    const honest = pairs(['error', 'access_denied'], ['state', again.state], ['iss', announcing.issuer])
    const cancelled = await expectRefused(range, 'idp_access_denied', () =>
      comeBack(again.person, 'announcing', honest),
    )
    expect(cancelled.location).toContain('cancelled=announcing')
  })
})

const TOKENS = [
  { id: 'of another issuer', claims: () => ({ iss: evil.issuer }) },
  { id: 'of the issuer, almost', claims: () => ({ iss: `${announcing.issuer}/` }) },
  { id: 'for another client', claims: () => ({ aud: 'another' }) },
  { id: 'of another sign-in', claims: () => ({ nonce: 'of another sign-in' }) },
  { id: 'of no sign-in', claims: () => ({ nonce: undefined }) },
  { id: 'of nobody', claims: () => ({ sub: undefined }) },
] as const

attackTable('A18: an ID token', TOKENS, async ({ claims }) => {
  const { person, state, nonce } = await depart('announcing')
  announcing.vouch({ ...DORA, ...Object.assign({ nonce }, claims()) })
  const query = answerFrom(freshCode(), state, [announcing.issuer])
  const seen = await expectRefused(range, 'idp_answer_refused', () => comeBack(person, 'announcing', query))
  expect(seen.status).toBe(400)
  expect(sessionOf(person)).toEqual([])
  await expectSignedIn('announcing', announcing, (code, own) => answerFrom(code, own, [announcing.issuer]))
})

describe('A21: a stranger’s sign-in opened in my browser', () => {
  /** A sign-in of Mallory that is finished but for its last step. */
  async function prepared(): Promise<{ mallory: Person; callback: string }> {
    const mallory = createPerson({ username: 'mallory', password: 'any' })
    const address = await departFor(mallory, requestOf())
    const callback = await range.idp.signIn(address.href, 'mallory')
    range.secrets.add(new URL(callback).searchParams.get('code') ?? '')
    return { mallory, callback }
  }

  const nameOf = async (person: Person): Promise<string | undefined> =>
    /[a-z]+@[a-z.]+/.exec((await person.open(`${range.gateway.url}/`)).html)?.[0]

  const VICTIMS = [
    { id: 'a browser that has never been here', victim: async () => createPerson(ANN) },
    { id: 'a browser that is signed in', victim: () => range.gateway.person() },
    {
      id: 'a browser on its way to the provider',
      victim: async () => {
        const person = createPerson(ANN)
        await departFor(person, requestOf())
        return person
      },
    },
  ] as const

  attackTable('A21: in', VICTIMS, async ({ victim }) => {
    const person = await victim()
    const before = await nameOf(person)
    const { mallory, callback } = await prepared()
    for (const from of ['https://evil.example/', undefined]) {
      const attack = async () => {
        const headers = from === undefined ? {} : { referer: from, 'sec-fetch-site': 'cross-site' }
        return seenOf(await person.request(callback, { headers }))
      }
      expectLocalPage(await expectRefused(range, 'another_browser', attack), 403)
    }
    expect(await nameOf(person)).toBe(before)
    expect(before).not.toBe('mallory@corp.example')
    // Nothing was spent: Mallory may finish what is hers.
    const done = await mallory.open(callback, { stopAt: GOOD })
    expect(answerOf(done.location).has('code')).toBe(true)
    range.secrets.add(answerOf(done.location).get('code') ?? '')
  })

  it('is refused with my own state and her code, which PKCE ties to her request', async () => {
    const { callback } = await prepared()
    const victim = createPerson(ANN)
    const own = await departFor(victim, requestOf())
    const mixed = new URL(callback)
    mixed.searchParams.set('state', own.searchParams.get('state') ?? '')
    const attack = async () => seenOf(await victim.request(mixed.href))
    const seen = await expectRefused(range, 'idp_answer_refused', attack)
    expect(seen.status).toBe(400)
    expect(sessionOf(victim)).toEqual([])
  })

  it('is no way to post', async () => {
    const { mallory, callback } = await prepared()
    const { origin, pathname, searchParams } = new URL(callback)
    const post = () => send(`${origin}${pathname}`, { form: searchParams })
    expectLocalPage(await expectRefused(range, 'method_not_allowed', post), 405)
    const done = await mallory.open(callback, { stopAt: GOOD })
    expect(answerOf(done.location).has('code')).toBe(true)
    range.secrets.add(answerOf(done.location).get('code') ?? '')
  })

  it('nor does a password form of somebody else sign me in', async () => {
    const mallory = createPerson({ username: 'mallory', password: 'any' })
    const consent = await mallory.open(requestOf())
    const { fields } = formOf(consent, 'allow')
    const victim = createPerson(ANN)
    const form = { ...fields, username: ANN.username, password: ANN.password }
    const headers = { origin: range.gateway.url, 'sec-fetch-site': 'same-origin' }
    const body = new URLSearchParams(form)
    const attack = async () => seenOf(await victim.request(`${consent.url}/login`, { method: 'POST', body, headers }))
    expectLocalPage(await expectRefused(range, 'interaction_elsewhere', attack), 403)
    expect(sessionOf(victim)).toEqual([])
    const { code, verifier } = await codeFor(range, client, {}, victim)
    await expectServed(range, tokensOf(range, await client.exchange(code, verifier)).accessToken)
  })
})
