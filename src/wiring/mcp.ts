// The MCP door, on the ground of the gateway.
import { randomBytes } from 'node:crypto'
import { doorCors } from '../http/cors.ts'
import type { Endpoint } from '../http/exchange.ts'
import { countedRecorder, countedUpstreams, logRefusal, measured } from '../http/observed.ts'
import { answerOf, sendAnswer } from '../http/responses.ts'
import { mcpEndpoint } from '../mcp/endpoint.ts'
import { serverPath } from '../protocol/resource.ts'
import type { Callers } from './callers.ts'
import type { Ground } from './ground.ts'

const SERVER_ROUTE = /^\/servers\/([a-z0-9][a-z0-9_-]{0,63})\/mcp$/

export function openMcpDoor(ground: Ground, { authenticate }: Callers): (path: string) => Endpoint | undefined {
  const { config, clock, log, metrics, resources } = ground
  const { server } = config
  const endpoint = mcpEndpoint({
    clock,
    cors: doorCors({ serverUrl: server.url, allowed: server.allowedOrigins }),
    authenticate: measured(metrics, ({ req, query }, id) =>
      authenticate({ authorization: req.headers.authorization, apiKey: req.headers['x-api-key'], query }, [
        server.url + serverPath(id),
      ]),
    ),
    policy: ground.policy,
    checkScopes: ground.scopes.checkScopes,
    upstreams: countedUpstreams(metrics, ground.upstreams),
    recorder: countedRecorder(metrics, ground.recorder),
    refuse(exchange, error, id, rpcId) {
      const answer = answerOf(error, { resource: resources.ofServer(id), rpcId })
      logRefusal(log, exchange, answer, error)
      sendAnswer(exchange, answer)
    },
    watch: ground.watch.watch,
    marks: ground.store.ephemeral.marks,
    sealKeys: ground.keyring.sealKeys,
    self: randomBytes(9).toString('base64url'),
    limits: server.limits,
  })
  return (path) => {
    const id = SERVER_ROUTE.exec(path)?.[1]
    return id === undefined ? undefined : (exchange) => endpoint(exchange, id)
  }
}
