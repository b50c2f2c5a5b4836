// The forms of consent forged, guessed, jumped over and sent again: security catalogue A11, A22, A25, A28. RFC 6749 §10.12,
// RFC 9700 §4.7, MCP 2026-07-28, Security Best Practices.
import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerClient, type TestClient } from '../support/client.ts'
import { ANN } from '../support/gateway.ts'
import {
  answerOf,
  codeFor,
  departFor,
  expectLocalPage,
  expectRefused,
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
const uidOf = ({ url }: Pick<Visit, 'url'>): string => new URL(url).pathname.split('/')[2] ?? ''

/** The browser was sent to the client with a code, which is a secret from here on. */
function expectCode(location: string | undefined, target = GOOD): void {
  expect(targetOf(location)).toBe(target)
  const code = answerOf(location).get('code') ?? ''
  expect(code.length).toBeGreaterThan(20)
  range.secrets.add(code)
}

interface Forgery {
  readonly id: string
  readonly reason: string
  readonly status?: number
  /** The honest request, to bend. */
  readonly method?: string
  readonly cookie?: (right: string) => string | Promise<string>
  readonly form?: (right: Record<string, string>) => Record<string, string> | Promise<Record<string, string>>
  readonly headers?: Record<string, string>
  readonly query?: (right: Record<string, string>) => string
}

const SAME = { 'sec-fetch-site': 'same-origin' }
const without = ({ csrf: _left, ...rest }: Record<string, string>) => rest

const FORGERIES: readonly Forgery[] = [
  { id: 'no cookie', reason: 'interaction_elsewhere', cookie: () => '' },
  { id: 'the cookies of another person', reason: 'interaction_elsewhere', cookie: () => othersCookie() },
  {
    id: 'a cookie without its signature',
    reason: 'interaction_elsewhere',
    cookie: (right) => right.replace(/[^;]*\.sig=[^;]*;?/g, ''),
  },
  {
    id: 'a cookie with a broken signature',
    reason: 'interaction_elsewhere',
    cookie: (right) => right.replace(/(\.sig=)[^;]{4}/g, '$1AAAA'),
  },
  { id: 'no token', reason: 'csrf_mismatch', form: without },
  { id: 'an empty token', reason: 'csrf_mismatch', form: () => ({ csrf: '' }) },
  { id: 'a token cut short', reason: 'csrf_mismatch', form: ({ csrf = '' }) => ({ csrf: csrf.slice(0, -1) }) },
  { id: 'the token of another question', reason: 'csrf_mismatch', form: async () => ({ csrf: await otherToken() }) },
  {
    id: 'a token made with no key',
    reason: 'csrf_mismatch',
    form: () => ({ csrf: createHmac('sha256', '').update('form').digest('base64url') }),
  },
  {
    id: 'the token in the address',
    reason: 'csrf_mismatch',
    form: without,
    query: (right) => `?csrf=${right['csrf']}`,
  },
  {
    id: 'another origin',
    reason: 'foreign_origin',
    headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
  },
  {
    id: 'another origin, lying about the site',
    reason: 'foreign_origin',
    headers: { origin: 'https://evil.example', ...SAME },
  },
  { id: 'an origin without a name', reason: 'foreign_origin', headers: { origin: 'null', ...SAME } },
  { id: 'another port of this host', reason: 'foreign_origin', headers: { origin: 'http://127.0.0.1:1', ...SAME } },
  { id: 'https of this host', reason: 'foreign_origin', headers: { origin: 'https://127.0.0.1', ...SAME } },
  { id: 'no origin, another site', reason: 'foreign_origin', headers: { 'sec-fetch-site': 'cross-site' } },
  { id: 'no origin, a sibling', reason: 'foreign_origin', headers: { 'sec-fetch-site': 'same-site' } },
  {
    id: 'by GET',
    reason: 'method_not_allowed',
    status: 405,
    method: 'GET',
    query: (right) => `?csrf=${right['csrf']}`,
  },
  { id: 'by PUT', reason: 'method_not_allowed', status: 405, method: 'PUT' },
  { id: 'as JSON', reason: 'form_content_type', status: 415, headers: { 'content-type': 'application/json', ...SAME } },
  {
    id: 'as text, which needs no preflight',
    reason: 'form_content_type',
    status: 415,
    headers: { 'content-type': 'text/plain', ...SAME },
  },
  { id: 'with the token twice', reason: 'form_duplicate', status: 400, headers: { 'x-twice': 'csrf', ...SAME } },
]

async function othersCookie(): Promise<string> {
  const bob = await range.gateway.person('bob')
  const page = await bob.open(requestOf(client, { prompt: 'consent' }))
  return mirror.cookies(bob, new URL(page.url).pathname)
}

async function otherToken(): Promise<string> {
  const page = await (await range.gateway.person()).open(requestOf(client, { prompt: 'consent' }))
  return formOf(page, 'allow').fields['csrf'] ?? ''
}

attackTable('A11: a consent that the person did not give', FORGERIES, async (forgery) => {
  const { reason, status = 403, method = 'POST', cookie, form, query } = forgery
  const person = await range.gateway.person()
  const page = await person.open(requestOf(client, { prompt: 'consent' }))
  const { action, fields } = formOf(page, 'allow')
  range.secrets.add(fields['csrf'] ?? '')
  const right = await mirror.cookies(person, new URL(page.url).pathname)
  const sent = String(new URLSearchParams((await form?.(fields)) ?? fields))
  const { 'x-twice': twice, ...headers } = forgery.headers ?? { origin: range.gateway.url, ...SAME }
  const attack = async (): Promise<Seen> =>
    seenOf(
      await fetch(new URL(action, page.url).href + (query?.(fields) ?? ''), {
        method,
        redirect: 'manual',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          ...headers,
          cookie: (await cookie?.(right)) ?? right,
        },
        ...(method !== 'GET' && { body: twice === undefined ? sent : `${sent}&${twice}=x` }),
      }),
    )
  const seen = await expectRefused(range, reason, attack)
  expectLocalPage(seen, status)
  // Nothing was decided: the person still may.
  const { location = '' } = await press(person, page, 'allow')
  expectCode((await person.open(location, { stopAt: GOOD })).location)
})

