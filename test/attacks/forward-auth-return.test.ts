// The way back from the sign-in: D15 of the catalogue (open redirection), and what a stranger could do with notes, codes and cookies.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { APP, type ForwardRange, GATE, OTHER, startForwardRange } from '../support/forward-range.ts'
import { ANN, BOB } from '../support/gateway.ts'
import { valuesOf } from '../support/ingress.ts'
import { createPerson, type Person } from '../support/person.ts'

let range: ForwardRange
beforeAll(async () => {
  range = await startForwardRange()
  await range.gateway.person(ANN.username)
  await range.gateway.person(BOB.username)
})
afterAll(() => range.close())

let passedBefore = 0
beforeEach(() => {
  // Everybody here signs in from one address, and more often than a person would.
  range.gateway.clock.advance('61s')
  passedBefore = range.ingress.passed.length + range.other.passed.length
})
const passedSince = () => range.ingress.passed.length + range.other.passed.length - passedBefore

const credentials = ({ username, password }: typeof ANN) => ({ username, password })
async function signedIn(user = ANN): Promise<Person> {
  const person = createPerson(user)
  await person.submit(await person.open(`${APP}/`), /^sign in/i, credentials(user))
  return person
}
/** The hops of a journey up to, and not including, the one that begins like `stopAt`. */
const until = async (person: Person, url: string, stopAt: string) => (await person.open(url, { stopAt })).location ?? ''
const visits = async (person: Person, url: string) => person.request(url, { headers: { accept: 'text/html' } })

describe('D15: where a link may lead', () => {
  const ELSEWHERE = [
    ...[
      'https://evil.example',
      '//evil.example',
      '///evil.example',
      '/\\evil.example',
      'https:evil.example',
      'https://app.example.com@evil.example',
    ],
    ...[
      'https://app.example.com.evil.example',
      'https://evil.example\\@app.example.com',
      'https://app.example.com\\.evil.example',
      'javascript:alert(1)',
    ],
    ...[
      'data:text/html,x',
      'https://app.example.com%00.evil.example',
      'https://app.example.com\t.evil.example',
      ' https://evil.example',
      'HTTPS://EVIL.EXAMPLE',
    ],
    ...[
      'https%3A%2F%2Fevil.example',
      'http://app.example.com/',
      'https://u:p@app.example.com/',
      'https://app.example.com:8443/',
      'https://gate.example.com/logout',
    ],
    ...[
      'https://app.example.com/%0d%0aSet-Cookie:%20a=b',
      'https://app.example.com//evil.example',
      'https://app.example.com/\\evil.example',
      '/',
      '',
    ],
    ...[
      'https://app.example.com/..%2f',
      'https://[::1]/',
      'https://127.0.0.1/',
      'https://аpp.example.com/',
      'https://xn--pp-7ka.example.com/',
    ],
  ]

  let known: Person
  beforeAll(async () => {
    known = await signedIn()
  })

  it.each(ELSEWHERE)('not to %j, signed in or not', async (rd) => {
    for (const person of [createPerson(ANN), known]) {
      const answer = await person.request(`${GATE}/auth/sign-in?rd=${encodeURIComponent(rd)}`)
      expect(answer.status).toBe(400)
      expect(answer.headers.get('location')).toBeNull()
      expect(await answer.text()).not.toContain('evil.example')
    }
  })

  it('but to a protected host', async () => {
    const person = await signedIn()
    const rd = `${APP}/page?next=https://evil.example`
    const answer = await person.request(`${GATE}/auth/sign-in?rd=${encodeURIComponent(rd)}`)
    expect(answer.status).toBe(303)
    expect(answer.headers.get('location')).toBe(rd)
    expect(await person.open(`${GATE}/auth/sign-in?rd=${encodeURIComponent(rd)}`)).toMatchObject({
      status: 200,
      url: rd,
    })
  })

  it('twice named, or beside a note, it leads nowhere', async () => {
    const person = await signedIn()
    const rd = encodeURIComponent(`${APP}/`)
    for (const query of [`rd=${rd}&rd=${rd}`, `state=x&rd=${rd}`, 'state=x', '', 'rd', 'code=x&iss=y'])
      expect((await person.request(`${GATE}/auth/sign-in?${query}`)).status).toBe(400)
  })

  it.each(['POST', 'PUT', 'DELETE'])('and not by %s', async (method) => {
    const person = await signedIn()
    const answer = await person.request(`${GATE}/auth/sign-in?rd=${encodeURIComponent(`${APP}/`)}`, { method })
    expect(answer.status).toBe(405)
  })
})

