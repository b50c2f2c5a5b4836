// The channels of older clients beside the MCP door: WebSocket, and the event stream of 2024-11-05.
import type { Endpoint, Exchange } from '../http/exchange.ts'
import { requestIds } from '../http/request-id.ts'
import type { UpgradeEndpoint } from '../http/upgrade.ts'
import type { McpNeeds } from '../mcp/endpoint.ts'
import { eventChannel } from '../mcp/event-channel.ts'
import { unknownServer } from '../mcp/hidden.ts'
import type { LastingNeeds } from '../mcp/lasting.ts'
import { webSocketDoor } from '../mcp/websocket.ts'
import { AGGREGATE, EVENTS_PATH, MESSAGES_PATH, SOCKET_PATH } from '../protocol/resource.ts'
import type { Ground } from './ground.ts'

const SERVER_ROUTE = /^\/servers\/([a-z0-9][a-z0-9_-]{0,63})(\/sse|\/messages|\/ws)$/

type Needs = Pick<McpNeeds, 'cors' | 'authenticate' | 'refuse'> &
  Pick<LastingNeeds, 'self' | 'handOn' | 'streams'> & {
    readonly serve: (exchange: Exchange, serverId: string) => Promise<void>
    /** A server, or a view of several. */
    readonly isThere: (id: string) => boolean
  }

export function openLasting({ config, clock, policy, resources, onError }: Ground, needs: Needs) {
  const { limits } = config.server
  const lasting = {
    ...needs,
    checkVisible(principal: Parameters<typeof policy.view>[0], id: string) {
      const isSeen = id === AGGREGATE || policy.view(principal, id) !== 'none'
      if (!needs.isThere(id) || !isSeen) throw unknownServer()
    },
    newId: requestIds(),
    clock,
    onError,
    limits,
  }
  const openSocket = webSocketDoor(lasting)
  const events = eventChannel(lasting)

  /** At the root there is the only server, else all of them as one. */
  function find(path: string): { id: string; kind: string; root: boolean } | undefined {
    const [, id, kind] = SERVER_ROUTE.exec(path) ?? []
    if (id !== undefined && kind !== undefined) return { id, kind, root: false }
    const only = resources.at(path)?.server
    return only === undefined ? undefined : { id: only, kind: path, root: true }
  }

  return {
    match(path: string): Endpoint | undefined {
      const found = find(path)
      if (found?.kind === EVENTS_PATH) {
        const { id, root } = found
        return (exchange) => events.listen(exchange, id, root ? MESSAGES_PATH : `/servers/${id}${MESSAGES_PATH}`)
      }
      return found?.kind === MESSAGES_PATH ? (exchange) => events.post(exchange, found.id) : undefined
    },
    matchUpgrade(path: string): UpgradeEndpoint | undefined {
      const found = find(path)
      return found?.kind === SOCKET_PATH ? (exchange) => openSocket(exchange, found.id) : undefined
    },
  }
}
