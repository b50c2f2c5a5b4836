// Consent: which client may do what at which resource, and where the answer goes (MCP 2026-07-28, Security Best Practices: confused
// deputy). `continueAsPage` is the short form for what this person allowed before.

import { type Html, html, shown } from '../../../http/html.ts'
import { buttonForm, frame } from '../../../http/page-frame.ts'
import type { Interaction } from '../flow.ts'
import { clientName, clientOrigin, redirectHost, redirectPlace, redirectWarning } from './client.ts'

interface Ask {
  readonly interaction: Interaction
  readonly csrf: string
  readonly host: string
  /** How the person who is signed in is called. */
  readonly person: string | undefined
}

export function consentPage({ interaction, csrf, host, person }: Ask): string {
  const { resource, scopes } = interaction
  const name = clientName(interaction)
  return frame({
    title: `Allow ${name}?`,
    host,
    body: html`<h1>Allow <bdi>${name}</bdi> to use <bdi>${shown(resource.title)}</bdi>?</h1>
<p class="soft">${person === undefined ? 'You will be asked to sign in next.' : html`You are signed in as <bdi>${person}</bdi>.`}</p>
<dl>
<div><dt>Application</dt><dd><strong><bdi>${name}</bdi></strong><span class="small">${clientOrigin(interaction)}</span></dd></div>
${target(interaction)}
${server(interaction)}
</dl>
${scopeList(scopes)}
${redirectWarning(interaction)}
${answers(interaction, csrf, 'Allow')}`,
    foot: html`The application acts in your name, within what this server's rules let you do.`,
  })
}

export function continueAsPage({ interaction, csrf, host, person }: Ask & { readonly person: string }): string {
  const name = clientName(interaction)
  return frame({
    title: `Continue to ${name}`,
    host,
    body: html`<h1>Continue as <bdi>${person}</bdi>?</h1>
<p>You allowed <bdi>${name}</bdi> to use <bdi>${shown(interaction.resource.title)}</bdi> before, and it asks again.</p>
<dl>
${target(interaction)}
</dl>
${redirectWarning(interaction)}
${answers(interaction, csrf, 'Continue')}
<p class="soft small leave">Not you? <a href="/logout">Sign out</a> first, then start again from the application.</p>`,
  })
}

/** Another gateway's tokens are for itself: it is named as the application already. */
const server = ({ client, resource }: Interaction): Html | false =>
  client.kind !== 'gateway' &&
  html`<div><dt>Server</dt><dd><bdi>${shown(resource.title)}</bdi><span class="small mono">${resource.url}</span></dd></div>`

function target(interaction: Interaction): Html {
  const place = redirectPlace(interaction)
  const below = place && html`<span class="small">${place}</span>`
  return html`<div><dt>Sends you back to</dt><dd><strong class="mono">${redirectHost(interaction)}</strong>${below}</dd></div>`
}

function scopeList(scopes: Interaction['scopes']): Html {
  if (scopes.length === 0) return html`<p class="soft">It asks for no particular permission.</p>`
  return html`<h2>It asks to</h2>
<ul class="scopes">${scopes.map((scope) => html`<li>${shown(scope.title || scope.name, 160)}</li>`)}</ul>`
}

function answers({ uid }: Interaction, csrf: string, label: string): Html {
  return html`<div class="answers">
${buttonForm({ action: `/interaction/${uid}/allow`, csrf, label })}
${buttonForm({ action: `/interaction/${uid}/deny`, csrf, label: 'Cancel', look: 'second' })}
</div>`
}
