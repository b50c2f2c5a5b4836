// Passwords: what hashing them costs, and what guessing them gains. Catalogue rows F9 and F10.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerClient } from '../support/client.ts'
import { parseForms } from '../support/forms.ts'
import { ANN, BOB, standingClock, type TestGateway } from '../support/gateway.ts'
import { createPerson, type Person } from '../support/person.ts'
import { expectAlive, expectNoInside, expectNoSecret, type Range, startRange } from '../support/range.ts'

let range: Range

beforeAll(async () => {
  range = await startRange()
})
afterAll(() => range?.close())

interface Login {
  readonly person: Person
  /** One attempt of this browser; the rest of the form is as the page gave it. */
  attempt(fields: Record<string, string>, from?: string): Promise<Response>
}

/** A browser that stands before the sign-in form. */
async function loginOf(gateway: TestGateway): Promise<Login> {
  const person = createPerson(ANN)
  const client = await registerClient(gateway)
  const { url } = client.authorize({ resource: gateway.resource('canary'), scope: 'mcp:tools' })
  const page = await person.submit(await person.open(url, { stopAt: client.redirectUri }), /^(allow|continue)/i)
  const form = parseForms(page.html).find(({ inputs }) => inputs.includes('password'))
  if (form === undefined) throw new TypeError(`No sign-in form: ${page.html}`)
  const action = new URL(form.action || page.url, page.url).href
  return {
    person,
    attempt: (fields, from) =>
      person.request(action, {
        method: 'POST',
        body: new URLSearchParams({ ...form.fields, ...fields }),
        headers: {
          origin: gateway.url,
          'sec-fetch-site': 'same-origin',
          ...(from !== undefined && { 'x-forwarded-for': from }),
        },
      }),
  }
}

const WRONG = 'not the password of anyone at all'

