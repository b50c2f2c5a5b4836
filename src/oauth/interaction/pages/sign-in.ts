// Sign-in: a button for each identity provider, a form for local accounts, a way out.

import { type Html, html } from '../../../http/html.ts'
import { alertNote, buttonForm, frame } from '../../../http/page-frame.ts'
import type { Interaction } from '../flow.ts'
import { clientName, redirectHost } from './client.ts'

interface SignInPage {
  readonly interaction: Interaction
  readonly csrf: string
  readonly host: string
  readonly providers: readonly { readonly id: string; readonly title: string }[]
  readonly local: { readonly title: string | undefined } | undefined
  readonly problem?: string | undefined
  readonly username?: string | undefined
}

export function signInPage(page: SignInPage): string {
  const { interaction, csrf, host, providers, local, problem } = page
  const both = providers.length > 0 && local !== undefined
  return frame({
    title: problem === undefined ? 'Sign in' : 'Error: sign in',
    host,
    body: html`<h1>Sign in</h1>
<p class="soft">to go on to <bdi>${clientName(interaction)}</bdi> <span class="mono">(${redirectHost(interaction)})</span></p>
${problem !== undefined && alertNote(problem)}
${providers.length > 0 && providerButtons(page)}
${both && html`<div class="or">or</div>`}
${local !== undefined && localForm(page, both)}
${providers.length === 0 && local === undefined && html`<p>No way to sign in is configured here.</p>`}
<div class="leave">${buttonForm({ action: `/interaction/${interaction.uid}/deny`, csrf, label: 'Cancel', look: 'plain' })}</div>`,
  })
}

function providerButtons({ interaction, csrf, providers }: SignInPage): Html {
  return html`<div class="providers">${providers.map(({ id, title }) =>
    buttonForm({ action: `/interaction/${interaction.uid}/idp/${id}`, csrf, label: `Sign in with ${title}` }),
  )}</div>`
}

function localForm({ interaction, csrf, local, problem, username }: SignInPage, second: boolean): Html {
  const wrong = problem !== undefined && html` aria-invalid="true"`
  return html`<form method="post" action="/interaction/${interaction.uid}/login">
<input type="hidden" name="csrf" value="${csrf}">
${local?.title !== undefined && html`<p class="soft small">${local.title}</p>`}
<div class="field"><label for="username">User name</label><input id="username" name="username" type="text" required maxlength="128" autocomplete="username" autocapitalize="none" spellcheck="false" value="${username ?? ''}"${wrong}></div>
<div class="field"><label for="password">Password</label><input id="password" name="password" type="password" required maxlength="1024" autocomplete="current-password"${wrong}></div>
<button type="submit"${second && html` class="second"`}>Sign in</button>
</form>`
}