describe('a one-time code', () => {
  it('of a stranger, opened in another browser, signs nobody in (login CSRF)', async () => {
    // Bob sets out, signs in, and stops at the address with his code.
    const bob = createPerson(BOB)
    const page = await bob.open(`${APP}/`)
    const form = await bob.submit(page, /^sign in/i, credentials(BOB))
    expect(form.status).toBe(200)
    const again = createPerson(BOB)
    const second = await again.open(`${APP}/inbox`)
    const stopped = await stopAtCode(again, second, BOB)
    passedBefore = range.ingress.passed.length + range.other.passed.length
    // Ann opens the link: as somebody who never set out, and as somebody who did.
    const fresh = createPerson(ANN)
    const setOut = createPerson(ANN)
    await setOut.open(`${APP}/`)
    for (const ann of [fresh, setOut]) {
      const answer = await visits(ann, stopped)
      expect(answer.status).toBe(403)
      expect(answer.headers.getSetCookie()).toEqual([])
      expect(ann.cookieNames()).not.toContain('__Host-portcullis_forward')
    }
    expect(passedSince()).toBe(0)
    // The refusals spent nothing: it is still Bob's.
    expect((await visits(again, stopped)).status).toBe(302)
    expect(again.cookieNames()).toContain('__Host-portcullis_forward')
  })

  it('is for one host', async () => {
    const person = createPerson(ANN)
    const stopped = await stopAtCode(person, await person.open(`${APP}/`), ANN)
    const answer = await visits(person, stopped.replace(APP, OTHER))
    expect(answer.status).toBe(302)
    expect(answer.headers.get('location')).toMatch(new RegExp(`^${GATE}/auth/sign-in`))
    expect((await visits(person, stopped)).headers.getSetCookie().join()).toContain('__Host-portcullis_forward=')
  })

  it('is good once, and for a minute', async () => {
    const person = createPerson(ANN)
    const stopped = await stopAtCode(person, await person.open(`${APP}/`), ANN)
    expect((await visits(person, stopped)).headers.getSetCookie().join()).toContain('__Host-portcullis_forward=')
    expect((await visits(person, stopped)).headers.getSetCookie().join()).not.toContain('__Host-portcullis_forward=')
    const late = createPerson(ANN)
    const stale = await stopAtCode(late, await late.open(`${APP}/`), ANN)
    range.gateway.clock.advance('61s')
    expect((await visits(late, stale)).headers.getSetCookie().join()).not.toContain('__Host-portcullis_forward=')
  })

  it('guessed, emptied or doubled is none', async () => {
    const person = createPerson(ANN)
    await person.open(`${APP}/`)
    for (const query of [
      'portcullis_code=',
      'portcullis_code=x',
      'portcullis_code=a&portcullis_code=b',
      `portcullis_code=${'A'.repeat(43)}`,
    ]) {
      const answer = await visits(person, `${APP}/?${query}`)
      expect(answer.headers.getSetCookie().join()).not.toContain('__Host-portcullis_forward=')
      expect(answer.headers.get('location')).not.toContain('portcullis_code')
    }
    expect(passedSince()).toBe(0)
  })

  it('is told to nobody: not to the log, not to the record, not by a Referer', async () => {
    const person = createPerson(ANN)
    const stopped = await stopAtCode(person, await person.open(`${APP}/`), ANN)
    const code = new URL(stopped).searchParams.get('portcullis_code') ?? 'none'
    const answer = await visits(person, stopped)
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    expect(range.gateway.log.join('\n')).not.toContain(code)
    expect(JSON.stringify(await range.gateway.audit())).not.toContain(code)
    expect(code.length).toBe(43)
  })

  it('means nothing to a host that sends nobody to the sign-in', async () => {
    const quiet = await startForwardRange({
      forwardAuth: { unauthenticated: 'challenge', resources: [{ host: 'app.example.com' }] },
    })
    const answer = await quiet.call('/?portcullis_code=x', { headers: { accept: 'text/html' } })
    expect(answer.status).toBe(401)
    await quiet.close()
  })
})