describe('A11: two tabs', () => {
  it.each(['signed in', 'a stranger'])('can both be answered, in whatever order, %s', async (who) => {
    const person = who === 'signed in' ? await range.gateway.person() : createPerson(ANN)
    const [one, other] = [
      requestOf(client, { prompt: 'consent' }),
      requestOf(client, { redirect_uri: SECOND, prompt: 'consent' }),
    ]
    const [first, second] = [await person.open(one), await person.open(other)]
    const finish = async (page: Visit, target: string) => {
      const { location = '' } = await press(person, page, 'allow')
      const next = await person.open(new URL(location, page.url).href, { from: page.url, stopAt: target })
      if (next.location !== undefined) return expectCode(next.location, target)
      const done = await press(person, next, 'login', { username: ANN.username, password: ANN.password })
      expectCode(
        (await person.open(new URL(done.location ?? '', next.url).href, { from: next.url, stopAt: target })).location,
        target,
      )
    }
    await finish(second, SECOND)
    await finish(first, GOOD)
  })
})

describe('A22: before the person has said yes', () => {
  it('no cookie ties the browser to a sign-in: only the question itself is bound to it, under its own path', async () => {
    const person = cara()
    const response = await person.request(requestOf())
    const cookies = response.headers.getSetCookie()
    await response.body?.cancel()
    expect(cookies.length).toBeGreaterThan(0)
    for (const cookie of cookies) {
      expect(cookie).toMatch(/^portcullis_(interaction|resume)(\.sig)?=/)
      expect(cookie).toMatch(/; path=\/(interaction|oauth\/authorize)\/[A-Za-z0-9_-]{22,}(;|$)/i)
      expect(cookie).toMatch(/; httponly/i)
      expect(cookie).toMatch(/; samesite=lax/i)
    }
    const page = await person.open(requestOf())
    expect(formOf(page, 'allow').method).toBe('post')
    expect(person.cookieNames().filter((name) => /session|sign-in|state/.test(name))).toEqual([])
  })

  it('there is nothing to come back to: callback, resume, provider and password are refused', async () => {
    const person = createPerson(ANN)
    const page = await person.open(requestOf())
    const { fields } = formOf(page, 'allow')
    const jump = async () =>
      seenOf(await person.request(`${range.gateway.url}/callback/corp?code=x&state=${uidOf(page)}`))
    expectLocalPage(await expectRefused(range, 'federation_state_unknown', jump))
    const headers = { origin: range.gateway.url, ...SAME }
    const post =
      (act: string, more = {}) =>
      async () => {
        const body = new URLSearchParams({ ...fields, ...more })
        return seenOf(await person.request(`${page.url}/${act}`, { method: 'POST', body, headers }))
      }
    expectLocalPage(await expectRefused(range, 'csrf_mismatch', post('idp/corp')), 403)
    const password = { username: ANN.username, password: ANN.password }
    expectLocalPage(await expectRefused(range, 'csrf_mismatch', post('login', password)), 403)
    expect(person.cookieNames().filter((name) => SESSION.test(name))).toEqual([])
  })

  it('going on without an answer leads to the question again', async () => {
    const person = await range.gateway.person()
    const page = await person.open(requestOf(client, { prompt: 'consent' }))
    const resumed = await person.open(`${range.gateway.url}/oauth/authorize/${uidOf(page)}`, { stopAt: GOOD })
    expect({ status: resumed.status, location: resumed.location }).toEqual({ status: 200, location: undefined })
    expect(formOf(resumed, 'allow').method).toBe('post')
    expect(uidOf(resumed)).not.toBe(uidOf(page))
  })

  it('afterwards the way is open', async () => {
    const person = cara()
    const address = await departFor(person, requestOf())
    expect(person.cookieNames()).toContain('portcullis-sign-in')
    const callback = await range.idp.signIn(address.href, 'cara')
    range.secrets.add(new URL(callback).searchParams.get('code') ?? '')
    expectCode((await person.open(callback, { stopAt: GOOD })).location)
  })
})

