// THE wiring file and route table: (config, store, clock, log) → a gateway that listens, is replaced, closes. Nothing else in it.
import { isLoopback, parseListen } from './config/listen.ts'
import type { Config } from './config/schema.ts'
import { addressMatcher } from './http/client-address.ts'
import type { Endpoint } from './http/exchange.ts'
import { createFront } from './http/front.ts'
import { hostGate } from './http/head.ts'
import { healthEndpoints, metricsAllow } from './http/health.ts'
import { countInFlight } from './http/in-flight.ts'
import { createListener, type Listener } from './http/listener.ts'
import { counted, logRefusal } from './http/observed.ts'
import { readinessOf } from './http/readiness.ts'
import { protectedResourceDocuments } from './http/well-known.ts'
import { findSetupLink } from './oauth/interaction/setup-link.ts'
import { openCallers } from './wiring/callers.ts'
import { type GatewayNeeds, type Opened, openGround } from './wiring/ground.ts'
import { openMcpDoor } from './wiring/mcp.ts'
import { openOAuthDoor } from './wiring/oauth.ts'

const SWEEP = 30_000

export interface Gateway {
  /** The public URL, and the port it really listens on. */
  listen(): Promise<{ url: string; port: number }>
  close(): Promise<void>
  /** Takes the place of a running gateway, whose requests end where they began. `server.listen` stays what it was. */
  succeed(previous: Gateway): void
  /** Hands out the open listener; the gateway answers no new request after it. */
  release(): Listener
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

async function closeAll(opened: Opened): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close()
}

async function wire(config: Config, needs: GatewayNeeds, opened: Opened): Promise<Gateway> {
  const { clock, log, store } = needs
  const { server, oauth, identity } = config
  const { durable, ephemeral } = store
  const ground = await openGround(config, needs, opened)
  const { metrics, recorder, revocations, resources, upstreams, watch } = ground
  const callers = await openCallers(ground)
  const doors: readonly (readonly [name: string, match: (path: string) => Endpoint | undefined])[] = [
    ['mcp', openMcpDoor(ground, callers)],
    ['oauth', openOAuthDoor(ground, callers, opened)],
  ]

  // Routes: exact, first match; what is not here is 404.
  const documents = protectedResourceDocuments({ resources, issuer: server.url, name: oauth.resourceName })
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
  metrics.watch({ streamsOpen: watch.size, auditWaiting: () => recorder.state().waiting })
  const match = (path: string): Endpoint | undefined => {
    for (const [name, matchAt] of doors) {
      const endpoint = matchAt(path)
      if (endpoint !== undefined) return counted(metrics, name, clock, endpoint)
    }
    const endpoint = documents.match(path) ?? health.match(path)
    return endpoint && counted(metrics, 'other', clock, endpoint)
  }
  const front = createFront({
    clock,
    isTrustedProxy: addressMatcher(server.trustedProxies),
    checkHost: hostGate({ serverUrl: server.url, loopbackOnly: isLoopback(parseListen(server.listen)?.host ?? '') }),
    match,
    onRefusal: (exchange, answer, error) => logRefusal(log, exchange, answer, error),
  })
  const inFlight = countInFlight(front)
  let listener = createListener({ listen: server.listen, limits: server.limits, handle: inFlight.handle })
  let released = false

  const sweep = setInterval(() => {
    const now = clock()
    ephemeral.sweep(now).catch(ground.onError)
    durable.revocations.removeExpired(now).catch(ground.onError)
  }, SWEEP)
  sweep.unref()
  opened.push(() => clearInterval(sweep))

  return {
    setupUrl: () =>
      findSetupLink({
        users: durable.users,
        providers: identity.providers,
        tickets: ephemeral.tickets,
        serverUrl: server.url,
        clock,
      }),
    listen: async () => ({ url: server.url, port: (await listener.open()).port }),
    succeed(previous) {
      listener = previous.release()
      listener.use(inFlight.handle)
    },
    release() {
      released = true
      return listener
    },
    async close() {
      // No answer ends a lasting stream, so it would hold the drain to its end: its client comes back to whoever serves then.
      watch.endLasting()
      if (released) await inFlight.ended(server.drain)
      else await listener.close(server.drain)
      await closeAll(opened)
    },
  }
}
