// `/connections/connect`, and Kuadrant’s `/tokens`: one account to connect. Whoever opens it is asked who they are first; a link that was
// made for somebody opens for nobody else (MCP 2026-07-28, Elicitation: safe URL handling, phishing).
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { type Form, parseForm } from '../../http/form.ts'
import type { FormCookie } from '../../http/form-cookie.ts'
import { checkMethod } from '../../http/method.ts'
import { type FormAction, sendPage, sendSeeOther } from '../../http/page.ts'
import type { PostGuard } from '../../http/post-guard.ts'
import type { Clock } from '../../protocol/clock.ts'
import { type Connectable, ConnectionRefused, type Connections } from '../../protocol/connections.ts'
import { RequestError } from '../../protocol/errors.ts'
import type { Principal } from '../../protocol/principal.ts'
import { CONNECTIONS_PATH } from '../../protocol/sign-in-client.ts'
import type { Counters } from '../../store/ephemeral.ts'
import { askingAgain, type ConnectionRequest, type ConnectionRequests } from '../../tokens/connection-request.ts'
import type { Departures } from './departure.ts'
import { type About, connectPage, failedPage, pastePage, spentPage, strangerPage } from './pages.ts'
import type { Visitor, Visitors } from './visitor.ts'

export interface ConnectNeeds {
  readonly connections: Connections
  readonly requests: ConnectionRequests
  readonly visitors: Visitors
  readonly departures: Departures
  readonly counters: Counters
  readonly clock: Clock
  readonly guard: PostGuard
  readonly cookie: FormCookie
  about(visitor: Visitor): About
  sees(principal: Principal, server: string): boolean
  /** The person has another account there now. */
  onChanged(subjects: readonly string[], server: string): Promise<void>
}

/** What the address asks for, and who asks. */
interface Asked {
  readonly visitor: Visitor
  readonly server: Connectable
  /** The sealed link, where it came by one. */
  readonly sealed: string | undefined
}