describe('F9 password hashing', () => {
  it('is not begun for a password that nobody has', async () => {
    const { attempt } = await loginOf(range.gateway)
    await range.gateway.person()
    for (const [bytes, status] of [
      [1024 ** 2, 413],
      [17_000, 413],
      [10_000, 400],
      [1025, 400],
    ] as const) {
      const answer = await attempt({ username: ANN.username, password: 'p'.repeat(bytes) })
      expect([bytes, answer.status]).toEqual([bytes, status])
      expectNoInside(await answer.text())
    }
    expect((await attempt({ username: 'n'.repeat(2000), password: WRONG })).status).toBe(400)
    const signedIn = await attempt({ username: ANN.username, password: ANN.password })
    expect(signedIn.status).toBe(303)
    expectNoSecret(range, ANN.password, 'p'.repeat(100))
  })

  it('takes a narrow lane, of which no network has more than a share, whatever names it makes up', async () => {
    const behind = await startRange({ server: { trustedProxies: ['127.0.0.1'] } })
    const [FLOOD, ELSEWHERE] = ['203.0.113.66', '198.51.100.8']
    const logins = await Promise.all(Array.from({ length: 6 }, () => loginOf(behind.gateway)))
    const { attempt } = await loginOf(behind.gateway)
    await behind.gateway.person()
    const flood = logins.flatMap((login, lane) =>
      Array.from({ length: 20 }, (_, at) =>
        login.attempt({ username: `nobody-${lane}-${at}`, password: WRONG }, FLOOD),
      ),
    )
    // The first refusal comes once the share is used up: now is when the others must be served.
    const first = await Promise.race(
      flood.map(async (one) => ((await one).status === 429 ? one : new Promise<never>(() => undefined))),
    )
    expect(first.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect((await attempt({ username: ANN.username, password: ANN.password }, ELSEWHERE)).status).toBe(303)
    await expectAlive(behind)
    const statuses = (await Promise.all(flood)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([403, 429]))
    expect(statuses.filter((status) => status === 403).length).toBeLessThanOrEqual(30)
    expectNoSecret(behind, WRONG)
    await behind.close()
  })
})

describe('F10 guessing a password', () => {
  let behind: Range
  const [CLEAN, DIRTY] = ['198.51.100.7', '203.0.113.9']
  const right = { username: ANN.username, password: ANN.password }

  beforeAll(async () => {
    // How long somebody has to wait is said to the second.
    behind = await startRange({ server: { trustedProxies: ['127.0.0.1'] }, clock: standingClock() })
  })
  afterAll(() => behind?.close())

  const guess = async (
    login: Login,
    count: number,
    from: (at: number) => string | undefined,
    username = ANN.username,
  ) => {
    const statuses: number[] = []
    for (let at = 0; at < count; at++)
      statuses.push((await login.attempt({ username, password: `${WRONG} ${at}` }, from(at))).status)
    return statuses
  }

  it('is slowed where it happens, and locks nobody out elsewhere', async () => {
    const login = await loginOf(behind.gateway)
    expect(await guess(login, 7, () => DIRTY)).toEqual([403, 403, 403, 403, 403, 429, 429])
    const slowed = await login.attempt(right, DIRTY)
    expect([slowed.status, Number(slowed.headers.get('retry-after'))]).toEqual([429, 60])
    // Another account from there, and the same account from elsewhere, are not slowed.
    await behind.gateway.person('bob')
    expect(
      (await (await loginOf(behind.gateway)).attempt({ username: BOB.username, password: BOB.password }, DIRTY)).status,
    ).toBe(303)
    expect((await login.attempt(right, CLEAN)).status).toBe(303)
    const refused = await behind.gateway.audit((all) => all.some((event) => event.reason === 'backoff'))
    expect(refused.find((event) => event.reason === 'backoff')).toMatchObject({
      kind: 'act',
      act: 'sign_in_refused',
      decision: 'deny',
      address: DIRTY,
    })
    expectNoSecret(behind, ANN.password, WRONG)
  })

  it('is not sped up by other spellings of the name', async () => {
    const login = await loginOf(behind.gateway)
    const names = ['ann', 'ANN', ' ann', 'Ann ', 'aNn', 'anN']
    const statuses: number[] = []
    for (const name of names) statuses.push(...(await guess(login, 1, () => '203.0.113.20', name)))
    expect(statuses).toEqual([403, 403, 403, 403, 403, 429])
  })

  it('is one network where the address is IPv6', async () => {
    const login = await loginOf(behind.gateway)
    const within = (at: number) => `2001:db8:1:2:${at}::${at}`
    expect(await guess(login, 6, within)).toEqual([403, 403, 403, 403, 403, 429])
    expect((await login.attempt(right, '2001:db8:1:3::1')).status).toBe(303)
  })

  it('is not another network because its mapped address is written otherwise', async () => {
    const login = await loginOf(behind.gateway)
    const forms = [
      '203.0.113.30',
      '::ffff:203.0.113.30',
      '::FFFF:203.0.113.30',
      '203.0.113.30:1234',
      '1.1.1.1, 203.0.113.30',
      '203.0.113.30',
    ]
    expect(await guess(login, 6, (at) => forms[at])).toEqual([403, 403, 403, 403, 403, 429])
  })

  it('waits longer the longer it goes on, and ends with time', async () => {
    const login = await loginOf(behind.gateway)
    const from = () => '203.0.113.40'
    expect((await guess(login, 6, from)).at(-1)).toBe(429)
    behind.gateway.clock.advance('61s')
    expect(await guess(login, 5, from)).toEqual([403, 403, 403, 403, 403])
    behind.gateway.clock.advance('61s')
    const slowed = await login.attempt(right, from())
    expect([slowed.status, Number(slowed.headers.get('retry-after'))]).toEqual([429, 900])
    behind.gateway.clock.advance('16m')
    expect((await (await loginOf(behind.gateway)).attempt(right, from())).status).toBe(303)
  })

  it('is not freed by X-Forwarded-For of a stranger', async () => {
    const login = await loginOf(range.gateway)
    await range.gateway.person('eve')
    expect(await guess(login, 6, (at) => `203.0.113.${at}`, 'eve')).toEqual([403, 403, 403, 403, 403, 429])
    expectNoSecret(range, WRONG)
  })
})
