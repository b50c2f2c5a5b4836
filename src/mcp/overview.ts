// Small JSON for curl: what may I call, where, who am I. The same ways to knock and the same policy as at the servers' own addresses.
import type { CallEvent, RecordedCall, Recorder } from '../audit/event.ts'
import { answerDoorPreflight } from '../http/cors.ts'
import type { Endpoint, Exchange } from '../http/exchange.ts'
import { checkMethod } from '../http/method.ts'
import { sendJson } from '../http/responses.ts'
import type { Policy } from '../policy/policy.ts'
import { reaches } from '../policy/reach.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Call, RequestFacts } from '../protocol/decision.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import { type Principal, UNPROVED } from '../protocol/principal.ts'
import { AGGREGATE } from '../protocol/resource.ts'
import type { Caller } from '../upstreams/caller.ts'
import type { Catalog } from './aggregate/catalog/catalog.ts'
import type { Entry } from './aggregate/catalog/offer.ts'
import { type Lists, type Unavailable, unavailableOf } from './aggregate/lists.ts'
import type { Views } from './aggregate/views/views.ts'
import { decideInquiry } from './decide.ts'
import { callerOf } from './reach.ts'
import { callEvent, isRefusedCredential, reasonOf } from './record.ts'

export interface ListedServer {
  readonly id: string
  readonly title: string
  readonly url: string
  /** It has ways to knock of its own. */
  readonly apart: boolean
}

export interface OverviewNeeds {
  readonly servers: readonly ListedServer[]
  readonly clock: Clock
  /** There is an address for all of them: a credential that holds there is good for every one without ways of its own. */
  readonly aggregate: boolean
  cors(exchange: Exchange): void
  /** Throws BearerError. Without a server: where there is none. */
  authenticate(exchange: Exchange, server: string | undefined): Principal | Promise<Principal>
  /** Counts one examination, however many servers it takes. */
  measure(examine: () => Promise<Principal>): Principal | Promise<Principal>
  readonly policy: Policy
  checkScopes(principal: Principal, call: Call): void
  readonly catalog: Pick<Catalog, 'read'>
  readonly views: Pick<Views, 'get'>
  readonly lists: Pick<Lists, 'visible'>
  readonly recorder: Pick<Recorder, 'decide' | 'finish'>
  refuse(exchange: Exchange, error: unknown, server: string | undefined): void
}

/** A server at which the credential holds, and who the caller is there. */
interface Seat {
  readonly server: ListedServer
  readonly principal: Principal
}

type Content = (seats: readonly Seat[], principal: Principal, exchange: Exchange) => unknown

export function overviewEndpoints(needs: OverviewNeeds): { match(path: string): Endpoint | undefined } {
  const visible = (seats: readonly Seat[]): readonly Seat[] =>
    seats.filter(
      ({ server, principal }) => needs.policy.view(principal, server.id) !== 'none' && reaches(principal, server.id),
    )
  const contents: readonly (readonly [path: string, content: Content])[] = [
    ['/whoami', (_seats, principal) => profileOf(principal)],
    [
      '/servers',
      (seats) => ({ servers: visible(seats).map(({ server: { id, title, url } }) => ({ id, title, url })) }),
    ],
    ['/tools', (seats, _principal, exchange) => toolsOf(visible(seats), exchange, needs)],
  ]
  const endpoints = new Map(contents.map(([path, content]) => [path, overview(needs, content)]))
  return { match: (path) => endpoints.get(path) }
}

function overview(needs: OverviewNeeds, content: Content): Endpoint {
  const { recorder, clock, servers } = needs
  return async (exchange) => {
    const { req, res, path } = exchange
    let event: CallEvent | undefined
    let call: RecordedCall | undefined
    const recorded = async (principal: Principal, effect: 'allow' | 'deny', reason: string): Promise<void> => {
      const known = {
        exchange,
        principal,
        server: '*',
        method: `${req.method} ${path}`,
        target: undefined,
        era: undefined,
      }
      const decided = callEvent(known, { effect, reason, rule: undefined })
      call = await recorder.decide(decided)
      event = decided
    }
    try {
      needs.cors(exchange)
      if (req.method === 'OPTIONS') return answerDoorPreflight(exchange)
      checkMethod(exchange, 'GET', 'HEAD')
      let seats: readonly Seat[] = []
      const principal = await needs.measure(async () => {
        const found = await findSeats(exchange, needs)
        seats = found.seats
        return found.principal
      })
      await recorded(principal, 'allow', 'overview')
      sendJson(res, 200, await content(seats, principal, exchange), { 'Cache-Control': 'no-store' })
    } catch (error) {
      if (event === undefined && isRefusedCredential(error)) await recorded(UNPROVED, 'deny', reasonOf(error))
      needs.refuse(exchange, error, servers[0]?.id)
    } finally {
      if (call !== undefined && event !== undefined) {
        const outcome = res.statusCode === 200 ? 'answered' : 'refused'
        recorder.finish(call, event, { status: res.statusCode, outcome, latency: clock() - exchange.at })
      }
    }
  }
}

