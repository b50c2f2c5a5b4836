// What our pages may know and do (interaction/flow.ts), on top of the library's interactions. A page writes a result; the library goes on.
import type Provider from 'oidc-provider'
import { errors, type InteractionResults } from 'oidc-provider'
import type { Exchange } from '../http/exchange.ts'
import { sendSeeOther } from '../http/page.ts'
import type { Clock } from '../protocol/clock.ts'
import { RequestError } from '../protocol/errors.ts'
import { redirectKind } from '../protocol/redirect-uri.ts'
import type { Resource } from '../protocol/resource.ts'
import type { Consents } from '../store/durable.ts'
import type { Artifacts } from '../store/ephemeral.ts'
import type { AnsweredHere } from './answered.ts'
import { askedOf, digestOf, isRemembered } from './consent.ts'
import { COOKIE_OPTIONS } from './cookies.ts'
import type { Interaction, Interactions, SignIn } from './interaction/flow.ts'
import type { Library } from './library.ts'
import { scopeTitle } from './scopes.ts'
import { isSignInClient } from './sign-in-client.ts'

interface Needs {
  readonly library: Library
  readonly answered: Pick<AnsweredHere, 'note'>
  provider(): Provider
  findResource(clientId: string, url: string): Pick<Resource, 'url' | 'title'> | undefined
  isGateway(clientId: string): boolean
  readonly scopes: Readonly<Record<string, { title: string }>>
  readonly configuredClients: readonly string[]
  readonly consents: Pick<Consents, 'find'>
  readonly artifacts: Pick<Artifacts, 'findByUid' | 'remove'>
  readonly clock: Clock
}

type Details = Awaited<ReturnType<Provider['interactionDetails']>>

const gone = () =>
  new RequestError(
    400,
    'interaction_gone',
    'This sign-in has expired or was already completed. Start again from your application.',
  )
const elsewhere = () => new RequestError(403, 'interaction_elsewhere', 'This sign-in was started in another browser.')
const outOfStep = () =>
  new RequestError(
    400,
    'interaction_step',
    'This step of the sign-in is not the current one. Start again from your application.',
  )

export function createInteractions(needs: Needs): Interactions {
  const { library, provider, scopes, consents, artifacts, clock } = needs

  /** The uid is in the address, the proof in the cookie: a link to somebody else's interaction opens nothing. */
  async function read(exchange: Exchange, uid: string): Promise<Details> {
    return library.page(exchange, async (current, req) => {
      if (!(await current.Interaction.find(uid))) throw gone()
      const name = current.cookieName('interaction')
      const held = current.createContext(req, exchange.res).cookies.get(name, COOKIE_OPTIONS)
      if (held !== uid) throw elsewhere()
      try {
        return await current.interactionDetails(req, exchange.res)
      } catch (error) {
        // Its browser session is gone, or belongs to somebody else by now.
        throw error instanceof errors.SessionNotFound ? gone() : error
      }
    })
  }

  async function describe(exchange: Exchange, details: Details): Promise<Interaction> {
    const asked = askedOf(details.params)
    const client = await library.page(exchange, (current) => current.Client.find(asked.client))
    const resource = needs.findResource(asked.client, asked.resource)
    // Registered, configured or published otherwise since the request came.
    if (!client || !resource || !client.redirectUriAllowed(asked.redirectUri)) throw gone()
    const kind = kindOf(asked.client)
    const own = isSignInClient(asked.client)
    const target = own ? resource.url : asked.redirectUri
    const only = details.params['provider']
    const account = details.session?.accountId
    return {
      uid: details.uid,
      prompt: details.prompt.name === 'login' ? 'login' : 'consent',
      client: {
        id: asked.client,
        // Our own client goes on to the protected host, which is what the person wanted.
        name: own ? resource.title : (client.clientName ?? asked.client),
        kind,
        documentHost: kind === 'document' ? new URL(asked.client).host : undefined,
      },
      redirectUri: target,
      redirectKind: redirectKind(target),
      resource: { url: resource.url, title: resource.title },
      scopes: asked.scopes.map((name) => ({ name, title: scopeTitle(name, scopes) })),
      provider: typeof only === 'string' ? only : undefined,
      account,
      remembered: await isRemembered(consents, account, asked),
    }
  }

  function kindOf(clientId: string): Interaction['client']['kind'] {
    if (needs.configuredClients.includes(clientId) || isSignInClient(clientId)) return 'configured'
    if (needs.isGateway(clientId)) return 'gateway'
    return clientId.startsWith('https://') ? 'document' : 'registered'
  }

  async function finish(exchange: Exchange, details: Details, result: InteractionResults): Promise<string> {
    needs.answered.note(exchange, details.cid)
    details.result = 'error' in result ? result : { ...details.lastSubmission, ...result }
    await details.persist()
    return details.returnTo
  }

  /**
   * Another person than the one signed in, in another tab perhaps, since this began: the old session ends here. The library would end
   * it through a form that revokes its families.
   */
  async function endOtherSession(exchange: Exchange, details: Details, account: string): Promise<void> {
    const now = await library.page(exchange, (current, req) => currentSession(current, req, exchange))
    for (const session of [details.session, now]) {
      if (session?.accountId === undefined || session.accountId === account) continue
      const stored = await artifacts.findByUid('Session', session.uid, clock())
      if (stored) await artifacts.remove('Session', stored.idHash)
      details.session = undefined
    }
  }

  async function finishLogin(exchange: Exchange, details: Details, { account, amr }: SignIn): Promise<string> {
    if (details.prompt.name !== 'login') throw outOfStep()
    await endOtherSession(exchange, details, account)
    return finish(exchange, details, { login: { accountId: account, amr: [...amr] } })
  }

  async function readByUid(uid: string): Promise<Details> {
    const details = await provider().Interaction.find<Details>(uid)
    if (!details) throw gone()
    return details
  }

  const findAccount = (exchange: Exchange): Promise<string | undefined> =>
    library.page(exchange, async (current, req) => (await currentSession(current, req, exchange)).accountId)

  return {
    async find(exchange, uid) {
      return describe(exchange, await read(exchange, uid))
    },
    async allow(exchange, { uid }) {
      const details = await read(exchange, uid)
      if (details.prompt.name !== 'consent') throw outOfStep()
      // From what the library stored, never from what the page or its form says.
      const what = digestOf(askedOf(details.params))
      const who = await findAccount(exchange)
      sendSeeOther(exchange, await finish(exchange, details, { consent: { what, who } }))
    },
    async deny(exchange, { uid }) {
      const details = await read(exchange, uid)
      const refused = { error: 'access_denied', error_description: 'the person refused' }
      sendSeeOther(exchange, await finish(exchange, details, refused))
    },
    async signIn(exchange, { uid }, signIn) {
      sendSeeOther(exchange, await finishLogin(exchange, await read(exchange, uid), signIn))
    },
    async signInByUid(exchange, uid, signIn) {
      return finishLogin(exchange, await readByUid(uid), signIn)
    },
    async denyByUid(exchange, uid, { error, description }) {
      return finish(exchange, await readByUid(uid), { error, error_description: description })
    },
    findAccount,
    async endSession(exchange) {
      await library.page(exchange, async (current, req) => {
        await (await currentSession(current, req, exchange)).destroy()
        current.createContext(req, exchange.res).cookies.set(current.cookieName('session'), null, COOKIE_OPTIONS)
      })
    },
  }
}

function currentSession(provider: Provider, req: Parameters<Provider['createContext']>[0], { res }: Exchange) {
  return provider.Session.get(provider.createContext(req, res))
}
