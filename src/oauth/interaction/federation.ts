// Sign-in at the company's identity provider: leaving for it, and its answer at its own callback (OpenID Connect Core §3.1.2,
// RFC 9700 §4.4 and §4.7). `state` exists only from here on: after consent, bound to this browser, for one use.
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { checkMethod } from '../../http/method.ts'
import { sendPage, sendSeeOther } from '../../http/page.ts'
import type { PostGuard } from '../../http/post-guard.ts'
import { FederationError, type FederationSecrets, type IdentityProvider } from '../../identity/provider.ts'
import { RequestError } from '../../protocol/errors.ts'
import { sha256 } from '../hash.ts'
import type { BrowserBinding } from './binding.ts'
import { actOf, type InteractionNeeds, personName } from './needs.ts'
import { errorPage } from './pages/error.ts'
import { checkLoginPrompt, loginBinding, waysToSignIn } from './sign-in.ts'

const KIND = 'federation'
export const FEDERATION_TTL = 600_000
/** Starts of one authorization request: each leaves a ticket behind. */
const MOST_STARTS = 20

interface Ticket {
  readonly uid: string
  readonly provider: string
  readonly bindingHash: string
  readonly nonce: string
  readonly verifier: string
}

type Needs = Pick<
  InteractionNeeds,
  'interactions' | 'users' | 'idps' | 'serverUrl' | 'departures' | 'counters' | 'recorder' | 'clock' | 'log'
> & { readonly guard: PostGuard; readonly binding: BrowserBinding }

export function federationEndpoints(needs: Needs) {
  const { interactions, users, idps, serverUrl, departures, counters, recorder, clock, log, guard, binding } = needs
  const callbackUrl = (provider: IdentityProvider) => serverUrl + provider.callback

  /** Proves browser and provider before it takes the ticket, so that a refusal spends nothing. */
  async function consumeTicket(exchange: Exchange, provider: IdentityProvider): Promise<Ticket & FederationSecrets> {
    const states = new URLSearchParams(exchange.query).getAll('state')
    const state = states.length === 1 ? (states[0] ?? '') : ''
    const found = parseTicket(await departures.find(KIND, sha256(state), clock()))
    if (!found || found.provider !== provider.id) throw expired()
    if (!binding.holds(exchange, found.bindingHash))
      throw new RequestError(403, 'another_browser', 'This sign-in was started in another browser.')
    const taken = await departures.take(KIND, sha256(state), clock())
    if (!taken) throw expired()
    binding.drop(exchange, found.bindingHash)
    return { ...found, state }
  }

  async function finish(exchange: Exchange, provider: IdentityProvider, ticket: Ticket & FederationSecrets) {
    const answer = new URL(`${callbackUrl(provider)}?${exchange.query}`)
    const profile = await provider.finish(answer, ticket)
    const outcome = await users.signInFederated(profile)
    if (outcome.status === 'signed_in') {
      const { id: account, email } = outcome.user
      await recorder.act(
        actOf(exchange, { act: 'sign_in', decision: 'allow', reason: provider.id }, { subject: account, email }),
      )
      return sendSeeOther(exchange, await interactions.signInByUid(exchange, ticket.uid, { account, amr: ['fed'] }))
    }
    const { reason, subject } = outcome.status === 'wait' ? { reason: 'backoff', subject: undefined } : outcome
    await recorder.act(
      actOf(exchange, { act: 'sign_in_refused', decision: 'deny', reason }, { subject, email: profile.email }),
    )
    const who = personName({ email: profile.email, name: profile.name, identity: profile.subject })
    showProblem(exchange, {
      status: 403,
      title: 'This account may not sign in here',
      detail: `${who} is signed in with ${provider.title}, but is not one of those who are admitted here. Sign in with another account, or ask your administrator.`,
      uid: ticket.uid,
    })
  }

  async function failed(exchange: Exchange, provider: IdentityProvider, uid: string, error: FederationError) {
    const { failure, reason } = error
    log.warn({ id: exchange.id, provider: provider.id, reason, error }, 'federated sign-in failed')
    if (failure === 'unreachable') return showUnreachable(exchange, provider, uid)
    await recorder.act(actOf(exchange, { act: 'sign_in_refused', decision: 'deny', reason }))
    if (failure === 'faulty') return showFaulty(exchange, provider, uid)
    if (failure === 'refused')
      return showProblem(exchange, {
        status: 400,
        title: `${provider.title} did not sign you in`,
        detail: error.said
          ? `${provider.title} answered: ${error.said}`
          : `The answer of ${provider.title} cannot be accepted. Try again; if it stays, your administrator finds the cause in the log.`,
        uid,
      })
    // With another way to sign in the person may choose it; with none, the client is told.
    if (idps.offered.length > 1 || idps.local)
      return sendSeeOther(exchange, `/interaction/${uid}?cancelled=${provider.id}`)
    const description = 'The person cancelled at the identity provider.'
    sendSeeOther(exchange, await interactions.denyByUid(exchange, uid, { error: 'access_denied', description }))
  }

  return {
    start: (uid: string, provider: IdentityProvider): Endpoint =>
      async function start(exchange) {
        checkMethod(exchange, 'POST')
        const interaction = await interactions.find(exchange, uid)
        await guard.read(exchange, loginBinding(uid))
        checkLoginPrompt(interaction)
        if (!waysToSignIn(interaction, idps).offered.includes(provider))
          throw new RequestError(400, 'other_provider', 'This sign-in is for another provider. Go back and choose it.')
        if ((await counters.hit(`federation:${uid}`, FEDERATION_TTL, clock())) > MOST_STARTS)
          throw new RequestError(429, 'federation_starts', 'Too many attempts. Wait a few minutes, then try again.', {
            retryAfter: FEDERATION_TTL / 1000,
          })
        try {
          const { url, secrets } = await provider.start(callbackUrl(provider))
          const { state, nonce, verifier } = secrets
          const payload = { uid, provider: provider.id, bindingHash: binding.issue(exchange), nonce, verifier }
          await departures.put({ kind: KIND, idHash: sha256(state), payload, expiresAt: clock() + FEDERATION_TTL })
          sendSeeOther(exchange, url)
        } catch (error) {
          if (!(error instanceof FederationError)) throw error
          await failed(exchange, provider, uid, error)
        }
      },

    callback: (provider: IdentityProvider): Endpoint =>
      async function callback(exchange) {
        checkMethod(exchange, 'GET')
        const ticket = await consumeTicket(exchange, provider)
        try {
          await finish(exchange, provider, ticket)
        } catch (error) {
          if (!(error instanceof FederationError)) throw error
          await failed(exchange, provider, ticket.uid, error)
        }
      },
  }
}

