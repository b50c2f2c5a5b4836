// Consent over HTTP: who is asked, when, and by which browser the answer counts.
import { afterEach, describe, expect, it } from 'vitest'
import { ACCOUNT, type Door, OTHER, type Parameters, pkce, REDIRECT, startDoor } from '../../test/support/door.ts'

let door: Door
afterEach(() => door?.close())

const LOOPBACK = 'http://127.0.0.1/cb'
async function start(metadata: Record<string, unknown> = {}) {
  door = await startDoor({ resources: ['files', 'github'] })
  return String(
    (await door.register({ redirect_uris: [REDIRECT, LOOPBACK, 'cursor://app/cb'], ...metadata })).body['client_id'],
  )
}
const given = (client: string) => ({ subject: ACCOUNT, client, resource: door.resource, redirectUri: REDIRECT })
const url = (client: string, parameters: Parameters = {}) => door.authorizeUrl(client, pkce().challenge, parameters)

describe('the first time', () => {
  it('consent comes before the sign-in, and a session only after both', async () => {
    const client = await start()
    const browser = door.browser()
    await browser.follow(url(client))
    expect(browser.pages).toEqual(['consent', 'login'])
    expect(await door.store.durable.consents.find(given(client))).toMatchObject({ scopes: ['mcp:tools'] })
    expect(door.acts).toContainEqual(
      expect.objectContaining({ act: 'consent', reason: 'allowed_by_person', subject: ACCOUNT, client }),
    )
  })

  it('a refusal leaves nothing behind', async () => {
    const client = await start()
    const location = await door.browser().follow(url(client), { deny: true })
    expect(location.searchParams.get('error')).toBe('access_denied')
    expect(await door.store.durable.consents.find(given(client))).toBeUndefined()
  })
})

describe('the second time', () => {
  it('is silent for the same person, client, resource, target and scopes', async () => {
    const client = await start()
    const browser = door.browser()
    await browser.follow(url(client))
    browser.pages.length = 0
    expect((await browser.follow(url(client))).searchParams.has('code')).toBe(true)
    expect(browser.pages).toEqual([])
    expect(door.acts.at(-1)).toMatchObject({ act: 'consent', reason: 'remembered' })
  })

  it.each<[string, Parameters]>([
    ['another resource', { resource: 'github' }],
    ['more scopes', { scope: 'mcp:tools email' }],
    ['another redirect URI', { redirect_uri: LOOPBACK }],
    ['prompt=consent', { prompt: 'consent' }],
  ])('asks again for %s', async (_name, parameters) => {
    const client = await start()
    const browser = door.browser()
    await browser.follow(url(client))
    browser.pages.length = 0
    const resource = parameters['resource'] === 'github' ? { resource: door.resources[1]?.url } : {}
    await browser.follow(url(client, { ...parameters, ...resource }))
    expect(browser.pages).toEqual(['consent'])
  })

  it('asks again for another client, and another person', async () => {
    const client = await start()
    const browser = door.browser()
    await browser.follow(url(client))
    browser.pages.length = 0
    await browser.follow(url(String((await door.register()).body['client_id'])))
    expect(browser.pages).toEqual(['consent'])
    const stranger = door.browser()
    await stranger.follow(url(client), { as: OTHER })
    expect(stranger.pages).toEqual(['consent', 'login'])
  })

  it.each([LOOPBACK, 'http://127.0.0.1:5555/cb', 'cursor://app/cb'])(
    'a public client behind %s always shows a page, though the answer is remembered',
    async (redirect_uri) => {
      const client = await start()
      const browser = door.browser()
      await browser.follow(url(client, { redirect_uri: redirect_uri.replace(':5555', ':4444') }))
      browser.pages.length = 0
      const page = await browser.get((await browser.get(url(client, { redirect_uri }))).headers.get('location') ?? '')
      expect(JSON.parse(page.text)).toMatchObject({ prompt: 'consent', remembered: true, account: ACCOUNT })
    },
  )

  it('a confidential one behind loopback does not', async () => {
    const client = await start({ token_endpoint_auth_method: 'client_secret_basic' })
    const browser = door.browser()
    await browser.follow(url(client, { redirect_uri: LOOPBACK }))
    browser.pages.length = 0
    await browser.follow(url(client, { redirect_uri: LOOPBACK }))
    expect(browser.pages).toEqual([])
  })

  it.each(['cross-site', 'same-site', null])('asks again when the navigation began %s', async (site) => {
    const client = await start()
    const browser = door.browser()
    await browser.follow(url(client))
    browser.pages.length = 0
    await browser.follow(url(client), { site })
    expect(browser.pages).toEqual(['consent'])
  })
})

