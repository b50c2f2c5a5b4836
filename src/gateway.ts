// THE wiring file and route table: (config, store, clock, log) → a gateway that listens, is replaced, closes. Nothing else in it.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { openRecorder } from './audit/recorder.ts'
import { claimSpoolFolder, dropSpoolFolder } from './audit/spool-folder.ts'
import { isLoopback, parseListen } from './config/listen.ts'
import type { Config } from './config/schema.ts'
import { addressMatcher } from './http/client-address.ts'
import { doorCors } from './http/cors.ts'
import type { Endpoint } from './http/exchange.ts'
import { createFront } from './http/front.ts'
import { hostGate } from './http/head.ts'
import { healthEndpoints, metricsAllow } from './http/health.ts'
import { countInFlight } from './http/in-flight.ts'
import { createListener, type Listener } from './http/listener.ts'
import { counted, countedRecorder, countedUpstreams, logRefusal, measured } from './http/observed.ts'
import { readinessOf } from './http/readiness.ts'
import { answerOf, sendAnswer } from './http/responses.ts'
import { protectedResourceDocuments } from './http/well-known.ts'
import { createAdmission } from './identity/admission.ts'
import { attributesOf } from './identity/attributes.ts'
import { authenticator } from './identity/authenticate.ts'
import { createIdentityProviders } from './identity/idp.ts'
import { passwordHasher } from './identity/password.ts'
import { usersOf } from './identity/users.ts'
import { mcpEndpoint } from './mcp/endpoint.ts'
import { openAuthorizationServer } from './oauth/authorization-server.ts'
import { interactionEndpoints } from './oauth/interaction/endpoints.ts'
import { findSetupLink } from './oauth/interaction/setup-link.ts'
import { type LineSink, openLineSink } from './observe/lines.ts'
import type { Log } from './observe/log.ts'
import { createMetrics, type Metrics } from './observe/metrics.ts'
import { createPolicy } from './policy/create.ts'
import { resolveRoles } from './policy/roles.ts'
import { createScopeGate } from './policy/scopes.ts'
import type { Clock } from './protocol/clock.ts'
import { createResources, serverPath } from './protocol/resource.ts'
import type { Store } from './store/store.ts'
import { openKeyring } from './tokens/keyring.ts'
import { openRevocationList } from './tokens/revocations.ts'
import { accessTokenVerifier } from './tokens/verify.ts'
import { openCredentialWatch } from './tokens/watch.ts'
import { createUpstreams } from './upstreams/registry.ts'

const REVOCATIONS_STALE_AFTER = 60_000
const SWEEP = 30_000
const SERVER_ROUTE = /^\/servers\/([a-z0-9][a-z0-9_-]{0,63})\/mcp$/

export interface GatewayNeeds {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  /** Where the decision record's lines go instead of stdout. */
  readonly stdout?: LineSink
  /** Start of the process, for a gateway that takes the place of another; default: now. */
  readonly startedAt?: number
  /** Counters that outlive a change of the configuration. */
  readonly metrics?: Metrics
}

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

type Closer = () => void | Promise<void>

/** What was opened before something failed is closed again: a configuration that is refused leaves nothing behind. */
export async function createGateway(config: Config, needs: GatewayNeeds): Promise<Gateway> {
  const opened: Closer[] = []
  try {
    return await wire(config, needs, opened)
  } catch (error) {
    await closeAll(opened)
    throw error
  }
}

async function closeAll(opened: Closer[]): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close()
}

