// The MCP door, on the ground of the gateway.
import { doorCors } from '../http/cors.ts'
import type { Endpoint } from '../http/exchange.ts'
import { countedRecorder, countedUpstreams, logRefusal, measured } from '../http/observed.ts'
import { answerOf, sendAnswer } from '../http/responses.ts'
import type { UpgradeEndpoint } from '../http/upgrade.ts'
import { createElsewhere } from '../mcp/cluster/elsewhere.ts'
import { type McpNeeds, mcpEndpoint } from '../mcp/endpoint.ts'
import { refusalOf } from '../mcp/fault.ts'
import { createClientQuestions } from '../mcp/held/client-questions.ts'
import { createHeldCalls } from '../mcp/held/held-calls.ts'
import { createStreams } from '../mcp/streams.ts'
import { createSubscriptions } from '../mcp/subscriptions.ts'
import type { InformNeeds } from '../policy/informed.ts'
import { ANONYMOUS } from '../protocol/principal.ts'
import { MCP_PATH } from '../protocol/resource.ts'
import { openAggregate } from './aggregate.ts'
import type { Callers } from './callers.ts'
import type { Cluster } from './cluster.ts'
import type { Ground, Opened } from './ground.ts'
import { openLasting } from './lasting.ts'
import { openOverview } from './overview.ts'
import { openCredentials, wantedAt } from './ways.ts'

const SERVER_ROUTE = /^\/servers\/([a-z0-9][a-z0-9_-]{0,63})\/mcp$/

export interface McpDoor {
  match(path: string): Endpoint | undefined
  matchUpgrade(path: string): UpgradeEndpoint | undefined
  readonly definitionOf: InformNeeds['definitionOf']
  /** The person has another account at the server now, or none. */
  forgetPrincipal(server: string, subject: string): Promise<void>
}

export function openMcpDoor(ground: Ground, { authenticate }: Callers, cluster: Cluster, opened: Opened): McpDoor {
  const { config, clock, log, metrics, resources } = ground
  const { server } = config
  const readCredentials = openCredentials(ground)
  const wanted = wantedAt(ground)
  const prove: McpNeeds['authenticate'] = measured(metrics, (exchange, id) =>
    authenticate(readCredentials(exchange), wanted(id)),
  )
  const door: Pick<McpNeeds, 'cors' | 'authenticate' | 'refuse'> = {
    cors: doorCors({ serverUrl: server.url, allowed: server.allowedOrigins }),
    authenticate: (exchange, id) => exchange.handed?.principal ?? prove(exchange, id),
    refuse(exchange, error, id, rpcId) {
      const resource = resources.at(exchange.path) ?? resources.ofServer(id)
      const answer = answerOf(refusalOf(error, exchange.id), { resource, rpcId })
      logRefusal(log, exchange, answer, error)
      sendAnswer(exchange, answer)
    },
  }
  const { self, handOn } = cluster
  const { sealKeys } = ground.keyring
  const held = createHeldCalls({ sealKeys, self, clock })
  opened.push(held.close)
  const asking = createClientQuestions({ sealKeys, self, clock })
  const parts = {
    ...door,
    clock,
    policy: ground.policy,
    checkScopes: ground.scopes.checkScopes,
    admit: ground.limits.admit,
    denials: config.policy.denials,
    minimumRevision: ground.minimumRevision,
    recorder: countedRecorder(metrics, ground.recorder),
    streams: createStreams({ most: server.limits.streamsPerPrincipal, watch: ground.watch.watch }),
    subscriptions: createSubscriptions(),
    marks: ground.store.ephemeral.marks,
    sealKeys,
    held,
    asking,
    self,
    elsewhere: handOn && createElsewhere({ self, handOn, sealKeys, held, asking }),
    limits: server.limits,
  }
  const upstreams = countedUpstreams(metrics, ground.upstreams)
  const { binding } = ground
  const aggregate = openAggregate(ground, { ...parts, upstreams, binding }, opened)
  const { views, catalog, speaks, bridge, serve: serveView } = aggregate
  const serveServer = mcpEndpoint({
    ...parts,
    upstreams,
    binding,
    definitionOf: catalog.definitionOf,
    speaks,
    bridge,
    onTools: (id, tools, { principal }) => void ground.tools.screen(id, tools, principal).catch(ground.onError),
  })
  // Who asks on another's behalf is not that person to the server: of one that lists for each person apart they know nothing.
  const isApart = (id: string) => binding.contextOf(id, { principal: ANONYMOUS, rawHeaders: [] }) !== undefined
  const serve: typeof serveServer = (exchange, id) =>
    (views.get(id) === undefined ? serveServer : serveView)(exchange, id)
  const overview = openOverview(ground, authenticate, aggregate)
  const lasting = openLasting(ground, {
    ...door,
    self,
    handOn,
    // One caller has so many, whichever way they come.
    streams: parts.streams,
    serve,
    isThere: (id) => (views.get(id) ?? upstreams.get(id)) !== undefined,
  })
  return {
    match(path) {
      const id = SERVER_ROUTE.exec(path)?.[1] ?? (path === MCP_PATH ? resources.at(path)?.server : undefined)
      return id === undefined ? (lasting.match(path) ?? overview.match(path)) : (exchange) => serve(exchange, id)
    },
    matchUpgrade: lasting.matchUpgrade,
    forgetPrincipal: aggregate.forgetPrincipal,
    definitionOf: (id, tool) => (isApart(id) ? undefined : catalog.definitionOf(id, tool, undefined)),
  }
}
