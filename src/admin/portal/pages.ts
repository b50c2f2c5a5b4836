// The pages of a person's connections: what there is, one to connect, and what came of it. Titles, scopes and help are other people's words.
import { type Html, html, shown } from '../../http/html.ts'
import { alertNote, buttonForm, frame } from '../../http/page-frame.ts'
import type { Connectable, Connection, ConnectionTerms } from '../../protocol/connections.ts'
import { CONNECT_PATH, CONNECTIONS_PATH } from '../../protocol/sign-in-client.ts'

export interface About {
  readonly host: string
  /** How the person is called. */
  readonly person: string
}

interface Ask {
  readonly server: Connectable
  /** Where the form goes: this page itself. */
  readonly action: string
  readonly csrf: string
  /** There was an account, and it does not work any more. */
  readonly again: boolean
}

const nameOf = ({ title, server }: Connectable): string => shown(title, 80) || server

export function connectPage({ host, person }: About, ask: Ask & { readonly terms: ConnectionTerms }): string {
  const { server, action, csrf, terms, again } = ask
  const name = nameOf(server)
  const [page, issuer] = [hostOf(terms.page), hostOf(terms.issuer)]
  return frame({
    title: `Connect ${name}`,
    host,
    body: html`<h1>Connect your account at <bdi>${name}</bdi>?</h1>
<p class="soft">You are signed in as <bdi>${person}</bdi>.</p>
${again && LAPSED}
<dl>
<div><dt>You go on to</dt><dd><strong class="mono">${page}</strong><span class="small">Sign in there with your own account.</span></dd></div>
${page !== issuer && html`<div><dt>On behalf of</dt><dd class="mono">${issuer}</dd></div>`}
<div><dt>Server</dt><dd><bdi>${name}</bdi></dd></div>
</dl>
${scopeList(terms.scopes)}
<div class="answers">
${buttonForm({ action, csrf, label: 'Connect' })}
<a class="button second" href="${CONNECTIONS_PATH}">Cancel</a>
</div>`,
    foot: html`What you are given there is kept encrypted, and used for nobody but you. You can disconnect at any time.`,
  })
}

export function pastePage({ host, person }: About, ask: Ask & { readonly problem?: string | undefined }): string {
  const { server, action, csrf, again, problem } = ask
  const name = nameOf(server)
  const label = shown(server.asks?.title ?? '', 120) || 'Your secret or access token'
  const help = server.asks?.help
  const described = [problem !== undefined && 'problem', help !== undefined && 'help'].filter((id) => id !== false)
  return frame({
    title: problem === undefined ? `Connect ${name}` : `Error: connect ${name}`,
    host,
    body: html`<h1>Connect your account at <bdi>${name}</bdi></h1>
<p class="soft">You are signed in as <bdi>${person}</bdi>.</p>
${again && LAPSED}
${problem !== undefined && html`<div id="problem">${alertNote(problem)}</div>`}
<form method="post" action="${action}" autocomplete="off">
<input type="hidden" name="csrf" value="${csrf}">
<div class="field"><label for="secret">${label}</label><input id="secret" name="secret" type="password" required maxlength="8192" autocomplete="off" autocapitalize="none" spellcheck="false"${described.length > 0 && html` aria-describedby="${described.join(' ')}"`}${problem !== undefined && html` aria-invalid="true"`}>${help !== undefined && html`<span class="small" id="help">${helpText(help)}</span>`}</div>
<div class="answers"><button type="submit">Connect</button><a class="button second" href="${CONNECTIONS_PATH}">Cancel</a></div>
</form>`,
    foot: html`It is kept encrypted, sent to this server alone, used for nobody but you, and never shown again.`,
  })
}

export function connectedPage({ host }: About, server: Connectable): string {
  const name = nameOf(server)
  return frame({
    title: 'Connected',
    host,
    body: html`<h1>Connected</h1>
<p>Your account at <strong><bdi>${name}</bdi></strong> is connected. Go back to your client and try again; you can close this page.</p>
<p class="leave"><a class="button second" href="${CONNECTIONS_PATH}">Your connections</a></p>`,
  })
}

export function failedPage({ host }: About, why: { readonly server: Connectable; readonly detail: string }): string {
  const name = nameOf(why.server)
  return frame({
    title: 'Not connected',
    host,
    body: html`<h1>Not connected</h1>
<p>Your account at <strong><bdi>${name}</bdi></strong> was not connected.</p>
${alertNote(shown(why.detail, 400))}
<div class="answers">
<a class="button" href="${connectAddress(why.server)}">Try again</a>
<a class="button second" href="${CONNECTIONS_PATH}">Your connections</a>
</div>`,
  })
}