describe('a note on the way to the sign-in', () => {
  it('of a stranger, opened by somebody who is signed in, opens nothing for the stranger', async () => {
    const stranger = createPerson(BOB)
    const link = await until(stranger, `${APP}/`, `${GATE}/auth/sign-in`)
    // Ann is signed in at our origin, and has not been at this host: her browser gets a code that only the stranger's secret opens.
    const ann = createPerson(ANN)
    await ann.submit(await ann.open(`${OTHER}/`), /^sign in/i, credentials(ANN))
    const landed = await until(ann, link, `${APP}/?`)
    expect(landed).toContain('portcullis_code=')
    const answer = await visits(ann, landed)
    expect(answer.status).toBe(403)
    expect(answer.headers.getSetCookie()).toEqual([])
  })

  it('cannot be written by anybody else', async () => {
    const person = await signedIn()
    const link = await until(createPerson(ANN), `${APP}/`, `${GATE}/auth/sign-in`)
    const note = new URL(link).searchParams.get('state') ?? ''
    for (const forged of [
      note.slice(0, -1),
      `${note}A`,
      note.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')),
      note.split('').reverse().join(''),
      'e30',
    ])
      expect((await person.request(`${GATE}/auth/sign-in?state=${forged}`)).status).toBe(400)
    expect((await person.request(`${GATE}/auth/sign-in?state=${note}`)).status).toBe(303)
  })

  it('is good for half an hour', async () => {
    const link = await until(createPerson(ANN), `${APP}/`, `${GATE}/auth/sign-in`)
    range.gateway.clock.advance('31m')
    expect((await createPerson(ANN).request(link)).status).toBe(400)
  })
})

describe('cookies', () => {
  const get = (headers: Record<string, string>, host = 'app.example.com') =>
    range.ask([
      ['X-Forwarded-Method', 'GET'],
      ['X-Forwarded-Host', host],
      ['X-Forwarded-Uri', '/'],
      ...Object.entries(headers),
    ])
  async function cookieOf(person: Person): Promise<string> {
    await person.open(`${APP}/`)
    const [passed] = range.ingress.passed.slice(-1)
    return passed ? valuesOf(passed, 'cookie').join('; ') : ''
  }

  it('of one host open nothing at another', async () => {
    const cookie = await cookieOf(await signedIn())
    expect((await get({ cookie })).status).toBe(200)
    expect((await get({ cookie }, 'other.example.com')).status).toBe(401)
  })

  it('in another name, doubled, or changed by a letter open nothing', async () => {
    const cookie = await cookieOf(await signedIn())
    const own = /__Host-portcullis_forward=[^;]+/.exec(cookie)?.[0] ?? ''
    expect((await get({ cookie: own })).status).toBe(200)
    for (const bent of [
      own.replace('__Host-', ''),
      own.replace('__Host-', '__Secure-'),
      `${own}; ${own}`,
      `${own}A`,
      own.slice(0, -3),
    ])
      expect((await get({ cookie: bent })).status).toBe(401)
  })

  it('are nothing else that we sealed', async () => {
    const link = await until(createPerson(ANN), `${APP}/`, `${GATE}/auth/sign-in`)
    const note = new URL(link).searchParams.get('state')
    expect((await get({ cookie: `__Host-portcullis_forward=${note}` })).status).toBe(401)
  })

  it('beside a bearer token do not count: a bad token is not made good by a cookie', async () => {
    const cookie = await cookieOf(await signedIn())
    expect((await get({ cookie, authorization: 'Bearer x.y.z' })).status).toBe(401)
    // Another scheme belongs to the server behind.
    expect((await get({ cookie, authorization: 'Basic dTpw' })).status).toBe(200)
  })

  it('that are planted without the prefix bind no code', async () => {
    const stranger = createPerson(BOB)
    const stopped = await stopAtCode(stranger, await stranger.open(`${APP}/`), BOB)
    const { pathname, search } = new URL(stopped)
    const answer = await range.ask([
      ['X-Forwarded-Method', 'GET'],
      ['X-Forwarded-Host', 'app.example.com'],
      ['X-Forwarded-Uri', `${pathname}${search}`],
      ['Accept', 'text/html'],
      ['Cookie', `portcullis_forward_start=${'a'.repeat(43)}`],
    ])
    expect(answer.status).toBe(403)
  })
})

/** Signs in on the page and stops before the host sees the code. */
async function stopAtCode(
  person: Person,
  page: Awaited<ReturnType<Person['open']>>,
  user: typeof ANN,
): Promise<string> {
  const [, uid] = /\/interaction\/([\w-]+)/.exec(page.url) ?? []
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.html)?.[1] ?? ''
  const body = new URLSearchParams({ csrf, ...credentials(user) })
  let answer = await person.request(`${GATE}/interaction/${uid}/login`, {
    method: 'POST',
    body,
    headers: { origin: GATE },
  })
  for (let hop = 0; hop < 10; hop++) {
    const location = new URL(answer.headers.get('location') ?? '', GATE).href
    if (location.includes('portcullis_code=')) return location
    answer = await person.request(location)
  }
  throw new Error('No code on the way.')
}
