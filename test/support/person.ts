// A person with a browser that runs no JavaScript: keeps cookies, follows redirects, reads pages, fills in forms, consents.
// Requests carry what a browser adds by itself (Origin, Referer policy aside, Sec-Fetch-*), since our gates look at it.
import { createCookieJar } from './cookies.ts'
import { type Form, parseForms, parseLinks } from './forms.ts'

export interface Visit {
  readonly status: number
  /** Where the journey ended. For a redirect that left our pages: the page that redirected. */
  readonly url: string
  /** Redirect target that was not followed: the client's redirect URI with its answer. */
  readonly location: string | undefined
  readonly html: string
  readonly headers: Headers
}

export interface Person {
  readonly username: string
  /** One navigation with its redirects; stops at a page, or at a redirect that `stopAt` names (default: the client's). */
  open(url: string, options?: Navigation): Promise<Visit>
  /** Sends the form behind the button whose text, name or value matches; answers the next page. */
  submit(visit: Visit, button: RegExp, fields?: Record<string, string>, navigation?: Navigation): Promise<Visit>
  /** A link of the page, by its text. */
  click(visit: Visit, link: RegExp): Promise<Visit>
  /** The whole journey: signs in where asked, allows where asked, until the browser is sent to the client (or to `stopAt`). */
  follow(authorizeUrl: string, stopAt?: string): Promise<Visit>
  /** As `follow`, but refuses at the consent page. */
  refuse(authorizeUrl: string, stopAt?: string): Promise<Visit>
  /** One request without following anything, with the jar. */
  request(
    url: string,
    init?: { method?: string; body?: URLSearchParams; headers?: Record<string, string> },
  ): Promise<Response>
  /** Every address that was opened, in order, without its query. */
  readonly visited: readonly string[]
  cookieNames(): string[]
  /** What the browser would send there. */
  cookiesFor(url: string): string
  forgetCookies(): void
}

interface Navigation {
  /** A redirect to an address that begins like this is not followed. */
  readonly stopAt?: string
  /** The page that leads there; none for an address that was typed in. */
  readonly from?: string
}

interface Sending extends Navigation {
  readonly method: string
  readonly body?: URLSearchParams
  readonly headers?: Record<string, string>
}

type Navigate = (url: string, init: Sending) => Promise<Visit>

interface Filling extends Navigation {
  readonly button: RegExp
  readonly fields: Record<string, string>
  readonly form?: Form
}