const expired = () =>
  new RequestError(
    400,
    'federation_state_unknown',
    'This sign-in was already used or has expired. Start again from your application.',
  )

function parseTicket(payload: Record<string, unknown> | undefined): Ticket | undefined {
  if (!payload) return undefined
  const { uid, provider, bindingHash, nonce, verifier } = payload
  const texts = [uid, provider, bindingHash, nonce, verifier]
  if (!texts.every((text) => typeof text === 'string')) throw new TypeError('A federation ticket is damaged.')
  return {
    uid: String(uid),
    provider: String(provider),
    bindingHash: String(bindingHash),
    nonce: String(nonce),
    verifier: String(verifier),
  }
}

interface Problem {
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly uid: string
}

function showProblem(exchange: Exchange, { status, title, detail, uid }: Problem): void {
  const link = { href: `/interaction/${uid}`, label: 'Back to sign-in' }
  const retryAfter = status === 503 ? 10 : undefined
  sendPage(exchange, { status, html: errorPage({ title, detail, requestId: exchange.id, link }), retryAfter })
}

const showFaulty = (exchange: Exchange, { title }: IdentityProvider, uid: string): void =>
  showProblem(exchange, {
    status: 502,
    title: `${title} could not sign you in`,
    detail: `The sign-in service of ${title} refused, or answered with something that cannot be used. Try again; if it stays, your administrator finds the cause in the log.`,
    uid,
  })

const showUnreachable = (exchange: Exchange, { title }: IdentityProvider, uid: string): void =>
  showProblem(exchange, {
    status: 503,
    title: `${title} does not answer`,
    detail: `The sign-in service of ${title} cannot be reached at the moment. Wait a little and try again, or go back and choose another way to sign in.`,
    uid,
  })
