// The addresses that show many servers, /mcp and the virtual servers', on the ground of the gateway.
import { upstreamsOf } from '../config/servers.ts'
import { createAccountChanges } from '../mcp/aggregate/back-channel/account-changes.ts'
import { createBackChannel } from '../mcp/aggregate/back-channel/back-channel.ts'
import { createCatalog } from '../mcp/aggregate/catalog/catalog.ts'
import { readOffer } from '../mcp/aggregate/catalog/offer.ts'
import { viewEndpoint } from '../mcp/aggregate/endpoint.ts'
import { createIntroduction } from '../mcp/aggregate/introduction.ts'
import { createLists } from '../mcp/aggregate/lists.ts'
import type { QuestionNeeds } from '../mcp/aggregate/questioned.ts'
import { createStates } from '../mcp/aggregate/request-state.ts'
import { createRespond } from '../mcp/aggregate/respond.ts'
import { createAggregateSessions } from '../mcp/aggregate/sessions.ts'
import { createSpokenEras } from '../mcp/aggregate/spoken-eras.ts'
import { createCompose } from '../mcp/aggregate/views/caller-composition.ts'
import { createViews } from '../mcp/aggregate/views/views.ts'
import { createBridge } from '../mcp/bridge/call.ts'
import type { McpNeeds } from '../mcp/endpoint.ts'
import type { Edit } from '../mcp/filter.ts'
import { createForward } from '../mcp/forward.ts'
import { unknownServer } from '../mcp/hidden.ts'
import { createReach } from '../mcp/reach.ts'
import { withRenewal } from '../mcp/renewal.ts'
import { checkSpoken } from '../mcp/revision.ts'
import type { Visit } from '../mcp/visit.ts'
import { rarely } from '../observe/rarely.ts'
import { openConnect } from './connect.ts'
import type { Ground, Opened } from './ground.ts'

const TOLD = { every: 60_000, most: 50 }
const SWEEP = 60_000

type Door = Omit<McpNeeds, 'definitionOf' | 'self' | 'speaks' | 'bridge'> & QuestionNeeds

export function openAggregate(ground: Ground, door: Door, opened: Opened) {
  const { config, clock, log, policy, store } = ground
  const { aggregate, server } = config
  const { limits } = server
  const { get, report } = door.upstreams
  const { contextOf } = door.binding
  const reach = createReach(door.upstreams, door.binding)
  const isTime = rarely({ ...TOLD, clock })
  const { connect, isConnectable, unconnectedOffer } = openConnect(ground)
  const bridge = createBridge({ report, clock })
  const catalog = createCatalog({
    reach,
    contextOf,
    unconnectedOffer,
    readOffer: (upstream, signal, caller) =>
      withRenewal(door.binding, upstream, caller, (one) => readOffer(one, bridge.eraOf, signal)),
    screenTools: ground.tools.screen,
    clock,
    timeout: aggregate.timeout,
    ttl: aggregate.ttl,
    onFailure(id, reason, error) {
      if (reason === 'internal_error') log.error({ server: id, error }, 'the lists of a server could not be read')
      else if (isTime(`${id} ${reason}`)) log.warn({ server: id, reason }, 'the lists of a server did not come')
    },
  })
  const strict = upstreamsOf(config.servers).filter(({ id }) => ground.tools.guard.isStrict(id))
  ground.tools.lookWith(async (id, principal) => catalog.read([id], { principal, rawHeaders: [] }))
  // An approval shows at once, not with the next reading of the lists.
  ground.tools.guard.onChange(() => {
    for (const { id } of strict) catalog.forget(id)
  })
  const compose = createCompose({
    catalog,
    policy,
    denials: config.policy.denials,
    clock,
    onLeftOut(view, leftOut) {
      for (const { server: id, name, reason } of leftOut)
        if (isTime(`${view.id} ${id} ${name}`))
          log.warn({ view: view.id, server: id, name, reason }, 'something is not shown')
    },
  })
  const lists = createLists({ compose, policy, checkScopes: door.checkScopes, clock, ttl: aggregate.ttl })
  const accounts = createAccountChanges()
  const back = createBackChannel({
    ...door,
    get,
    reach,
    contextOf,
    accounts,
    now: clock,
    eraOf: bridge.eraOf,
    listenAs: bridge.listenAs,
    mostBytes: limits.streamBuffer,
    onListChanged: (id, caller) => catalog.forget(id, caller),
    onError: (error, id) => log.error({ server: id, error }, 'a server could not be listened to'),
  })
  const sessions = createAggregateSessions({
    sealKeys: door.sealKeys,
    rows: store.ephemeral.clientSessions,
    reach,
    clock,
    onError: ground.onError,
    onJoined: ({ id }, upstream, joined) =>
      back.joined(id, upstream, { server: upstream.id, session: joined.id, revision: joined.revision }),
  })
  const eras = createSpokenEras({ eraOf: bridge.eraOf, clock })
  const answer = createRespond({
    connect,
    reach,
    binding: door.binding,
    onError: ground.onError,
    policy,
    lists,
    compose,
    introduction: createIntroduction({ compose, policy, ttl: aggregate.ttl, reach, introduce: bridge.introduce }),
    sessions,
    back,
    bridge,
    held: door.held,
    asking: door.asking,
    eras,
    catalog,
    forward: createForward({ report }),
    states: createStates({ sealKeys: door.sealKeys, marks: door.marks, now: clock }),
    streams: door.streams,
    limits,
  })
  const sweep = setInterval(() => {
    bridge.sweep()
    catalog.sweep()
    sessions.sweep().catch(ground.onError)
  }, SWEEP).unref()
  opened.push(() => {
    clearInterval(sweep)
    bridge.close()
  })
  const views = createViews(config, policy)
  const serve = viewEndpoint({ ...door, views, catalog, compose, isConnectable, answer })
  return {
    serve,
    views,
    lists,
    catalog,
    speaks: eras.speaks,
    /** One server alone, for a client that does not speak its era. */
    async bridge(visit: Visit, edit: Edit | undefined) {
      const view = views.ofServer(visit.server)
      if (view === undefined) throw unknownServer()
      checkSpoken(visit)
      return answer({ ...visit, view }, { server: visit.server, name: visit.target.name }, edit)
    },
    /** The person has another account at the server now, or none. */
    async forgetPrincipal(id: string, subject: string) {
      const upstream = get(id)
      if (upstream?.kind === 'channel') upstream.endInstance?.(subject)
      catalog.forgetPrincipal(id, subject)
      bridge.forgetPrincipal(id, subject)
      await sessions.forgetPrincipal(id, subject)
      accounts.changed(id, subject)
    },
  }
}
