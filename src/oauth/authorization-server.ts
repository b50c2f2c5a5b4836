// The OAuth door: the authorization server for MCP clients, wired; its addresses are in routes.ts.
import type { JWK } from 'jose'
import type { Recorder } from '../audit/event.ts'
import type { Config } from '../config/schema.ts'
import type { Endpoint } from '../http/exchange.ts'
import type { OutboundFetch } from '../http/outbound.ts'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Resources } from '../protocol/resource.ts'
import type { Durable, UserRecord } from '../store/durable.ts'
import type { Ephemeral } from '../store/ephemeral.ts'
import type { AccessToken } from '../tokens/access-token.ts'
import { accountFinder } from './accounts.ts'
import { actRecorder } from './acts.ts'
import { createAdapters } from './adapter.ts'
import { answeredHere } from './answered.ts'
import { clientDocuments } from './client-document.ts'
import { configuredClients } from './clients.ts'
import { codeSpender } from './codes.ts'
import { consentKeeper } from './consent.ts'
import { familyRevoker } from './families.ts'
import { gatewayClients } from './gateways/clients.ts'
import type { Interactions } from './interaction/flow.ts'
import { createInteractions } from './interactions.ts'
import { issuanceRecorder } from './issuance.ts'
import { createLibrary, type Running } from './library.ts'
import { createProvider, INTERACTION_TTL } from './provider.ts'
import { resourceIndicators } from './resources.ts'
import { routes } from './routes.ts'
import { ownPages, signInClient } from './sign-in-client.ts'

export interface AuthorizationServerNeeds {
  readonly config: Pick<Config, 'server' | 'oauth' | 'scopes' | 'identity'>
  readonly durable: Durable
  readonly ephemeral: Ephemeral
  readonly keyring: {
    /** Private JWKs, the one that signs first. */
    signingKeys(): JWK[]
    cookieKeys(): string[]
    refreshSecret(): string
    onRotation(listener: () => void): void
  }
  /** Any audience of ours; `undefined` when it is no live token of ours. */
  verifyOwnToken(token: string): Promise<AccessToken | undefined>
  /** Makes a revocation of our own count in this process at once. */
  onRevocation(): Promise<void>
  /** The sign-in rules of today: they hold at every refresh too. */
  isAdmitted(user: UserRecord): boolean
  readonly resources: Pick<Resources, 'list' | 'find' | 'main'>
  readonly recorder: Pick<Recorder, 'act'>
  readonly clock: Clock
  /** Start of the process: a client that asked just before it may ask again for a while. */
  readonly startedAt: number
  readonly log: Log
  /** Of what strangers name. */
  readonly fetchPublic: OutboundFetch
}

export interface AuthorizationServer {
  /** The endpoint at exactly this path, or nothing. */
  match(path: string): Endpoint | undefined
  readonly interactions: Interactions
  close(): void
}

const SWEEP = 10 * 60_000

export function openAuthorizationServer(needs: AuthorizationServerNeeds): AuthorizationServer {
  const { config, durable, ephemeral, keyring, clock, log, onRevocation } = needs
  const { oauth, server } = config
  const serverUrl = server.url
  const acts = actRecorder({ recorder: needs.recorder, clock })
  const consent = consentKeeper({ consents: durable.consents, acts, clock, log })
  const documents = clientDocuments({
    fetchOutbound: needs.fetchPublic,
    counters: ephemeral.counters,
    trustedHosts: oauth.registration.trustedHosts,
    clock,
    log,
  })
  const gateways = gatewayClients({
    callbacks: oauth.gatewayCallbacks,
    development: server.development,
    secret: keyring.refreshSecret,
  })
  const findOwnPage = ownPages(serverUrl)
  /** Another gateway's tokens are for its own callback and nothing else, and nobody else's are for that. */
  const findResource = (clientId: string, url: string) => {
    if (gateways.uriOf(clientId) === undefined) return findOwnPage(clientId, url) ?? needs.resources.find(url)
    const own = gateways.ofId(clientId)?.resource
    return own?.url === url && needs.resources.find(url) === undefined ? own : undefined
  }
  const ownClient = signInClient(serverUrl)
  const revokeFamily = familyRevoker({
    families: durable.families,
    artifacts: ephemeral.artifacts,
    acts,
    clock,
    accessTokenTtl: oauth.accessTokenTtl,
    onRevocation,
  })
  const adapters = createAdapters({
    durable,
    ephemeral,
    acts,
    clock,
    log,
    oauth,
    revokeFamily,
    onRevocation,
    startedAt: needs.startedAt,
    settleConsent: consent.settle,
    findUnstoredClient: (id) => gateways.ofId(id)?.metadata ?? ownClient(id),
  })
  const build = (): Running => {
    const provider = createProvider({
      serverUrl,
      oauth,
      sessionTtl: config.identity.sessionTtl,
      codeTtl: (clientId) => (gateways.uriOf(clientId) === undefined ? oauth.codeTtl : oauth.gatewayCallbacks.codeTtl),
      clock,
      log,
      keys: { signing: keyring.signingKeys(), cookie: keyring.cookieKeys(), refreshSecret: keyring.refreshSecret },
      adapters,
      consent,
      documents,
      findAccount: accountFinder({ findUser: durable.users.find, isAdmitted: needs.isAdmitted }),
      resources: resourceIndicators({
        resources: needs.resources,
        findFor: findResource,
        allowedScopes: oauth.allowedScopes,
        accessTokenTtl: oauth.accessTokenTtl,
        signingKey: () => keyring.signingKeys()[0]?.kid,
      }),
      clients: configuredClients(oauth.clients),
      recordIssuance: issuanceRecorder({
        acts,
        clients: durable.clients,
        markUsed: documents.markUsed,
        spendCode: codeSpender({ artifacts: ephemeral.artifacts, clock, revokeFamily }),
        clock,
        log,
      }),
    })
    return { provider, handle: provider.callback() }
  }
  // The library reads its keys once: a rotation is a new provider, and running requests end with the old one.
  let running = build()
  keyring.onRotation(() => {
    running = build()
  })

  const library = createLibrary({ current: () => running, serverUrl })
  const answered = answeredHere(serverUrl, INTERACTION_TTL)
  const sweep = setInterval(() => {
    durable.clients
      .removeNeverUsed(clock() - oauth.registration.neverUsedTtl)
      .catch((error: unknown) => log.warn({ error }, 'never-used clients could not be removed'))
  }, SWEEP)
  sweep.unref()

  return {
    match: routes({
      config,
      durable,
      ephemeral,
      signingKeys: keyring.signingKeys,
      verifyOwnToken: needs.verifyOwnToken,
      isAdmitted: needs.isAdmitted,
      library,
      answered,
      gateways,
      acts,
      clock,
    }),
    interactions: createInteractions({
      library,
      answered,
      provider: () => running.provider,
      findResource,
      isGateway: (clientId) => gateways.uriOf(clientId) !== undefined,
      scopes: config.scopes,
      configuredClients: oauth.clients.map((client) => client.clientId),
      consents: durable.consents,
      artifacts: ephemeral.artifacts,
      clock,
    }),
    close: () => clearInterval(sweep),
  }
}
