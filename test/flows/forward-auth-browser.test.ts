// A person opens a page of a protected host in a browser: the sign-in at our origin, back with a one-time code, the host's own cookie.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { APP, type ForwardRange, GATE, OTHER, startForwardRange } from '../support/forward-range.ts'
import { ANN } from '../support/gateway.ts'
import { valuesOf } from '../support/ingress.ts'
import { createPerson, type Person, type Visit } from '../support/person.ts'

const CREDENTIALS = { username: ANN.username, password: ANN.password }
const signIn = (person: Person, visit: Visit) => person.submit(visit, /^sign in/i, CREDENTIALS)
/** A browser of its own. */
const browser = () => createPerson(ANN)

describe.each(['traefik', 'caddy', 'nginx'] as const)('a page behind %s', (kind) => {
  let range: ForwardRange
  beforeAll(async () => {
    range = await startForwardRange({ kind })
    await range.gateway.person()
  })
  afterAll(() => range.close())

  it('is shown after the sign-in, at the very address that was opened', async () => {
    const person = browser()
    const page = await person.open(`${APP}/page?x=1&y=%20`)
    expect(new URL(page.url).origin).toBe(GATE)
    expect(page.html).toContain('app.example.com')
    expect(range.ingress.passed).toEqual([])
    const shown = await signIn(person, page)
    expect(shown).toMatchObject({ status: 200, url: `${APP}/page?x=1&y=%20`, html: 'from the server behind' })
    const [passed] = range.ingress.passed.slice(-1)
    expect(passed?.target).toBe('/page?x=1&y=%20')
    expect(passed && valuesOf(passed, 'X-Forwarded-User')).toEqual(['ann@example.com'])
    expect(passed && valuesOf(passed, 'X-Forwarded-Auth-Method')).toEqual(['session'])
    // The code never reaches the server behind.
    expect(JSON.stringify(range.ingress.passed)).not.toContain('portcullis_code')
    expect(person.cookieNames()).toContain('__Host-portcullis_forward')
  })

  it('needs no second sign-in, there or at another host', async () => {
    const person = browser()
    await signIn(person, await person.open(`${APP}/`))
    expect(await person.open(`${APP}/again`)).toMatchObject({ status: 200, url: `${APP}/again` })
    expect(await person.open(`${OTHER}/first?a=b`)).toMatchObject({ status: 200, url: `${OTHER}/first?a=b` })
  })

  it('is asked for anew when the cookie ends', async () => {
    const person = browser()
    await signIn(person, await person.open(`${APP}/`))
    range.gateway.clock.advance('9h')
    expect(new URL((await person.open(`${APP}/`)).url).origin).toBe(GATE)
  })
})