/** Good for the servers they name; every other credential holds at all servers with the same ways to knock. */
const FOR_ITS_AUDIENCE = new Set<Principal['method']>(['access_token', 'external_token'])

/**
 * A token is good for one server, a proxy's word for all: the caller is asked for at each, and once where the answer is the same (each
 * time counts as a use of an API token). What one server refuses for another reason than its audience, the others with the same ways to
 * knock refuse, too, and are not asked. Throws the first refusal when all refuse.
 */
async function findSeats(
  exchange: Exchange,
  { servers, aggregate, authenticate }: OverviewNeeds,
): Promise<{ principal: Principal; seats: readonly Seat[] }> {
  if (servers.length === 0) return { principal: await authenticate(exchange, undefined), seats: [] }
  const seats: Seat[] = []
  const refusals: unknown[] = []
  let refusedByAll = false
  let known: Principal | undefined
  const examine = async ({ id, apart }: Pick<ListedServer, 'id' | 'apart'>): Promise<Principal | undefined> => {
    if (refusedByAll && !apart) return undefined
    try {
      const principal = (apart ? undefined : known) ?? (await authenticate(exchange, id))
      if (!apart && (id === AGGREGATE || !FOR_ITS_AUDIENCE.has(principal.method))) known = principal
      return principal
    } catch (error) {
      if (!isRefusal(error)) throw error
      refusals.push(error)
      if (!apart && error.reason !== 'audience_mismatch') refusedByAll = true
      return undefined
    }
  }
  if (aggregate) await examine({ id: AGGREGATE, apart: false })
  for (const server of servers) {
    const principal = await examine(server)
    if (principal !== undefined) seats.push({ server, principal })
  }
  const principal = known ?? seats[0]?.principal
  if (principal === undefined) throw refusals[0]
  return { principal, seats }
}

const isRefusal = (error: unknown): error is BearerError | RequestError =>
  error instanceof BearerError || (error instanceof RequestError && error.status < 500)

function profileOf(principal: Principal): object {
  const { kind, subject, email, name, groups, roles, teams, client, issuer, identity, method, scopes, expiresAt } =
    principal
  const expires = expiresAt === undefined ? undefined : new Date(expiresAt).toISOString()
  return { kind, subject, email, name, groups, roles, teams, client, method, issuer, identity, scopes, expires }
}

async function toolsOf(seats: readonly Seat[], exchange: Exchange, needs: OverviewNeeds): Promise<object> {
  const { address, at } = exchange
  const request = { address, at, era: 'legacy' } as const
  const lists = await Promise.all(
    seats.map(({ server, principal }) => toolsAt(server, callerOf({ principal, exchange }), request, needs)),
  )
  return { tools: lists.flatMap(({ tools }) => tools), unavailable: lists.flatMap(({ unavailable }) => unavailable) }
}

interface ToolsAt {
  readonly tools: readonly object[]
  readonly unavailable: readonly Unavailable[]
}

/** What `tools/list` at the server's own address would show. */
async function toolsAt(
  server: ListedServer,
  caller: Caller,
  request: RequestFacts,
  needs: OverviewNeeds,
): Promise<ToolsAt> {
  const { principal } = caller
  const method = 'tools/list'
  const asked = { principal, server: server.id, method, request }
  try {
    const target = { kind: 'method', name: method } as const
    const verdict = await decideInquiry(needs, { ...asked, wordless: false, params: undefined, target })
    if (verdict.effect === 'deny') return { tools: [], unavailable: [] }
    const view = needs.views.get(server.id)
    if (view === undefined) return await toolsOfServer(asked, caller, needs)
    const { entries, unavailable } = await needs.lists.visible({ view, caller, kind: 'tools', request })
    return { tools: entries.map(({ entry }) => toolEntry(entry, server.id)), unavailable }
  } catch (error) {
    if (!(error instanceof BearerError)) throw error
    return { tools: [], unavailable: [{ server: server.id, reason: error.reason }] }
  }
}

async function toolsOfServer(
  asked: Pick<Call, 'principal' | 'server' | 'method' | 'request'>,
  caller: Caller,
  { catalog, policy }: OverviewNeeds,
): Promise<ToolsAt> {
  const { server } = asked
  const shows = (tool: Entry): boolean =>
    policy.couldAllow({ ...asked, kind: 'tool', name: String(tool['name']), tool }).effect === 'allow'
  const known = await catalog.read([server], caller)
  return {
    tools: known.flatMap(({ offer }) =>
      (offer?.lists.tools.entries ?? []).filter(shows).map((tool) => toolEntry(tool, server)),
    ),
    unavailable: unavailableOf('tools', known),
  }
}

const toolEntry = ({ name, title, description }: Entry, server: string): object => ({
  server,
  name,
  title,
  description,
})
