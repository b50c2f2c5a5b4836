// The start page and signing out. What was issued to clients stays: those are families of their own, ended at the client or by revocation.
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { formCookie } from '../../http/form-cookie.ts'
import { checkMethod } from '../../http/method.ts'
import { sendPage, sendSeeOther } from '../../http/page.ts'
import type { PostGuard } from '../../http/post-guard.ts'
import { actOf, hostOf, type InteractionNeeds, personName } from './needs.ts'
import { signedOutPage, signOutPage, startPage } from './pages/account.ts'

type Needs = Pick<InteractionNeeds, 'interactions' | 'users' | 'serverUrl' | 'recorder'> & { readonly guard: PostGuard }

export function accountEndpoints({ interactions, users, serverUrl, recorder, guard }: Needs) {
  const host = hostOf(serverUrl)
  const cookie = formCookie(serverUrl)

  async function personOf(exchange: Exchange): Promise<string | undefined> {
    const account = await interactions.findAccount(exchange)
    return personName(account === undefined ? undefined : await users.find(account))
  }

  async function signOut(exchange: Exchange): Promise<void> {
    await guard.read(exchange, `logout\n${cookie.held(exchange)}`)
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
    const csrf = guard.token(`logout\n${cookie.bind(exchange)}`)
    sendPage(exchange, { status: 200, html: signOutPage({ host, csrf, person }), formAction: ["'self'"] })
  }

  return { start, logout }
}
