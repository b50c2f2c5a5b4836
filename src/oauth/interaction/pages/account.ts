// The start page, and signing out.
import { html } from '../../../http/html.ts'
import { buttonForm, frame } from '../../../http/page-frame.ts'

interface StartPage {
  readonly host: string
  readonly person: string | undefined
}

export function startPage({ host, person }: StartPage): string {
  return frame({
    title: person === undefined ? 'Start' : 'Signed in',
    host,
    body: html`<h1>${person === undefined ? 'The gate is up' : 'You are signed in'}</h1>
${
  person === undefined
    ? html`<p>This is the sign-in for MCP servers. There is nothing to do here in a browser: connect an MCP client, and it will bring you back to sign in.</p>`
    : html`<p>as <strong><bdi>${person}</bdi></strong>. MCP clients you connect will ask you here before they act in your name.</p>`
}
${person !== undefined && html`<p class="leave"><a class="button second" href="/logout">Sign out</a></p>`}`,
  })
}

export function signOutPage({ host, csrf, person }: { host: string; csrf: string; person: string }): string {
  return frame({
    title: 'Sign out',
    host,
    body: html`<h1>Sign out?</h1>
<p>You are signed in as <strong><bdi>${person}</bdi></strong> in this browser. Applications you connected stay connected.</p>
<div class="answers">
${buttonForm({ action: '/logout', csrf, label: 'Sign out' })}
<a class="button second" href="/">Stay signed in</a>
</div>`,
  })
}

export const signedOutPage = ({ host }: { host: string }): string =>
  frame({
    title: 'Signed out',
    host,
    body: html`<h1>You are signed out</h1>
<p>Nobody is signed in to this gate in this browser. Your identity provider may still know you.</p>
<p><a class="button second" href="/">Go to the start page</a></p>`,
  })