interface Needs {
  readonly username: string
  readonly password: string
  /** Text or host of the identity provider to choose where several are offered. */
  readonly provider?: RegExp
  /** Their browser takes loopback for secure, as most do; ours must not need it. */
  readonly loopbackIsSecure?: boolean
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
const ALLOW = /^(allow|approve|accept|continue|consent|authorize)/i
const DENY = /^(deny|cancel|refuse|decline)/i
const SIGN_IN = /^(sign[ -]?in|log[ -]?in|continue|submit)/i
const STEPS = 25

export function createPerson({ username, password, provider, loopbackIsSecure = false }: Needs): Person {
  const jar = createCookieJar({ loopbackIsSecure })
  const visited: string[] = []

  async function send(url: URL, init: Sending & { readonly hops?: readonly URL[] }) {
    visited.push(url.origin + url.pathname)
    const site = siteOf(init.from, [...(init.hops ?? []), url])
    const cookie = jar.header(url, { crossSite: site === 'cross-site', method: init.method })
    const response = await fetch(url, {
      method: init.method,
      body: init.body ?? null,
      redirect: 'manual',
      headers: { ...browserHeaders(site, init), ...(cookie !== undefined && { cookie }), ...init.headers },
    })
    jar.take(url, response.headers.getSetCookie())
    return response
  }

  async function navigate(start: string, init: Sending): Promise<Visit> {
    let [url, sending] = [new URL(start), init]
    const hops: URL[] = []
    for (let step = 0; step < STEPS; step++) {
      const response = await send(url, { ...sending, hops })
      const location = response.headers.get('location')
      const target = location === null ? undefined : new URL(location, url)
      const leaves = target !== undefined && init.stopAt !== undefined && target.href.startsWith(init.stopAt)
      if (!target || leaves || !REDIRECTS.has(response.status)) {
        const html = await response.text()
        return { status: response.status, url: url.href, location: target?.href, html, headers: response.headers }
      }
      await response.body?.cancel()
      if (response.status !== 307 && response.status !== 308) {
        const { body: _dropped, ...rest } = sending
        sending = { ...rest, method: 'GET' }
      }
      hops.push(url)
      url = target
    }
    throw new Error(`More than ${STEPS} redirects from ${start}`)
  }

  const person: Person = {
    username,
    visited,
    open: (url, options = {}) => navigate(url, { method: 'GET', ...options }),
    request: (url, init = {}) => send(new URL(url), { method: 'GET', ...init }),
    cookieNames: jar.names,
    cookiesFor: (url) => jar.header(new URL(url), { crossSite: false, method: 'GET' }) ?? '',
    forgetCookies: jar.clear,
    submit: (visit, button, fields = {}, navigation = {}) =>
      submitForm(navigate, visit, { button, fields, ...navigation }),
    click(visit, text) {
      const link = parseLinks(visit.html).find((candidate) => text.test(candidate.text) || text.test(candidate.href))
      if (!link) throw new Error(`No link ${text} on ${visit.url}:\n${visit.html}`)
      return navigate(new URL(link.href, visit.url).href, { method: 'GET', from: visit.url })
    },
    follow: (url, stopAt) => journey(url, ALLOW, stopAt),
    refuse: (url, stopAt) => journey(url, DENY, stopAt),
  }

  async function journey(authorizeUrl: string, answer: RegExp, end?: string): Promise<Visit> {
    const stopAt = end ?? new URL(authorizeUrl).searchParams.get('redirect_uri') ?? undefined
    const stop = stopAt === undefined ? {} : { stopAt }
    let visit = await person.open(authorizeUrl, stop)
    const seen = new Set<string>()
    for (let step = 0; step < STEPS; step++) {
      if (visit.location !== undefined || visit.status >= 400) return visit
      // A page that comes again with the same words will not get better by answering it again.
      if (seen.has(visit.html)) return visit
      seen.add(visit.html)
      const next = await answerPage(visit, answer, stop)
      if (!next) return visit
      visit = next
    }
    throw new Error(`No end after ${STEPS} pages: ${visit.url}`)
  }

  async function answerPage(visit: Visit, answer: RegExp, stop: Navigation): Promise<Visit | undefined> {
    const forms = parseForms(visit.html)
    const signIn = forms.find((form) => form.inputs.some((name) => /pass/i.test(name)))
    const chosen =
      provider && parseLinks(visit.html).find((link) => provider.test(link.text) || provider.test(link.href))
    if (chosen) return navigate(new URL(chosen.href, visit.url).href, { method: 'GET', from: visit.url, ...stop })
    if (provider && hasButton(forms, provider))
      return submitForm(navigate, visit, { button: provider, fields: {}, ...stop })
    if (signIn)
      return submitForm(navigate, visit, { button: SIGN_IN, fields: credentials(signIn), form: signIn, ...stop })
    if (hasButton(forms, answer)) return submitForm(navigate, visit, { button: answer, fields: {}, ...stop })
    return undefined
  }

  const credentials = (form: Form): Record<string, string> =>
    Object.fromEntries(form.inputs.map((name) => [name, /pass/i.test(name) ? password : username]))

  return person
}

const matches = (button: Form['buttons'][number], pattern: RegExp) =>
  pattern.test(button.text) || pattern.test(button.value) || pattern.test(button.name)

const hasButton = (forms: readonly Form[], pattern: RegExp) =>
  forms.some((form) => form.buttons.some((button) => matches(button, pattern)))

async function submitForm(navigate: Navigate, visit: Visit, filling: Filling): Promise<Visit> {
  const { button: pattern, fields, form: given, ...rest } = filling
  const form =
    given ?? parseForms(visit.html).find((candidate) => candidate.buttons.some((button) => matches(button, pattern)))
  if (!form) throw new Error(`No button ${pattern} on ${visit.url}:\n${visit.html}`)
  const pressed = form.buttons.find((button) => matches(button, pattern))
  const body = new URLSearchParams({ ...form.fields, ...fields })
  if (pressed && pressed.name !== '') body.set(pressed.name, pressed.value)
  const action = new URL(form.action || visit.url, visit.url)
  if (form.method !== 'post') {
    action.search = body.toString()
    return navigate(action.href, { method: 'GET', from: visit.url, ...rest })
  }
  return navigate(action.href, { method: 'POST', body, from: visit.url, ...rest })
}

/** Fetch Metadata, Sec-Fetch-Site: the worst relation of the page that started the navigation to any hop of it. */
function siteOf(from: string | undefined, hops: readonly URL[]): string {
  if (from === undefined) return 'none'
  const page = new URL(from)
  if (hops.every((hop) => hop.origin === page.origin)) return 'same-origin'
  // Ports do not make another site.
  return hops.every((hop) => hop.hostname === page.hostname) ? 'same-site' : 'cross-site'
}

function browserHeaders(site: string, { method, from }: Sending): Record<string, string> {
  return {
    accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
    'sec-fetch-site': site,
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
    ...(method === 'POST' && from !== undefined && { origin: new URL(from).origin }),
  }
}
