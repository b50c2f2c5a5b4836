// The first administrator: there is no default account, only a one-time link that whoever started the gate has seen.
import { randomBytes } from 'node:crypto'
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { shown } from '../../http/html.ts'
import { checkMethod } from '../../http/method.ts'
import { sendPage } from '../../http/page.ts'
import type { PostGuard } from '../../http/post-guard.ts'
import { ACCOUNT_FLAWS } from '../../identity/users.ts'
import { RequestError } from '../../protocol/errors.ts'
import { networkOf } from '../../protocol/network.ts'
import { sha256 } from '../hash.ts'
import { actOf, hostOf, type InteractionNeeds } from './needs.ts'
import { setupDonePage, setupPage } from './pages/setup.ts'

const KIND = 'setup'
const LINK_TTL = 86_400_000
const TRIES = { most: 30, window: 900_000 }

/** A link for whoever can read the console; each call makes another one. */
export async function mintSetupLink({
  tickets,
  serverUrl,
  now,
}: Pick<InteractionNeeds, 'tickets' | 'serverUrl'> & { now: number }): Promise<string> {
  const ticket = randomBytes(32).toString('base64url')
  await tickets.put({ kind: KIND, idHash: sha256(ticket), payload: {}, expiresAt: now + LINK_TTL })
  return `${serverUrl}/setup?ticket=${ticket}`
}

type Needs = Pick<InteractionNeeds, 'users' | 'serverUrl' | 'tickets' | 'counters' | 'recorder' | 'clock'> & {
  readonly guard: PostGuard
}

export function setupEndpoint({ users, serverUrl, tickets, counters, recorder, clock, guard }: Needs): Endpoint {
  const host = hostOf(serverUrl)
  const bindingOf = (ticket: string) => `setup\n${sha256(ticket)}`

  async function checkTicket(exchange: Exchange, ticket: string): Promise<void> {
    if (ticket !== '' && (await tickets.find(KIND, sha256(ticket), clock()))) return
    // Only guesses are counted: whoever holds the link gets in, whoever else sits in that network.
    const tries = await counters.hit(`setup:${networkOf(exchange.address)}`, TRIES.window, clock())
    if (tries > TRIES.most)
      throw new RequestError(429, 'setup_tries', 'Too many attempts. Wait a quarter of an hour, then try again.', {
        retryAfter: TRIES.window / 1000,
      })
    throw spent()
  }

  function show(
    exchange: Exchange,
    ticket: string,
    again: { problem?: string; username?: string; email?: string } = {},
  ) {
    const html = setupPage({ ticket, csrf: guard.token(bindingOf(ticket)), host, ...again })
    sendPage(exchange, { status: again.problem === undefined ? 200 : 422, html, formAction: ["'self'"] })
  }

  async function create(exchange: Exchange): Promise<void> {
    const form = await guard.readBound(exchange, (posted) => bindingOf(posted.get('ticket') ?? ''))
    const field = (name: string) => form.get(name) ?? ''
    const [ticket, username, email] = [field('ticket'), field('username'), field('email').trim()]
    await checkTicket(exchange, ticket)
    const again = (problem: string) => show(exchange, ticket, { problem, username, email })
    if (field('password') !== field('again')) return again('The two passwords are not the same.')
    const account = { username, password: field('password'), email }
    const outcome = await users.createFirstAdministrator(account, async ({ id: subject }) => {
      if (!(await tickets.take(KIND, sha256(ticket), clock()))) return false
      // Before the account is there: an administrator never exists unrecorded.
      const act = { act: 'administrator_created', decision: 'allow', reason: 'setup_link' } as const
      await recorder.act(actOf(exchange, act, { subject }))
      return true
    })
    if (outcome.status === 'refused') return again(ACCOUNT_FLAWS[outcome.reason])
    if (outcome.status === 'spent') throw spent()
    if (outcome.status === 'exists')
      throw new RequestError(400, 'administrator_exists', 'An administrator exists already. This link is used up.')
    sendPage(exchange, { status: 200, html: setupDonePage({ username: shown(outcome.user.identity, 128), host }) })
  }

  return async function setup(exchange) {
    checkMethod(exchange, 'GET', 'HEAD', 'POST')
    if (exchange.req.method === 'POST') return create(exchange)
    const ticket = new URLSearchParams(exchange.query).get('ticket') ?? ''
    await checkTicket(exchange, ticket)
    show(exchange, ticket)
  }
}

const spent = () =>
  new RequestError(
    400,
    'setup_link_unknown',
    'This link is used up or has expired. While there is no administrator, each start of the gate prints another one.',
  )
