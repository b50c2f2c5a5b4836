// The start page and signing out. What was issued to clients stays: those are families of their own, ended at the client or by revocation.
import { randomBytes } from 'node:crypto'
import { hostCookieName, parseCookies, serialiseCookie } from '../../http/cookies.ts'
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { checkMethod } from '../../http/method.ts'
import { sendPage, sendSeeOther } from '../../http/page.ts'
import type { PostGuard } from './csrf.ts'
import { actOf, hostOf, type InteractionNeeds, personName } from './needs.ts'
import { signedOutPage, signOutPage, startPage } from './pages/account.ts'

type Needs = Pick<InteractionNeeds, 'interactions' | 'users' | 'serverUrl' | 'recorder'> & { readonly guard: PostGuard }

export function accountEndpoints({ interactions, users, serverUrl, recorder, guard }: Needs) {
  const host = hostOf(serverUrl)
  const secure = new URL(serverUrl).protocol === 'https:'
  const cookieName = hostCookieName('portcullis-form', secure)

  async function personOf(exchange: Exchange): Promise<string | undefined> {
    const account = await interactions.findAccount(exchange)
    return personName(account === undefined ? undefined : await users.find(account))
  }

  const cookieOf = ({ req }: Exchange) => parseCookies(req.headers.cookie).get(cookieName)

  /** Binds the sign-out form to this browser: the page has no interaction whose cookie would. */
  function bind(exchange: Exchange): string {
    const held = cookieOf(exchange)
    if (held !== undefined) return held
    const value = randomBytes(16).toString('base64url')
    exchange.res.appendHeader('Set-Cookie', serialiseCookie({ name: cookieName, value, secure, path: '/' }))
    return value
  }

  async function signOut(exchange: Exchange): Promise<void> {
    await guard.read(exchange, `logout\n${cookieOf(exchange) ?? ''}`)
    const subject = await interactions.findAccount(exchange)
    await recorder.act(actOf(exchange, { act: 'sign_out', decision: 'allow', reason: 'person' }, { subject }))
    await interactions.endSession(exchange)
    sendSeeOther(exchange, '/logout')
  }

  const start: Endpoint = async (exchange) => {
    checkMethod(exchange, 'GET', 'HEAD')
    const html = startPage({ host, person: await personOf(exchange) })
    sendPage(exchange, { status: 200, html })
  }

  const logout: Endpoint = async (exchange) => {
    checkMethod(exchange, 'GET', 'HEAD', 'POST')
    if (exchange.req.method === 'POST') return signOut(exchange)
    const person = await personOf(exchange)
    if (person === undefined) return sendPage(exchange, { status: 200, html: signedOutPage({ host }) })
    const csrf = guard.token(`logout\n${bind(exchange)}`)
    sendPage(exchange, { status: 200, html: signOutPage({ host, csrf, person }), formAction: ["'self'"] })
  }

  return { start, logout }
}
