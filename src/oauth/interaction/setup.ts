// The first administrator: there is no default account, only a one-time link that whoever started the gate has seen.
import { randomBytes } from 'node:crypto'
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { sendPage } from '../../http/page.ts'
import type { AccountFlaw } from '../../identity/users.ts'
import { RequestError } from '../../protocol/errors.ts'
import { hashOf } from './binding.ts'
import type { PostGuard } from './csrf.ts'
import { shown } from './html.ts'
import { checkMethod } from './method.ts'
import { actOf, baseOf, hostOf, type InteractionNeeds } from './needs.ts'
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
  await tickets.put({ kind: KIND, idHash: hashOf(ticket), payload: {}, expiresAt: now + LINK_TTL })
  return `${baseOf(serverUrl)}/setup?ticket=${ticket}`
}

const FLAWS: Readonly<Record<AccountFlaw, string>> = {
  bad_username: 'A user name has small letters, digits and . _ @ + - and begins with a letter or digit.',
  bad_email: 'This e-mail address cannot be used.',
  username_taken: 'This user name is taken.',
  not_admitted: 'identity.allowedEmails does not admit this address, so this account could never sign in.',
  too_short: 'The password needs at least 15 characters.',
  too_long: 'The password is too long.',
  too_obvious: 'This password is among the first that an attacker tries. A few unrelated words do better.',
}

type Needs = Pick<InteractionNeeds, 'users' | 'serverUrl' | 'tickets' | 'counters' | 'recorder' | 'clock'> & {
  readonly guard: PostGuard
}

export function setupEndpoint({ users, serverUrl, tickets, counters, recorder, clock, guard }: Needs): Endpoint {
  const host = hostOf(serverUrl)
  const bindingOf = (ticket: string) => `setup\n${hashOf(ticket)}`

  async function checkTicket(exchange: Exchange, ticket: string): Promise<void> {
    const tries = await counters.hit(`setup:${exchange.address}`, TRIES.window, clock())
    if (tries > TRIES.most)
      throw new RequestError(429, 'setup_tries', 'Too many attempts. Wait a quarter of an hour, then try again.', {
        retryAfter: TRIES.window / 1000,
      })
    if (ticket === '' || !(await tickets.find(KIND, hashOf(ticket), clock()))) throw spent()
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
    const outcome = await users.createFirstAdministrator({ username, password: field('password'), email }, async () =>
      Boolean(await tickets.take(KIND, hashOf(ticket), clock())),
    )
    if (outcome.status === 'refused') return again(FLAWS[outcome.reason])
    if (outcome.status === 'spent') throw spent()
    if (outcome.status === 'exists')
      throw new RequestError(400, 'administrator_exists', 'An administrator exists already. This link is used up.')
    const { id: subject, identity } = outcome.user
    await recorder.act(
      actOf(exchange, { act: 'administrator_created', decision: 'allow', reason: 'setup_link' }, { subject }),
    )
    sendPage(exchange, { status: 200, html: setupDonePage({ username: shown(identity, 128), host }) })
  }

  return async function setup(exchange) {
    checkMethod(exchange, ['GET', 'HEAD', 'POST'])
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
    'This link is used up or has expired. Restart the gate to get another one.',
  )
