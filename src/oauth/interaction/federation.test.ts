// Signing in at the company's identity provider, which is a real one in another process.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { parseForms, parseLinks } from '../../../test/support/forms.ts'
import { type Idp, startIdp } from '../../../test/support/idp.ts'
import { CLIENT, type Pages, startPages } from '../../../test/support/pages.ts'
import type { ConfigInput } from '../../config/schema.ts'

const USERS = [
  { sub: '1', username: 'ann', name: 'Ann', email: 'Ann@Example.com', email_verified: true, groups: ['eng'] },
  { sub: '2', username: 'bob', email: 'bob@example.com', email_verified: false, groups: [] },
  { sub: '3', username: 'eve', email: 'eve@other.example', email_verified: true, groups: [] },
  { sub: '4', username: 'odd', email: 'odd@example.com', email_verified: true, groups: ['a\nb'] },
]
const SECRET = 'secret of the gate at the idp, long'
const CLIENTS = [
  {
    client_id: 'gate',
    client_secret: SECRET,
    redirect_uris: ['http://127.0.0.1/callback/corp', 'http://127.0.0.1/callback/second'],
  },
]

let idp: Idp
beforeAll(async () => {
  idp = await startIdp({ users: USERS, clients: CLIENTS })
})
afterAll(() => idp.stop())

const running: Pages[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((pages) => pages.close()))
})

const corp = (over: { id?: string; issuer?: string; allowedEmails?: string[] } = {}) => ({
  id: 'corp',
  type: 'oidc' as const,
  issuer: idp.issuer,
  clientId: 'gate',
  clientSecret: SECRET,
  ...over,
})
const LOCAL = { type: 'local' as const }

type Providers = NonNullable<ConfigInput['identity']>['providers']
async function start(providers: Providers = [corp()], prompt: 'login' | 'consent' = 'login'): Promise<Pages> {
  const interactions = [{ prompt }, { uid: 'u2', prompt }]
  const pages = await startPages({ identity: { providers: providers ?? [] }, interactions })
  running.push(pages)
  return pages
}

/** Presses the provider's button; answers where it leads and the browser's cookies. */
async function leave(pages: Pages, { id = 'corp', uid = 'u1', cookies = '' } = {}) {
  const cookie = `fake=${uid}; ${cookies}`
  const page = await pages.request(`/interaction/${uid}`, { cookie })
  const form = parseForms(await page.text()).find(({ action }) => action.endsWith(`/idp/${id}`))
  const answer = await pages.request(form?.action ?? '/none', { form: form?.fields ?? {}, cookie })
  const given = answer.headers.getSetCookie().map((line) => line.split(';')[0])
  return { answer, location: answer.headers.get('location') ?? '', cookie: given.join('; ') }
}

const back = (pages: Pages, url: string, cookie: string) => {
  const { pathname, search } = new URL(url)
  return pages.request(`${pathname}${search}`, { cookie })
}
const edit = (url: string, change: (parameters: URLSearchParams) => void) => {
  const edited = new URL(url)
  change(edited.searchParams)
  return edited.href
}