describe('A25: numbers of open questions', () => {
  it('cannot be guessed: 128 bits and more, all different', async () => {
    const uids = new Set<string>()
    for (let round = 0; round < 50; round++) uids.add(uidOf({ url: (await send(requestOf())).location ?? '' }))
    expect(uids.size).toBe(50)
    // Base64url: six bits a character.
    for (const uid of uids) expect(uid).toMatch(/^[A-Za-z0-9_-]{22,}$/)
    const prefixes = new Set([...uids].map((uid) => uid.slice(0, 4)))
    expect(prefixes.size).toBeGreaterThan(40)
  })

  const GUESSERS = [
    { id: 'another browser', cookie: () => '', status: 403, reason: 'interaction_elsewhere' },
    {
      id: 'the number itself as a cookie',
      cookie: (uid: string) => `portcullis_interaction=${uid}`,
      status: 403,
      reason: 'interaction_elsewhere',
    },
    {
      id: 'the number with an invented signature',
      cookie: (uid: string) => `portcullis_interaction=${uid}; portcullis_interaction.sig=${'A'.repeat(27)}`,
      status: 403,
      reason: 'interaction_elsewhere',
    },
    { id: 'a number that does not exist', cookie: () => '', other: true, status: 400, reason: 'interaction_gone' },
  ] as const

  attackTable('A25: a guess', GUESSERS, async (row) => {
    const person = await range.gateway.person()
    const page = await person.open(requestOf(client, { prompt: 'consent' }))
    const uid = 'other' in row ? `${uidOf(page).slice(0, -4)}AAAA` : uidOf(page)
    for (const suffix of ['', '/allow', '/deny', '/login', '/idp/corp']) {
      const headers = { cookie: row.cookie(uid), origin: range.gateway.url, ...SAME }
      const form = suffix === '' ? {} : { form: { csrf: formOf(page, 'allow').fields['csrf'] ?? '' } }
      const url = `${range.gateway.url}/interaction/${uid}${suffix}`
      const seen = await expectRefused(range, row.reason, () => send(url, { headers, ...form }))
      expectLocalPage(seen, row.status)
    }
    const { location = '' } = await press(person, page, 'allow')
    expectCode((await person.open(location, { stopAt: GOOD })).location)
  })
})

describe('A28: the back button', () => {
  async function completed(): Promise<{ person: Person; page: Visit; resume: string }> {
    const person = await range.gateway.person()
    const page = await person.open(requestOf(client, { prompt: 'consent' }))
    const { location: resume = '' } = await press(person, page, 'allow')
    expectCode((await person.open(resume, { stopAt: GOOD })).location)
    return { person, page, resume }
  }

  it.each(['at once', 'after a restart'])('brings no second answer, %s', async (when) => {
    const { person, page, resume } = await completed()
    if (when === 'after a restart') await range.gateway.restart()
    for (const act of ['allow', 'deny'] as const) {
      const seen = await expectRefused(range, 'interaction_gone', () => press(person, page, act))
      expectLocalPage(seen)
      expect(seen.html).toContain('already completed')
    }
    const show = async () => seenOf(await person.request(page.url))
    expectLocalPage(await expectRefused(range, 'interaction_gone', show))
    const again = async () => seenOf(await person.request(resume))
    expectLocalPage(await expectRefused(range, 'invalid_request', again))
    // From the start it works again.
    await completed()
  })

  it('does not answer the question before, once the next one is asked', async () => {
    const person = createPerson(ANN)
    const consent = await person.open(requestOf())
    const { location = '' } = await press(person, consent, 'allow')
    const login = await person.open(new URL(location, consent.url).href, { from: consent.url })
    const seen = await press(person, consent, 'allow')
    expect([400, 403]).toContain(seen.status)
    expect(seen.location).toBeUndefined()
    const done = await press(person, login, 'login', { username: ANN.username, password: ANN.password })
    expectCode((await person.open(done.location ?? '', { from: login.url, stopAt: GOOD })).location)
    const replayed = () => press(person, login, 'login', { username: ANN.username, password: ANN.password })
    expectLocalPage(await expectRefused(range, 'interaction_gone', replayed))
  })
})
