// The first administrator: one form behind a one-time link, since there is no default account.

import { html } from '../../../http/html.ts'
import { alertNote, frame } from '../../../http/page-frame.ts'
import { PASSWORD_LEAST_CHARACTERS } from '../../../identity/password.ts'

interface SetupPage {
  readonly ticket: string
  readonly csrf: string
  readonly host: string
  readonly problem?: string | undefined
  readonly username?: string | undefined
  readonly email?: string | undefined
}

export function setupPage({ ticket, csrf, host, problem, username, email }: SetupPage): string {
  return frame({
    title: problem === undefined ? 'First administrator' : 'Error: first administrator',
    host,
    body: html`<h1>Create the first administrator</h1>
<p class="soft">This link works once. It came from the console or log of whoever started this gate.</p>
${problem !== undefined && alertNote(problem)}
<form method="post" action="/setup">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="ticket" value="${ticket}">
<div class="field"><label for="username">User name</label><input id="username" name="username" type="text" required maxlength="128" autocomplete="username" autocapitalize="none" spellcheck="false" value="${username ?? ''}"></div>
<div class="field"><label for="email">E-mail address <span class="soft">(optional)</span></label><input id="email" name="email" type="email" maxlength="254" autocomplete="email" value="${email ?? ''}"></div>
<div class="field"><label for="password">Password</label><input id="password" name="password" type="password" required minlength="${PASSWORD_LEAST_CHARACTERS}" maxlength="1024" autocomplete="new-password" aria-describedby="password-rule"><span class="small" id="password-rule">At least ${PASSWORD_LEAST_CHARACTERS} characters; a few unrelated words do well.</span></div>
<div class="field"><label for="again">The same password again</label><input id="again" name="again" type="password" required minlength="${PASSWORD_LEAST_CHARACTERS}" maxlength="1024" autocomplete="new-password"></div>
<button type="submit">Create administrator</button>
</form>`,
  })
}

export const setupDonePage = ({ username, host }: { username: string; host: string }): string =>
  frame({
    title: 'Administrator created',
    host,
    body: html`<h1>Administrator created</h1>
<p>The account <strong><bdi>${username}</bdi></strong> can sign in now. The link you came by is used up.</p>
<p><a class="button second" href="/">Go to the start page</a></p>`,
  })
