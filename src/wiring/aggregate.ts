// The addresses that show many servers, /mcp and the virtual servers', on the ground of the gateway.
import { createAccountChanges } from '../mcp/aggregate/back-channel/account-changes.ts'
import { createBackChannel } from '../mcp/aggregate/back-channel/back-channel.ts'
import { viewEndpoint } from '../mcp/aggregate/endpoint.ts'
import { createIntroduction } from '../mcp/aggregate/introduction.ts'
import type { QuestionNeeds } from '../mcp/aggregate/questioned.ts'
import { createStates } from '../mcp/aggregate/request-state.ts'
import { createRespond } from '../mcp/aggregate/respond.ts'
import { createAggregateSessions } from '../mcp/aggregate/sessions.ts'
import { createSpokenEras } from '../mcp/aggregate/spoken-eras.ts'
import { createViews } from '../mcp/aggregate/views/views.ts'
import { createBridge } from '../mcp/bridge/call.ts'
import type { McpNeeds } from '../mcp/endpoint.ts'
import type { Edit } from '../mcp/filter.ts'
import { createForward } from '../mcp/forward.ts'
import { unknownServer } from '../mcp/hidden.ts'
import { createReach } from '../mcp/reach.ts'
import { checkSpoken } from '../mcp/revision.ts'
import type { Visit } from '../mcp/visit.ts'
import { openConnect } from './connect.ts'
import type { Ground, Opened } from './ground.ts'
import { openLists } from './lists.ts'

const SWEEP = 60_000

type Door = Omit<McpNeeds, 'definitionOf' | 'self' | 'speaks' | 'bridge'> & QuestionNeeds

export function openAggregate(ground: Ground, door: Door, opened: Opened) {
  const { config, clock, log, onError, policy, store } = ground
  const { ttl } = config.aggregate
  const { limits } = config.server
  const { get, report } = door.upstreams
  const reach = createReach(door.upstreams, door.binding)
  const bridge = createBridge({ report, clock })
  const { eraOf, listenAs, introduce } = bridge
  const { connect, isConnectable, unconnectedOffer } = openConnect(ground)
  const { catalog, compose, lists } = openLists(ground, { reach, unconnectedOffer, eraOf, report })
  const accounts = createAccountChanges()
  const back = createBackChannel({
    ...door,
    get,
    reach,
    contextOf: door.binding.contextOf,
    accounts,
    now: clock,
    eraOf,
    listenAs,
    mostBytes: limits.streamBuffer,
    onListChanged: (id, caller) => catalog.forget(id, caller),
    onError: (error, id) => log.error({ server: id, error }, 'a server could not be listened to'),
  })
  const sessions = createAggregateSessions({
    sealKeys: door.sealKeys,
    rows: store.ephemeral.clientSessions,
    reach,
    clock,
    onError,
    onJoined: ({ id }, upstream, joined) =>
      back.joined(id, upstream, { server: upstream.id, session: joined.id, revision: joined.revision }),
  })
  const eras = createSpokenEras({ eraOf, clock })
  const answer = createRespond({
    connect,
    reach,
    binding: door.binding,
    report,
    onError,
    policy,
    lists,
    compose,
    introduction: createIntroduction({ compose, policy, ttl, reach, introduce }),
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
  opened.push(bridge.close)
  const sweep = setInterval(() => {
    bridge.sweep()
    catalog.sweep()
    sessions.sweep().catch(onError)
  }, SWEEP).unref()
  opened.push(() => clearInterval(sweep))
  const views = createViews(config, policy)
  return {
    serve: viewEndpoint({ ...door, views, catalog, compose, isConnectable, answer }),
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