describe('a federated sign-in', () => {
  it('goes there with PKCE, state and nonce, and comes back as the person', async () => {
    const pages = await start()
    const { location, cookie } = await leave(pages)
    const asked = new URL(location).searchParams
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: 'code',
      client_id: 'gate',
      redirect_uri: `${pages.url}/callback/corp`,
      scope: 'openid email profile',
      code_challenge_method: 'S256',
    })
    for (const name of ['state', 'nonce', 'code_challenge']) expect(asked.get(name)).toMatch(/^[\w-]{43}$/)
    const answer = await back(pages, await idp.signIn(location, 'ann'), cookie)
    expect([answer.status, answer.headers.get('location')]).toEqual([303, CLIENT])
    expect(answer.headers.getSetCookie()[0]).toMatch(
      /^portcullis-sign-in=; Path=\/; Max-Age=0; HttpOnly; SameSite=Lax$/,
    )
    expect(pages.calls).toEqual(['signInByUid u1 fed'])
    const account = { issuer: idp.issuer, identity: '1', email: 'ann@example.com', name: 'Ann', groups: ['eng'] }
    expect([...pages.stored.rows.values()]).toMatchObject([account])
    expect(pages.acts).toMatchObject([{ act: 'sign_in', reason: 'corp', email: 'ann@example.com' }])
  })

  it('leaves no trace in the browser before the person chose it, and cannot be jumped into', async () => {
    const pages = await start()
    expect((await pages.request('/interaction/u1')).headers.getSetCookie()).toEqual([])
    for (const query of ['', '?code=x&state=y', '?code=x&state=y&state=z', '?error=access_denied'])
      expect((await pages.request(`/callback/corp${query}`)).status).toBe(400)
    expect(pages.tickets.size()).toBe(0)
  })

  it('does not begin before consent', async () => {
    const pages = await start()
    const form = parseForms(await (await pages.request('/interaction/u1')).text()).find(({ action }) =>
      /idp/.test(action),
    )
    const early = await start([corp()], 'consent')
    const answer = await early.request('/interaction/u1/idp/corp', { form: form?.fields ?? {} })
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([400, []])
    expect(early.tickets.size()).toBe(0)
  })

  it('ends in the browser that began it, and a stranger’s attempt spends nothing', async () => {
    const pages = await start()
    const victim = await leave(pages, { uid: 'u2' })
    const attacker = await leave(pages)
    const callback = await idp.signIn(attacker.location, 'eve')
    for (const cookie of ['', victim.cookie]) expect((await back(pages, callback, cookie)).status).toBe(403)
    expect([pages.session(), pages.stored.rows.size]).toEqual([undefined, 0])
    expect((await back(pages, callback, attacker.cookie)).status).toBe(303)
  })

  it('counts once', async () => {
    const pages = await start()
    const { location, cookie } = await leave(pages)
    const callback = await idp.signIn(location, 'ann')
    const answers = await Promise.all([1, 2, 3].map(() => back(pages, callback, cookie)))
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 400, 400])
    expect(pages.calls).toHaveLength(1)
  })

  it('expires after ten minutes', async () => {
    const pages = await start()
    const { location, cookie } = await leave(pages)
    const callback = await idp.signIn(location, 'ann')
    pages.advance(600_001)
    expect((await back(pages, callback, cookie)).status).toBe(400)
  })

  it.each([
    ['another issuer', (url: string) => edit(url, (one) => one.set('iss', 'http://evil.example'))],
    ['no issuer', (url: string) => edit(url, (one) => one.delete('iss'))],
    ['an issuer that is only nearly the same', (url: string) => edit(url, (one) => one.set('iss', `${idp.issuer}/`))],
    ['a code that was never given', (url: string) => edit(url, (one) => one.set('code', 'made-up'))],
    ['two codes', (url: string) => edit(url, (one) => one.append('code', 'second'))],
  ])('is refused with %s', async (_, change) => {
    const pages = await start()
    const { location, cookie } = await leave(pages)
    const answer = await back(pages, change(await idp.signIn(location, 'ann')), cookie)
    expect(answer.status).toBe(400)
    expect([pages.session(), pages.stored.rows.size]).toEqual([undefined, 0])
    expect(pages.acts).toMatchObject([{ act: 'sign_in_refused', decision: 'deny' }])
  })

  it('is refused at the callback of another provider (mix-up)', async () => {
    const pages = await start([corp(), corp({ id: 'second' })])
    const { location, cookie } = await leave(pages)
    const callback = await idp.signIn(location, 'ann')
    expect((await back(pages, callback.replace('/callback/corp', '/callback/second'), cookie)).status).toBe(400)
    expect((await back(pages, callback, cookie)).status).toBe(303)
  })

  it('works in several tabs, and its cookie stays small', async () => {
    const pages = await start()
    let [cookies, first] = ['', '']
    for (let at = 0; at < 20; at++) {
      const { location, cookie } = await leave(pages, { cookies })
      if (at === 16) first = location
      cookies = cookie
    }
    expect(cookies.length).toBeLessThan(256)
    expect((await leave(pages, { cookies })).answer.status).toBe(429)
    expect((await back(pages, await idp.signIn(first, 'ann'), cookies)).status).toBe(303)
  })
})

