// The authorization request's two questions to the person: may this client, and who are you. Consent always comes first
// (MCP 2026-07-28, Security Best Practices: confused deputy), so nothing of a sign-in exists before it.
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { checkMethod } from '../../http/method.ts'
import { sendPage } from '../../http/page.ts'
import type { PostGuard } from '../../http/post-guard.ts'
import { RequestError } from '../../protocol/errors.ts'
import type { Interaction } from './flow.ts'
import { formTargets } from './form-action.ts'
import { actOf, hostOf, type InteractionNeeds, personName } from './needs.ts'
import { consentPage, continueAsPage } from './pages/consent.ts'
import { type ShowSignIn, signInNotice } from './sign-in.ts'

/** Binds a form's token to one question of one authorization request; the interaction's cookie binds that to the browser. */
const bindingOf = ({ uid, prompt }: Interaction): string => `interaction\n${uid}\n${prompt}`

type Needs = Pick<InteractionNeeds, 'interactions' | 'users' | 'idps' | 'serverUrl' | 'recorder'> & {
  readonly guard: PostGuard
  readonly showSignIn: ShowSignIn
}

export function promptEndpoints({ interactions, users, idps, serverUrl, recorder, guard, showSignIn }: Needs) {
  const host = hostOf(serverUrl)

  async function showConsent(exchange: Exchange, interaction: Interaction): Promise<void> {
    const person = personName(interaction.account === undefined ? undefined : await users.find(interaction.account))
    const ask = { interaction, csrf: guard.token(bindingOf(interaction)), host }
    const html =
      interaction.remembered && person !== undefined
        ? continueAsPage({ ...ask, person })
        : consentPage({ ...ask, person })
    sendPage(exchange, { status: 200, html, formAction: formTargets({ interaction }) })
  }

  return {
    show: (uid: string): Endpoint =>
      async function show(exchange) {
        checkMethod(exchange, 'GET', 'HEAD')
        const interaction = await interactions.find(exchange, uid)
        if (interaction.prompt === 'consent') return showConsent(exchange, interaction)
        showSignIn(exchange, interaction, { problem: signInNotice(exchange.query, idps) })
      },

    allow: (uid: string): Endpoint =>
      async function allow(exchange) {
        checkMethod(exchange, 'POST')
        const interaction = await interactions.find(exchange, uid)
        await guard.read(exchange, bindingOf(interaction))
        if (interaction.prompt !== 'consent')
          throw new RequestError(400, 'consent_already_given', 'This question was answered already.')
        await interactions.allow(exchange, interaction)
      },

    deny: (uid: string): Endpoint =>
      async function deny(exchange) {
        checkMethod(exchange, 'POST')
        const interaction = await interactions.find(exchange, uid)
        await guard.read(exchange, bindingOf(interaction))
        const { account: subject, client, resource } = interaction
        const reason = interaction.prompt === 'consent' ? 'person_refused' : 'sign_in_cancelled'
        await recorder.act(
          actOf(
            exchange,
            { act: 'consent_refused', decision: 'deny', reason },
            { subject, client: client.id, resource: resource.url },
          ),
        )
        await interactions.deny(exchange, interaction)
      },
  }
}