describe('the answer is bound to the browser that was asked', () => {
  async function asked(client: string) {
    const browser = door.browser()
    const page = (await browser.get(url(client))).headers.get('location') ?? ''
    return { browser, page }
  }

  it('another browser opens neither page nor resume', async () => {
    const client = await start()
    const { browser, page } = await asked(client)
    const thief = door.browser()
    for (const action of ['', '?do=allow', '?do=deny', '?do=login'])
      expect((await thief.get(page + action)).status).toBe(403)
    const resume = (await browser.get(`${page}?do=allow`)).headers.get('location') ?? ''
    const stolen = await thief.get(resume)
    expect([stolen.status, stolen.headers.get('location')]).toEqual([403, null])
    expect((await browser.get(resume)).headers.get('location')).toContain('/interaction/')
  })

  it('the step counts: no sign-in before consent, no consent for a sign-in', async () => {
    const client = await start()
    const { browser, page } = await asked(client)
    expect((await browser.get(`${page}?do=login`)).status).toBe(400)
    const login = (
      await browser.get((await browser.get(`${page}?do=allow`)).headers.get('location') ?? '')
    ).headers.get('location')
    expect((await browser.get(`${login}?do=allow`)).status).toBe(400)
    expect((await browser.get(`${login}?do=login`)).status).toBe(303)
  })

  it('what is done is done: the page is gone afterwards, and after its time', async () => {
    const client = await start()
    const { browser, page } = await asked(client)
    await browser.follow(`${page}?do=allow`)
    expect((await browser.get(`${page}?do=allow`)).status).toBe(400)
    const late = await asked(client)
    door.advance(31 * 60_000)
    expect((await late.browser.get(late.page)).status).toBe(400)
  })

  it('two tabs do not disturb each other', async () => {
    const client = await start()
    const browser = door.browser()
    const [one, two] = [await browser.get(url(client)), await browser.get(url(client))]
    for (const tab of [two, one])
      expect((await browser.follow(`${tab.headers.get('location')}?do=allow`)).searchParams.has('code')).toBe(true)
  })
})

describe('what a page is told', () => {
  it('who asks, for what, and where the answer goes', async () => {
    const client = await start({ client_name: '<b>Evil</b>' })
    const browser = door.browser()
    const page = (
      await browser.get(url(client, { scope: 'mcp:tools email', redirect_uri: 'cursor://app/cb' }))
    ).headers.get('location')
    expect(JSON.parse((await browser.get(page ?? '')).text)).toEqual({
      uid: expect.any(String),
      prompt: 'consent',
      client: { id: client, name: '<b>Evil</b>', kind: 'registered' },
      redirectUri: 'cursor://app/cb',
      redirectKind: 'scheme',
      resource: { url: door.resource, title: 'files' },
      scopes: [
        { name: 'mcp:tools', title: expect.stringContaining('tools') },
        { name: 'email', title: 'See your e-mail address' },
      ],
      remembered: false,
    })
  })
})

describe('another person in the same browser', () => {
  it('prompt=login ends the first session, without revoking what the first one allowed', async () => {
    const client = await start()
    const first = await door.signIn({ clientId: client })
    const location = await first.browser.follow(url(client, { prompt: 'login' }), { as: OTHER })
    expect(location.searchParams.has('code')).toBe(true)
    expect(door.acts.filter((act) => act.act === 'consent').at(-1)).toMatchObject({ subject: OTHER })
    expect(await door.isAlive(first.accessToken)).toBe(true)
    expect((await door.refresh(client, first.refreshToken)).status).toBe(200)
  })
})