describe('a browser at a protected host', () => {
  let range: ForwardRange
  beforeAll(async () => {
    range = await startForwardRange({
      forwardAuth: {
        resources: [{ host: 'app.example.com' }, { host: 'other.example.com', allowedEmails: ['nobody@example.com'] }],
      },
    })
    await range.gateway.person()
  })
  afterAll(() => range.close())

  it('is told from a program by what it asks for', async () => {
    const headersOf = (accept: string, more = {}) => ({ headers: { accept, ...more } })
    const page = await range.call('/', headersOf('text/html,application/xhtml+xml,*/*;q=0.8'))
    expect(page.status).toBe(302)
    expect(page.headers['location']).toMatch(new RegExp(`^${GATE}/auth/sign-in\\?state=`))
    expect(page.headers['set-cookie']).toMatch(/^__Host-portcullis_forward_start=/)
    expect((await range.call('/', headersOf('*/*'))).status).toBe(401)
    expect((await range.call('/', headersOf('application/json, text/event-stream'))).status).toBe(401)
    expect((await range.call('/', headersOf('text/html', { 'sec-fetch-mode': 'cors' }))).status).toBe(401)
    expect((await range.call('/', { ...headersOf('text/html'), method: 'POST', body: 'x=1' })).status).toBe(401)
  })

  it('gets the challenge, not the sign-in page, for a bearer token that is refused', async () => {
    const refused = await range.call('/', { headers: { accept: 'text/html', authorization: 'Bearer x.y.z' } })
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toContain('error="invalid_token"')
  })

  it('may come back in two tabs', async () => {
    const person = browser()
    const [one, two] = [await person.open(`${APP}/one`), await person.open(`${APP}/two`)]
    expect(await signIn(person, one)).toMatchObject({ status: 200, url: `${APP}/one` })
    // The second tab's question is answered already: it goes on by itself.
    const second = await person.open(`${APP}/two`)
    expect(second).toMatchObject({ status: 200, url: `${APP}/two` })
    expect(new URL(two.url).origin).toBe(GATE)
  })

  it('may open an address with a code that is used up', async () => {
    const person = browser()
    await signIn(person, await person.open(`${APP}/`))
    expect(await person.open(`${APP}/page?a=b&portcullis_code=used&c=d`)).toMatchObject({
      status: 200,
      url: `${APP}/page?a=b&c=d`,
    })
  })

  it('is told when the person cancels, and nothing is opened', async () => {
    const person = browser()
    const before = range.ingress.passed.length
    const cancelled = await person.submit(await person.open(`${APP}/`), /^cancel/i)
    expect(cancelled.status).toBe(403)
    expect(cancelled.html).toContain('The sign-in was cancelled.')
    expect(range.ingress.passed.length).toBe(before)
  })

  it('is told when the account is not admitted at that host', async () => {
    const person = browser()
    const refused = await signIn(person, await person.open(`${OTHER}/`))
    expect(refused.status).toBe(403)
    expect(refused.html).toContain('not admitted at other.example.com')
    expect(range.other.passed).toEqual([])
  })

  it('is out at once when the account is disabled, and is not sent round in circles', async () => {
    const user = { username: 'carl', password: ANN.password }
    const { id } = await range.gateway.addUser(user)
    const person = createPerson(user)
    await person.submit(await person.open(`${APP}/`), /^sign in/i, user)
    expect((await person.open(`${APP}/`)).status).toBe(200)
    await range.gateway.store.durable.users.setDisabled(id, true, range.gateway.clock.now())
    range.gateway.clock.advance('6s')
    const refused = await person.open(`${APP}/`)
    expect(refused.status).toBe(403)
    expect(refused.url.startsWith(`${GATE}/auth/sign-in`)).toBe(true)
  })

  it('is out when its sessions are revoked, and may sign in again', async () => {
    const person = browser()
    await signIn(person, await person.open(`${APP}/`))
    const [passed] = range.ingress.passed.slice(-1)
    const cookie = passed ? valuesOf(passed, 'cookie').join('; ') : ''
    const asProgram = async () => (await range.call('/', { headers: { cookie } })).status
    expect(await asProgram()).toBe(200)
    const { users, revocations } = range.gateway.store.durable
    const ann = await users.findByIdentity('local', 'ann')
    const at = range.gateway.clock.now()
    await revocations.add({ kind: 'subject', value: ann?.id ?? '', at, expiresAt: at + 9 * 3_600_000 })
    await expect.poll(asProgram).toBe(401)
    // Still signed in at our origin: the host gets a new session of its own.
    expect(await person.open(`${APP}/`)).toMatchObject({ status: 200, url: `${APP}/` })
    expect(await asProgram()).toBe(401)
  })

  it('is recorded', async () => {
    const events = await range.gateway.audit((all) =>
      all.some((event) => event.kind === 'act' && event.act === 'forward_sign_in'),
    )
    expect(events.find((event) => event.kind === 'act' && event.act === 'forward_sign_in')).toMatchObject({
      decision: 'allow',
      resource: APP,
    })
  })
})

describe('modes', () => {
  it.each([
    ['challenge', 'text/html', 401],
    ['challenge', '*/*', 401],
    ['redirect', '*/*', 302],
    ['redirect', 'text/html', 302],
    ['auto', '*/*', 401],
    ['auto', 'text/html', 302],
  ] as const)('%s: a request for %s gets %i', async (unauthenticated, accept, status) => {
    const range = await startForwardRange({
      forwardAuth: { unauthenticated, resources: [{ host: 'app.example.com' }] },
    })
    expect((await range.call('/sse', { headers: { accept } })).status).toBe(status)
    await range.close()
  })

  it('there is no sign-in where the authorization server is closed: browsers get the challenge', async () => {
    const range = await startForwardRange({ doors: { oauth: false } })
    expect((await range.call('/', { headers: { accept: 'text/html' } })).status).toBe(401)
    expect((await fetch(`${GATE}/auth/sign-in?rd=${APP}/`)).status).toBe(404)
    expect((await fetch(`${GATE}/.well-known/jwks.json`)).status).toBe(200)
    await range.close()
  })
})