/** A link that was made for another person: nothing of them, and nothing of what it was for. */
export function strangerPage({ host, person }: About): string {
  return frame({
    title: 'Not your link',
    host,
    body: html`<h1>This link was made for somebody else</h1>
<p>You are signed in as <bdi>${person}</bdi>, and this link is not for this account. If somebody sent it to you, do not go on: ask them why.</p>
<p>If it came from your own client, sign out here, open it again, and sign in with the account that you use there.</p>
<div class="answers"><a class="button" href="${CONNECTIONS_PATH}">Your connections</a><a class="button second" href="/logout">Sign out</a></div>`,
  })
}

export function spentPage({ host }: About): string {
  return frame({
    title: 'Used already',
    host,
    body: html`<h1>This link was used already</h1>
<p>It works once. If your client still asks for an account, let it try again, or look at your connections.</p>
<p class="leave"><a class="button second" href="${CONNECTIONS_PATH}">Your connections</a></p>`,
  })
}

export interface Row {
  readonly server: Connectable
  readonly connection: Connection | undefined
  readonly csrf: string
  /** The gate has no such server any more. */
  readonly gone: boolean
}

export function listPage({ host, person }: About, rows: readonly Row[]): string {
  return frame({
    title: 'Your connections',
    host,
    body: html`<h1>Your connections</h1>
<p class="soft">You are signed in as <bdi>${person}</bdi>. These servers are used with accounts of your own.</p>
${rows.length === 0 ? html`<p>There is no server here that needs an account of yours.</p>` : html`<ul class="entries">${rows.map(entry)}</ul>`}
<p class="leave"><a class="button second" href="/logout">Sign out</a></p>`,
  })
}

function entry({ server, connection, csrf, gone }: Row): Html {
  const name = nameOf(server)
  const id = `server-${server.server}`
  const usable = !gone && connection?.state === 'connected'
  return html`<li><section aria-labelledby="${id}">
<h2 id="${id}"><bdi>${name}</bdi> <span class="state ${usable ? 'good' : connection === undefined ? 'none' : 'bad'}">${gone ? 'The server is gone' : stateOf(connection)}</span></h2>
${connection !== undefined && details(connection)}
<div class="answers">
${!gone && html`<a class="button${usable && html` second`}" href="${connectAddress(server)}" aria-describedby="${id}">${connection === undefined ? 'Connect' : 'Reconnect'}</a>`}
${connection !== undefined && disconnectForm(server, csrf, id)}
</div>
</section></li>`
}

const disconnectForm = ({ server }: Connectable, csrf: string, id: string): Html =>
  html`<form method="post" action="${CONNECTIONS_PATH}/disconnect"><input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="server" value="${server}"><button type="submit" class="second" aria-describedby="${id}">Disconnect</button></form>`

function stateOf(connection: Connection | undefined): string {
  if (connection === undefined) return 'Not connected'
  return connection.state === 'connected' ? 'Connected' : 'Needs to be connected again'
}

function details({ connectedAt, usedAt, scopes, issuer }: Connection): Html {
  return html`<dl>
<div><dt>Since</dt><dd>${timeOf(connectedAt)}</dd></div>
<div><dt>Last used</dt><dd>${usedAt === undefined ? 'Not yet' : timeOf(usedAt)}</dd></div>
${issuer !== undefined && html`<div><dt>At</dt><dd class="mono">${hostOf(issuer)}</dd></div>`}
${scopes.length > 0 && html`<div><dt>May</dt><dd>${scopes.map((scope) => html`<code>${shown(scope, 80)}</code> `)}</dd></div>`}
</dl>`
}

/** In the zone that everybody can convert: the page has no script that knew the reader's. */
function timeOf(at: number): Html {
  const iso = new Date(at).toISOString()
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC</time>`
}

function scopeList(scopes: readonly string[]): Html {
  if (scopes.length === 0) return html`<p class="soft">No particular permission is asked for.</p>`
  return html`<h2>You will be asked to allow</h2>
<ul class="scopes">${scopes.map((scope) => html`<li><code>${shown(scope, 160)}</code></li>`)}</ul>`
}

const LAPSED = html`<div class="note warn"><p>The account that was connected does not work any more.</p></div>`

/** As browsers compare it (`xn--…` stays: a look-alike letter shows). */
const hostOf = (address: string): string => URL.parse(address)?.host ?? shown(address, 253)

const connectAddress = ({ server }: Pick<Connectable, 'server'>): string =>
  `${CONNECT_PATH}?server=${encodeURIComponent(server)}`

const LINK = /https:\/\/[\x21\x23-\x3b\x3d\x3f-\x5b\x5d-\x7e]*[A-Za-z0-9/]/

/** The operator's words; the first https address in them becomes a link. */
function helpText(help: string): Html {
  const text = shown(help, 400)
  const link = LINK.exec(text)
  if (link === null) return html`${text}`
  const [address] = link
  return html`${text.slice(0, link.index)}<a href="${address}" rel="noreferrer">${address}</a>${text.slice(link.index + address.length)}`
}
