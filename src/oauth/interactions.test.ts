// What the pages rely on (interaction/flow.ts), beyond the consent they show.
import { afterEach, describe, expect, it } from 'vitest'
import { ACCOUNT, type Door, OTHER, pkce, startDoor } from '../../test/support/door.ts'
import type { Exchange } from '../http/exchange.ts'
import { RequestError } from '../protocol/errors.ts'

let door: Door
afterEach(() => door?.close())

/** What comes back from an identity provider: of another request than the one it ends. */
const callback = () =>
  ({ req: { headers: {}, socket: {} }, res: { appendHeader: () => undefined } }) as unknown as Exchange

/** A browser that has allowed and stands at the sign-in. */
async function atLogin() {
  door = await startDoor()
  const client = String((await door.register()).body['client_id'])
  const browser = door.browser()
  const page = (await browser.get(door.authorizeUrl(client, pkce().challenge))).headers.get('location') ?? ''
  const resume = (await browser.get(`${page}?do=allow`)).headers.get('location') ?? ''
  const login = (await browser.get(resume)).headers.get('location') ?? ''
  return { client, browser, uid: new URL(login).pathname.split('/').at(-1) ?? '' }
}

describe('a sign-in at an identity provider comes back by uid', () => {
  it('and the browser that started goes on from there', async () => {
    const { browser, uid } = await atLogin()
    const next = await door.interactions.signInByUid(callback(), uid, { account: ACCOUNT, amr: ['fed'] })
    expect((await browser.follow(next)).searchParams.has('code')).toBe(true)
  })

  it('no other browser does', async () => {
    const { uid } = await atLogin()
    const next = await door.interactions.signInByUid(callback(), uid, { account: ACCOUNT, amr: ['fed'] })
    const stranger = await door.browser().get(next)
    expect([stranger.status, stranger.headers.get('location')]).toEqual([403, null])
  })

  it('its failure is told to the client', async () => {
    const { browser, uid } = await atLogin()
    const next = await door.interactions.denyByUid(callback(), uid, {
      error: 'access_denied',
      description: 'not admitted',
    })
    const { searchParams } = await browser.follow(next)
    expect([searchParams.get('error'), searchParams.get('error_description')]).toEqual([
      'access_denied',
      'not admitted',
    ])
  })

  it('an unknown one is gone', async () => {
    await atLogin()
    const late = door.interactions.signInByUid(callback(), 'unknown', { account: ACCOUNT, amr: [] })
    await expect(late).rejects.toThrow(RequestError)
  })
})

describe('the browser session', () => {
  it('becomes that of whoever signs in last, in whichever tab', async () => {
    const { client, browser, uid } = await atLogin()
    await browser.follow(door.authorizeUrl(client, pkce().challenge))
    expect((await browser.get(`${door.url}/whoami`)).text).toBe(ACCOUNT)
    const answer = await browser.get(`${door.url}/interaction/${uid}?do=login&as=${OTHER}`)
    expect((await browser.follow(answer.headers.get('location') ?? '')).searchParams.has('code')).toBe(true)
    expect((await browser.get(`${door.url}/whoami`)).text).toBe(OTHER)
  })

  it('is known until it is ended, and tokens live on', async () => {
    door = await startDoor()
    const { browser, clientId, refreshToken } = await door.signIn()
    expect((await browser.get(`${door.url}/whoami`)).text).toBe(ACCOUNT)
    expect((await door.browser().get(`${door.url}/whoami`)).text).toBe('')
    const cookies = browser.cookies.length
    await browser.get(`${door.url}/sign-out`)
    expect((await browser.get(`${door.url}/whoami`)).text).toBe('')
    expect(browser.cookies.length).toBeLessThan(cookies)
    expect((await door.refresh(clientId, refreshToken)).status).toBe(200)
    browser.pages.length = 0
    await browser.follow(door.authorizeUrl(clientId, pkce().challenge))
    expect(browser.pages).toEqual(['consent', 'login'])
  })

  it('ends by itself, used or not', async () => {
    door = await startDoor()
    const { browser, clientId } = await door.signIn()
    for (let hour = 0; hour < 8; hour += 2) {
      door.advance(2 * 3_600_000 - 1)
      await browser.follow(door.authorizeUrl(clientId, pkce().challenge))
    }
    door.advance(2000)
    expect((await browser.get(`${door.url}/whoami`)).text).toBe('')
  })

  it('takes a new cookie when somebody signs in, so that none can be planted', async () => {
    door = await startDoor()
    const { browser, clientId } = await door.signIn()
    const before = await browser.get(`${door.url}/whoami`)
    await browser.follow(door.authorizeUrl(clientId, pkce().challenge, { prompt: 'login' }), { as: OTHER })
    expect([before.text, (await browser.get(`${door.url}/whoami`)).text]).toEqual([ACCOUNT, OTHER])
  })
})
