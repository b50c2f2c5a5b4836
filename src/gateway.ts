// THE wiring file and route table: (config, store, clock, log) → a gateway that listens, is replaced, closes. Nothing else in it.
import { isLoopback, parseListen } from './config/listen.ts'
import type { Config } from './config/schema.ts'
import type { Endpoint, Exchange } from './http/exchange.ts'
import { createFront } from './http/front.ts'
import type { GrpcListener } from './http/grpc.ts'
import { countCalls } from './http/grpc-calls.ts'
import { hostGate } from './http/head.ts'
import { healthEndpoints, metricsAllow } from './http/health.ts'
import { countInFlight } from './http/in-flight.ts'
import { createListener, type Listener } from './http/listener.ts'
import { counted, logRefusal } from './http/observed.ts'
import { readinessOf } from './http/readiness.ts'
import { trustedProxies } from './http/trusted-proxy.ts'
import { protectedResourceDocuments } from './http/well-known.ts'
import { findSetupLink } from './oauth/interaction/setup-link.ts'
import { openAdminDoor } from './wiring/admin.ts'
import { openCallers } from './wiring/callers.ts'
import { NO_UPGRADES, openCluster, type ReplicaListener } from './wiring/cluster.ts'
import { clientDocumentEndpoint } from './wiring/connections.ts'
import { openDecisionDoor } from './wiring/decision.ts'
import { type GatewayNeeds, type Opened, openGround } from './wiring/ground.ts'
import { openGrpc } from './wiring/grpc.ts'
import { openMcpDoor } from './wiring/mcp.ts'
import { openOAuthDoor } from './wiring/oauth.ts'
import { connectionChanged, openPortal } from './wiring/portal.ts'

const SWEEP = 30_000

type Door = readonly [name: keyof Config['doors'], match: (path: string, exchange: Exchange) => Endpoint | undefined]

export interface Gateway {
  /** The public URL, and the port it really listens on. */
  listen(): Promise<{ url: string; port: number }>
  close(): Promise<void>
  /** Takes the place of a running gateway, whose requests end where they began. `server.listen` stays what it was. */
  succeed(previous: Gateway): void
  /** Hands out what is open; the gateway answers no new request after it. */
  release(): { readonly listener: Listener; readonly grpc: GrpcListener; readonly replicas: ReplicaListener }
  /** Mints a one-time link to create the first administrator, while there is none. */
  setupUrl(): Promise<string | undefined>
}

/** What was opened before something failed is closed again: a configuration that is refused leaves nothing behind. */
export async function createGateway(config: Config, needs: GatewayNeeds): Promise<Gateway> {
  const opened: Opened = []
  try {
    return await wire(config, needs, opened)
  } catch (error) {
    await closeAll(opened)
    throw error
  }
}

/** Last first, side by side: a program behind us that takes its time to end holds up no other end. */
async function closeAll(opened: Opened): Promise<void> {
  const closing = opened.splice(0).reverse()
  await Promise.all(closing.map((close) => close()))
}