describe('a person the gate does not admit', () => {
  it.each([
    ['another domain', 'eve'],
    ['an address nobody verified', 'bob'],
  ])('is told so, and leaves no account: %s', async (_, username) => {
    const pages = await start([corp({ allowedEmails: ['*@example.com'] })])
    const { location, cookie } = await leave(pages)
    const answer = await back(pages, await idp.signIn(location, username), cookie)
    expect(answer.status).toBe(403)
    expect(parseLinks(await answer.text()).map(({ href }) => href)).toContain('/interaction/u1')
    expect([pages.session(), pages.stored.rows.size]).toEqual([undefined, 0])
    expect(pages.acts).toMatchObject([{ act: 'sign_in_refused', reason: 'not_admitted' }])
  })

  it('and one whose groups cannot be read is refused, not let in without them', async () => {
    const pages = await start()
    const { location, cookie } = await leave(pages)
    expect((await back(pages, await idp.signIn(location, 'odd'), cookie)).status).toBe(400)
    expect(pages.acts).toMatchObject([{ act: 'sign_in_refused', reason: 'claim_malformed' }])
  })
})

describe('a provider that says no', () => {
  it('brings the person back to the other ways to sign in', async () => {
    const pages = await start([corp(), LOCAL])
    const { location, cookie } = await leave(pages)
    const answer = await back(pages, await idp.cancel(location), cookie)
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/interaction/u1?cancelled=corp'])
    expect(await (await pages.request('/interaction/u1?cancelled=corp')).text()).toContain(
      'sign-in with corp was cancelled',
    )
    expect(await (await pages.request('/interaction/u1?cancelled=<b>')).text()).not.toContain('cancelled')
  })

  it('ends at the client where it is the only way', async () => {
    const pages = await start()
    const { location, cookie } = await leave(pages)
    expect((await back(pages, await idp.cancel(location), cookie)).headers.get('location')).toBe(CLIENT)
    expect(pages.calls).toEqual(['denyByUid u1 access_denied'])
  })

  it('is quoted harmlessly, and only to the browser that asked', async () => {
    const pages = await start()
    const { location, cookie } = await leave(pages)
    const { searchParams } = new URL(location)
    const query = new URLSearchParams({
      state: searchParams.get('state') ?? '',
      iss: idp.issuer,
      error: 'invalid_request',
      error_description: '<script>alert(1)</script>\r\nSet-Cookie: a=b',
    })
    const callback = `${pages.url}/callback/corp?${query}`
    expect(await (await back(pages, callback, '')).text()).not.toContain('alert')
    const answer = await back(pages, callback, cookie)
    expect(await answer.text()).toContain('&lt;script&gt;alert(1)&lt;/script&gt; Set-Cookie: a=b')
    expect(answer.headers.getSetCookie()).toHaveLength(1)
  })
})

describe('a provider that is away', () => {
  it('is a 503 page with a way back, and is tried again at the next attempt', async () => {
    const passing = await startIdp({ users: USERS, clients: CLIENTS })
    await passing.stop()
    const pages = await start([corp({ issuer: passing.issuer })])
    const { answer } = await leave(pages)
    expect([answer.status, answer.headers.get('retry-after'), answer.headers.getSetCookie()]).toEqual([503, '10', []])
    const html = await answer.text()
    expect(html).toContain('corp does not answer')
    expect(parseLinks(html).map(({ href }) => href)).toContain('/interaction/u1')
    const again = await startIdp({ users: USERS, clients: CLIENTS, port: passing.port })
    const { location, cookie } = await leave(pages)
    const callback = await again.signIn(location, 'ann')
    await again.stop()
    expect((await back(pages, callback, cookie)).status).toBe(503)
    expect(pages.calls).toEqual([])
  })

  it('and silent is one too', async () => {
    const silent = createServer(() => undefined)
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    const pages = await start([corp({ issuer: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` })])
    expect((await leave(pages)).answer.status).toBe(503)
    silent.close()
  })
})
