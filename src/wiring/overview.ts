// Who am I, where may I go, what may I call: on the ground of the gateway, for the MCP door.
import { ownWays } from '../config/ways.ts'
import { doorCors } from '../http/cors.ts'
import { countedRecorder, logRefusal, measured } from '../http/observed.ts'
import { answerOf, sendAnswer } from '../http/responses.ts'
import type { Authenticate } from '../identity/authenticate.ts'
import { type OverviewNeeds, overviewEndpoints } from '../mcp/overview.ts'
import { AGGREGATE, serverPath } from '../protocol/resource.ts'
import type { Ground } from './ground.ts'
import { openCredentials, wantedAt } from './ways.ts'

type Known = Pick<OverviewNeeds, 'catalog' | 'views' | 'lists'>

export function openOverview(ground: Ground, authenticate: Authenticate, known: Known) {
  const { config, clock, log, metrics, resources } = ground
  const { server, servers } = config
  const readCredentials = openCredentials(ground)
  const wanted = wantedAt(ground)
  const nowhere = { url: server.url, title: server.url, server: '', scopes: [] }
  return overviewEndpoints({
    servers: servers.map((one) => ({
      id: one.id,
      title: one.title ?? one.id,
      url: resources.ofServer(one.id)?.url ?? server.url + serverPath(one.id),
      apart: ownWays(config.auth, one) !== undefined,
    })),
    clock,
    cors: doorCors({ serverUrl: server.url, allowed: server.allowedOrigins }),
    authenticate: (exchange, id) => authenticate(readCredentials(exchange), wanted(id)),
    measure: (examine) => measured(metrics, examine)(),
    policy: ground.policy,
    checkScopes: ground.scopes.checkScopes,
    ...known,
    aggregate: resources.ofServer(AGGREGATE) !== undefined,
    recorder: countedRecorder(metrics, ground.recorder),
    refuse(exchange, error, id) {
      const answer = answerOf(error, { resource: resources.main() ?? resources.ofServer(id ?? '') ?? nowhere })
      logRefusal(log, exchange, answer, error)
      sendAnswer(exchange, answer)
    },
  })
}