async function wire(config: Config, needs: GatewayNeeds, opened: Closer[]): Promise<Gateway> {
  const { clock, log, store } = needs
  const { server, oauth, identity } = config
  const serverUrl = server.url
  const onError = (error: unknown) => log.error({ error }, 'the store did not answer')

  // Ground: what is counted and recorded, which keys we hold, which tokens are dead.
  const metrics = needs.metrics ?? createMetrics(config.metrics)
  const stdout =
    needs.stdout ?? openLineSink({ fd: 1, onDrop: () => log.warn({}, 'stdout takes no more decision lines') })
  opened.push(() => stdout.close())
  const spool = await claimSpoolFolder(join(config.store.directory, 'spool'))
  const recorder = await openRecorder({
    log: store.records,
    directory: spool.own,
    abandoned: spool.abandoned,
    sink: config.audit.sink,
    spoolLimit: config.audit.spool,
    stdout: stdout.write,
    clock,
    report: (detail, message) => log.error(detail, message),
  })
  opened.push(async () => {
    await recorder.close()
    await dropSpoolFolder(spool.own)
  })
  const keyring = await openKeyring({
    keys: store.durable.keys,
    clock,
    rotation: oauth.signingKeyRotation,
    longestToken: oauth.accessTokenTtl,
    onError,
  })
  opened.push(keyring.close)
  const revocations = await openRevocationList({
    revocations: store.durable.revocations,
    clock,
    staleAfter: REVOCATIONS_STALE_AFTER,
    onError,
  })
  opened.push(revocations.close)
  const { durable, ephemeral } = store
  const tokens = accessTokenVerifier({ keyring, revocations, issuer: serverUrl, clock })
  const watch = openCredentialWatch({ revocations, clock })
  opened.push(watch.close)

  // Domain: who may sign in and what they may call, and what stands behind.
  const isAdmitted = createAdmission(identity)
  const users = usersOf({
    users: durable.users,
    passwords: passwordHasher(),
    counters: ephemeral.counters,
    isAdmitted,
    clock,
  })
  const idps = await createIdentityProviders({
    identity,
    clockTolerance: config.auth.clockTolerance,
    clock,
  })
  const attributes = attributesOf({
    findUser: (id) => durable.users.find(id),
    isAdmitted,
    resolveRoles: (user) => resolveRoles(user, config.roles),
    clock,
  })
  revocations.onChange(attributes.forget)
  const policy = createPolicy(config)
  const scopes = createScopeGate({ scopes: config.scopes, requiredScopes: oauth.requiredScopes })
  const upstreams = createUpstreams(config.servers, { log, clock })
  opened.push(() => upstreams.close())
  const resources = createResources(
    config.servers.map(({ id, title }) => ({
      url: serverUrl + serverPath(id),
      title: title ?? id,
      server: id,
      scopes: [...new Set([...scopes.scopesFor(id), ...oauth.scopesSupported])],
    })),
  )

  // Doors: the authorization server with its pages, and the MCP door.
  const authorization = openAuthorizationServer({
    config,
    durable,
    ephemeral,
    keyring,
    verifyOwnToken: tokens.find,
    onRevocation: revocations.poll,
    startedAt: needs.startedAt ?? clock(),
    resources,
    recorder,
    clock,
    log,
    isAdmitted,
  })
  opened.push(authorization.close)
  const pages = interactionEndpoints({
    interactions: authorization.interactions,
    users,
    idps,
    serverUrl,
    csrfKey: keyring.formSecret,
    tickets: ephemeral.tickets,
    counters: ephemeral.counters,
    recorder,
    clock,
    log,
    limits: { bodyTimeout: server.limits.bodyTimeout },
  })
  const authenticate = authenticator({
    verify: tokens.verify,
    attributes,
    anonymous: config.auth.anonymous,
    tokens: config.auth.tokens,
  })
  const mcp = mcpEndpoint({
    clock,
    cors: doorCors({ serverUrl, allowed: server.allowedOrigins }),
    authenticate: measured(metrics, ({ req, query }, id) =>
      authenticate({ authorization: req.headers.authorization, apiKey: req.headers['x-api-key'], query }, [
        serverUrl + serverPath(id),
      ]),
    ),
    policy,
    checkScopes: scopes.checkScopes,
    upstreams: countedUpstreams(metrics, upstreams),
    recorder: countedRecorder(metrics, recorder),
    refuse(exchange, error, id, rpcId) {
      const answer = answerOf(error, { resource: resources.ofServer(id), rpcId })
      logRefusal(log, exchange, answer, error)
      sendAnswer(exchange, answer)
    },
    watch: watch.watch,
    marks: ephemeral.marks,
    sealKeys: keyring.sealKeys,
    self: randomBytes(9).toString('base64url'),
    limits: server.limits,
  })

  // Routes: exact, first match; what is not here is 404.
  const documents = protectedResourceDocuments({ resources, issuer: serverUrl, name: oauth.resourceName })
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
  const door = (name: string, endpoint: Endpoint | undefined) => endpoint && counted(metrics, name, clock, endpoint)
  const match = (path: string): Endpoint | undefined => {
    const id = SERVER_ROUTE.exec(path)?.[1]
    if (id !== undefined) return counted(metrics, 'mcp', clock, (exchange) => mcp(exchange, id))
    return (
      door('oauth', authorization.match(path) ?? pages.match(path)) ??
      door('other', documents.match(path) ?? health.match(path))
    )
  }
  const front = createFront({
    clock,
    isTrustedProxy: addressMatcher(server.trustedProxies),
    checkHost: hostGate({ serverUrl, loopbackOnly: isLoopback(parseListen(server.listen)?.host ?? '') }),
    match,
    onRefusal: (exchange, answer, error) => logRefusal(log, exchange, answer, error),
  })
  const inFlight = countInFlight(front)
  let listener = createListener({ listen: server.listen, limits: server.limits, handle: inFlight.handle })
  let released = false

  const sweep = setInterval(() => {
    const now = clock()
    ephemeral.sweep(now).catch(onError)
    durable.revocations.removeExpired(now).catch(onError)
  }, SWEEP)
  sweep.unref()
  opened.push(() => clearInterval(sweep))

  return {
    setupUrl: () =>
      findSetupLink({
        users: durable.users,
        providers: identity.providers,
        tickets: ephemeral.tickets,
        serverUrl,
        clock,
      }),
    listen: async () => ({ url: serverUrl, port: (await listener.open()).port }),
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