async function wire(config: Config, needs: GatewayNeeds, opened: Opened): Promise<Gateway> {
  const { clock, log, store } = needs
  const { server, oauth, identity } = config
  const { durable, ephemeral } = store
  const ground = await openGround(config, needs, opened)
  const { metrics, recorder, revocations, resources, upstreams, watch } = ground
  const callers = await openCallers(ground, opened)
  const authorization = openOAuthDoor(ground, callers, opened)
  const cluster = openCluster(ground, opened)
  const mcp = openMcpDoor(ground, callers, cluster, opened)
  const decision = openDecisionDoor(ground, callers, authorization, mcp)
  const onConnectionChanged = connectionChanged(callers, mcp)
  const doors: readonly Door[] = [
    ['decision', decision.match],
    ['mcp', mcp.match],
    // Before the administration, which takes all of /api: a gateway's exchange has an address there too.
    ['oauth', authorization.match],
    ['admin', openAdminDoor(ground, callers, onConnectionChanged)],
    ['decision', decision.last],
  ]
  const open = doors.filter(([name]) => config.doors[name])

  // Routes: exact, first match; what is not here is 404.
  const documents = protectedResourceDocuments({ resources, issuer: server.url, name: oauth.resourceName })
  const clientDocument = clientDocumentEndpoint(config)
  // People connect accounts to whatever is called here, whichever doors are open.
  const portal = openPortal(ground, callers, authorization, onConnectionChanged)
  const health = healthEndpoints({
    checks: readinessOf({
      checkStore: () => store.check(),
      auditState: recorder.state,
      revocationsStale: revocations.isStale,
      upstreamHealth: upstreams.health,
    }),
    metrics,
    allow: metricsAllow(config.metrics.allow, server.trustedProxies),
    draining: () => listener.draining(),
  })
  metrics.watch({ upstreams: upstreams.gates, streamsOpen: watch.size, auditWaiting: () => recorder.state().waiting })
  const match = (path: string, exchange: Exchange): Endpoint | undefined => {
    for (const [name, matchAt] of open) {
      const endpoint = matchAt(path, exchange)
      if (endpoint !== undefined) return counted(metrics, name, clock, endpoint)
    }
    const endpoint = documents.match(path) ?? clientDocument(path) ?? portal(path) ?? health.match(path)
    return endpoint && counted(metrics, 'other', clock, endpoint)
  }
  const front = createFront({
    clock,
    proxies: trustedProxies(server.trustedProxies, server.listen),
    checkHost: hostGate({
      serverUrl: server.url,
      others: [oauth.resource ?? server.url],
      isAskedAbout: ground.places.hasHost,
      loopbackOnly: isLoopback(parseListen(server.listen)?.host ?? ''),
    }),
    match,
    matchUpgrade: config.doors.mcp ? mcp.matchUpgrade : () => undefined,
    onRefusal: (exchange, answer, error) => logRefusal(log, exchange, answer, error),
  })
  const inFlight = countInFlight(front.handle)
  const { listen, tls, limits } = server
  let listener = createListener({
    listen,
    url: server.url,
    tls,
    limits,
    handle: inFlight.handle,
    upgrades: front.upgrades,
    log,
  })
  const calls = countCalls(decision.grpc)
  let grpc = await openGrpc(ground, calls.methods)
  const handed = countInFlight(cluster.handle(mcp.match))
  let replicas = cluster.listener(handed.handle)
  let released = false

  const sweep = setInterval(() => {
    const now = clock()
    ephemeral.sweep(now).catch(ground.onError)
    durable.revocations.removeExpired(now).catch(ground.onError)
    callers.apiTokens.look().catch(ground.onError)
  }, SWEEP)
  sweep.unref()
  opened.push(() => clearInterval(sweep))

  return {
    setupUrl: () =>
      findSetupLink({
        users: durable.users,
        providers: identity.providers,
        open: config.doors.oauth,
        tickets: ephemeral.tickets,
        serverUrl: server.url,
        clock,
      }),
    async listen() {
      const { port } = await listener.open()
      await grpc.open()
      await replicas.open()
      await cluster.join()
      return { url: server.url, port }
    },
    succeed(previous) {
      const opened = previous.release()
      listener = opened.listener
      grpc = opened.grpc
      replicas = opened.replicas
      listener.use(inFlight.handle, front.upgrades)
      grpc.use(calls.methods)
      replicas.use(handed.handle, NO_UPGRADES)
      cluster.join().catch(ground.onError)
    },
    release() {
      released = true
      return { listener, grpc, replicas }
    },
    async close() {
      // No answer ends a lasting stream, so it would hold the drain to its end: its client comes back to whoever serves then.
      watch.endLasting()
      await cluster.leave().catch(ground.onError)
      const { drain } = server
      if (released) await Promise.all([inFlight.ended(drain), calls.ended(drain), handed.ended(drain)])
      else await Promise.all([listener.close(drain), grpc.close(drain), replicas.close(drain)])
      await closeAll(opened)
    },
  }
}