export function connectEndpoint(needs: ConnectNeeds): Endpoint {
  const { connections, requests, visitors, departures, guard, cookie, about, onChanged } = needs

  const connectable = (id: string): Connectable | undefined =>
    connections.connectable().find(({ server }) => server === id)

  /** `undefined`: a page has said why not. */
  async function find(exchange: Exchange, visitor: Visitor): Promise<Asked | undefined> {
    const query = parseForm(Buffer.from(exchange.query))
    const sealed = query.get('request') ?? query.get('elicitation_id')
    if (sealed === undefined) {
      const server = connectable(query.get('server') ?? '')
      if (server === undefined || !needs.sees(visitor.principal, server.server)) throw unknown()
      return { visitor, server, sealed: undefined }
    }
    const request = requests.open(sealed)
    if (request === undefined) throw expired()
    if (!visitor.subjects.includes(request.subject)) {
      sendPage(exchange, { status: 403, html: strangerPage(about(visitor)) })
      return undefined
    }
    const server = connectable(request.server)
    if (server === undefined || !mayAsk(visitor, request)) throw unknown()
    if (!(await requests.isSpent(sealed))) return { visitor, server, sealed }
    sendPage(exchange, { status: 410, html: spentPage(about(visitor)) })
    return undefined
  }

  /** The link was made for a call that was allowed then; whether it would be now is asked of the rules that allowed it. */
  const mayAsk = ({ principal }: Visitor, { asked }: ConnectionRequest): boolean =>
    asked === undefined || needs.sees(askingAgain(principal, asked), asked.at)

  async function show(exchange: Exchange, asked: Asked): Promise<void> {
    const { server, visitor } = asked
    const ask = await askOf(exchange, asked)
    if (server.kind === 'secret')
      return sendPage(exchange, { status: 200, html: pastePage(about(visitor), ask), formAction: ["'self'"] })
    try {
      const terms = await connections.terms(visitor.principal.subject, server.server)
      const html = connectPage(about(visitor), { ...ask, terms })
      sendPage(exchange, { status: 200, html, formAction: leadsTo(terms.page) })
    } catch (error) {
      sendFailure(exchange, asked, error)
    }
  }

  async function askOf(exchange: Exchange, asked: Asked) {
    const { server, visitor } = asked
    const found = await connections.list(visitor.principal.subject)
    return {
      server,
      action: `${exchange.path}?${exchange.query}`,
      csrf: guard.token(bindingOf(asked, cookie.bind(exchange))),
      again: found.some((one) => one.server === server.server && one.state === 'needs_reauth'),
    }
  }

  /** The form is good for this person, this server, this link, in this browser. */
  const bindingOf = ({ visitor, server, sealed }: Asked, browser: string): string =>
    `connect\n${visitor.principal.subject}\n${server.server}\n${sealed ?? ''}\n${browser}`

  async function paste(exchange: Exchange, asked: Asked, form: Form): Promise<void> {
    const { visitor, server, sealed } = asked
    const { subject } = visitor.principal
    try {
      await connections.paste(subject, server.server, form.get('secret') ?? '')
    } catch (error) {
      if (!(error instanceof ConnectionRefused)) throw error
      const ask = { ...(await askOf(exchange, asked)), problem: error.message }
      return sendPage(exchange, { status: 422, html: pastePage(about(visitor), ask), formAction: ["'self'"] })
    }
    if (sealed !== undefined) await requests.spend(sealed)
    await onChanged(visitor.subjects, server.server)
    sendSeeOther(exchange, `${CONNECTIONS_PATH}/connected?server=${encodeURIComponent(server.server)}`)
  }

  async function leave(exchange: Exchange, asked: Asked): Promise<void> {
    const { visitor, server, sealed } = asked
    const { subject } = visitor.principal
    try {
      const { url, state } = await connections.begin(subject, server.server)
      await departures.remember(exchange, { state, subject, server: server.server, sealed })
      sendSeeOther(exchange, url)
    } catch (error) {
      sendFailure(exchange, asked, error)
    }
  }

  function sendFailure(exchange: Exchange, { visitor, server }: Asked, error: unknown): void {
    if (!(error instanceof ConnectionRefused)) throw error
    sendPage(exchange, { status: 502, html: failedPage(about(visitor), { server, detail: error.message }) })
  }

  /** Each look asks servers outside, and may register us there. */
  async function count({ visitor }: Asked): Promise<void> {
    const looks = await needs.counters.hit(`connect:${visitor.principal.subject}`, WINDOW, needs.clock())
    if (looks > MOST_LOOKS) throw tooMany()
  }

  return async function connect(exchange) {
    checkMethod(exchange, 'GET', 'HEAD', 'POST')
    const posted = exchange.req.method === 'POST'
    const visitor = posted ? await visitors.known(exchange) : await visitors.enter(exchange)
    const asked = visitor && (await find(exchange, visitor))
    if (asked === undefined) return
    await count(asked)
    if (!posted) return show(exchange, asked)
    const form = await guard.read(exchange, bindingOf(asked, cookie.held(exchange)))
    await (asked.server.kind === 'secret' ? paste(exchange, asked, form) : leave(exchange, asked))
  }
}

/** The authorization server may send the browser on to others nobody told us of. No password of ours is typed on this page. */
const leadsTo = (page: string): FormAction =>
  page.startsWith('http:') ? ["'self'", 'https:', 'http:'] : ["'self'", 'https:']

const WINDOW = 10 * 60_000
const MOST_LOOKS = 100

const tooMany = () =>
  new RequestError(429, 'too_many_looks', 'You have opened this very often. Wait a little, then try again.', {
    retryAfter: WINDOW / 1000,
    close: true,
  })
const unknown = () => new RequestError(404, 'unknown_server', 'There is no such server to connect an account to.')
const expired = () =>
  new RequestError(
    400,
    'connection_request_unknown',
    'This link has expired, or is not whole. Let your client try again.',
  )
