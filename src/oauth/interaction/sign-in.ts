// Sign-in with a local account, and the page that offers every way to sign in.
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { checkMethod } from '../../http/method.ts'
import { sendPage } from '../../http/page.ts'
import type { PostGuard } from '../../http/post-guard.ts'
import type { IdentityProviders } from '../../identity/provider.ts'
import type { SignInOutcome } from '../../identity/users.ts'
import { RequestError } from '../../protocol/errors.ts'
import type { Interaction } from './flow.ts'
import { formTargets } from './form-action.ts'
import { actOf, hostOf, type InteractionNeeds } from './needs.ts'
import { signInPage } from './pages/sign-in.ts'

export interface SignInView {
  readonly status?: number
  readonly problem?: string | undefined
  readonly username?: string
  readonly retryAfter?: number
}

export type ShowSignIn = (exchange: Exchange, interaction: Interaction, view?: SignInView) => void

export const loginBinding = (uid: string): string => `interaction\n${uid}\nlogin`

/** What the request leaves to choose from. */
export function waysToSignIn({ provider }: Interaction, { offered, local }: IdentityProviders) {
  if (provider === undefined) return { offered, local }
  return { offered: offered.filter(({ id }) => id === provider), local: provider === 'local' ? local : undefined }
}

export function signInView({
  idps,
  serverUrl,
  guard,
}: Pick<InteractionNeeds, 'idps' | 'serverUrl'> & { guard: PostGuard }): ShowSignIn {
  return function showSignIn(exchange, interaction, { status = 200, problem, username, retryAfter } = {}) {
    const { offered: providers, local } = waysToSignIn(interaction, idps)
    const csrf = guard.token(loginBinding(interaction.uid))
    sendPage(exchange, {
      status,
      html: signInPage({ interaction, csrf, host: hostOf(serverUrl), providers, local, problem, username }),
      formAction: formTargets({
        interaction,
        providers: providers.map((provider) => provider.origin),
        leadsOn: providers.some((provider) => provider.leadsOn),
        password: local !== undefined,
      }),
      retryAfter,
    })
  }
}

/** What a provider's callback left to say; only words of ours, whatever the address bar holds. */
export function signInNotice(query: string, idps: IdentityProviders): string | undefined {
  const provider = idps.find(new URLSearchParams(query).get('cancelled') ?? '')
  return provider && `The sign-in with ${provider.title} was cancelled. Choose how to go on.`
}

/** A sign-in may only follow consent: before it there is nothing to sign in for. */
export function checkLoginPrompt({ prompt }: Interaction): void {
  if (prompt !== 'login') throw new RequestError(400, 'consent_first', 'Answer the question before this one first.')
}

type Needs = Pick<InteractionNeeds, 'interactions' | 'users' | 'idps' | 'recorder' | 'counters' | 'clock'> & {
  readonly guard: PostGuard
  readonly showSignIn: ShowSignIn
}

/** Attempts of one authorization request, which lives no longer. */
const TRIES = { most: 20, window: 30 * 60_000 }

export function localSignIn({ interactions, users, idps, recorder, counters, clock, guard, showSignIn }: Needs) {
  return (uid: string): Endpoint =>
    async function signIn(exchange) {
      checkMethod(exchange, 'POST')
      const interaction = await interactions.find(exchange, uid)
      const form = await guard.read(exchange, loginBinding(uid))
      checkLoginPrompt(interaction)
      if (!waysToSignIn(interaction, idps).local)
        throw new RequestError(404, 'local_closed', 'Local accounts are not offered here.')
      if ((await counters.hit(`sign-in-of:${uid}`, TRIES.window, clock())) > TRIES.most) throw tooMany()
      const username = form.get('username') ?? ''
      const outcome = await users.verifyLocal(username, form.get('password') ?? '', exchange.address)
      const client = interaction.client.id
      if (outcome.status === 'signed_in') {
        const { id: account, email } = outcome.user
        const act = { act: 'sign_in', decision: 'allow', reason: 'password' } as const
        await recorder.act(actOf(exchange, act, { subject: account, email, client }))
        return interactions.signIn(exchange, interaction, { account, amr: ['pwd'] })
      }
      const { reason, subject, view } = refusalOf(outcome)
      await recorder.act(actOf(exchange, { act: 'sign_in_refused', decision: 'deny', reason }, { subject, client }))
      showSignIn(exchange, interaction, { ...view, username })
    }
}

const tooMany = () =>
  new RequestError(429, 'sign_in_tries', 'Too many attempts. Start again from your application.', {
    retryAfter: TRIES.window / 1000,
  })

type Refusal = Exclude<SignInOutcome, { status: 'signed_in' }>

/** One sentence for every cause, known name or not: only who had the right password learns more. */
function refusalOf(outcome: Refusal): { reason: string; subject: string | undefined; view: SignInView } {
  if (outcome.status === 'wait') {
    const problem = `Too many attempts. Wait ${inWords(outcome.seconds)}, then try again.`
    return { reason: 'backoff', subject: undefined, view: { status: 429, problem, retryAfter: outcome.seconds } }
  }
  const { reason, subject } = outcome
  const problem =
    reason === 'wrong_password'
      ? 'This user name and password do not belong together.'
      : 'This account may not sign in here. Ask your administrator.'
  return { reason, subject, view: { status: 403, problem } }
}

function inWords(seconds: number): string {
  if (seconds < 120) return 'a minute'
  return seconds < 7200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`
}
