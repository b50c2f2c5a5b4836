// What every door stands on: what is counted and recorded, which keys we hold, which tokens are dead, what policy says, what is behind.
import { join } from 'node:path'
import { openJournal } from '../audit/journal.ts'
import { openRecorder } from '../audit/recorder.ts'
import { claimSpoolFolder, dropSpoolFolder } from '../audit/spool-folder.ts'
import { restoreAbandoned } from '../audit/spool-restore.ts'
import { withKeptClaims } from '../config/kept-claims.ts'
import type { Config } from '../config/schema.ts'
import { upstreamsOf } from '../config/servers.ts'
import { protectedResources } from '../decision/protected.ts'
import { type LineSink, openLineSink } from '../observe/lines.ts'
import type { Log } from '../observe/log.ts'
import { createMetrics, type Metrics } from '../observe/metrics.ts'
import { createPolicy } from '../policy/create.ts'
import { createScopeGate } from '../policy/scopes.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Store } from '../store/store.ts'
import { openKeyring } from '../tokens/keyring.ts'
import { openRevocationList } from '../tokens/revocations.ts'
import { accessTokenVerifier } from '../tokens/verify.ts'
import { openCredentialWatch } from '../tokens/watch.ts'
import type { Resolve } from '../upstreams/network/names.ts'
import { createUpstreams } from '../upstreams/registry.ts'
import { openBinding } from './binding.ts'
import { loadConditions } from './conditions.ts'
import { openConnections } from './connections.ts'
import { openDecisionPoints } from './decision-points.ts'
import { tellExposedFiles } from './exposed-files.ts'
import { tellFailedConditions } from './failed-conditions.ts'
import { openLimits } from './limits.ts'
import { namesOf } from './names.ts'
import { resourcesOf } from './resources.ts'
import { surroundings } from './surroundings.ts'
import { openTools } from './tools.ts'
import { openGateVault, openOwnKeys } from './vault.ts'

const REVOCATIONS_STALE_AFTER = 60_000

export interface GatewayNeeds {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  /** Where the decision record's lines go instead of stdout. */
  readonly stdout?: LineSink
  /** Start of the process, for a gateway that takes the place of another; default: now. */
  readonly startedAt?: number
  /** What host names mean; default: what the system says. */
  readonly resolve?: Resolve
  /** Counters that outlive a change of the configuration. */
  readonly metrics?: Metrics
}

/** Closes what was opened: begun last first, each without waiting for the others. */
export type Opened = (() => void | Promise<void>)[]

export type Ground = Awaited<ReturnType<typeof openGround>>

export async function openGround(config: Config, needs: GatewayNeeds, opened: Opened) {
  const { clock, log, store } = needs
  const names = namesOf(needs.resolve)
  const onError = (error: unknown) => log.error({ error }, 'the store did not answer')
  const metrics = needs.metrics ?? createMetrics(config.metrics)
  const recorder = tellFailedConditions(await openRecord(config, needs, opened), { log, clock })
  const vault = await openGateVault(config, needs, recorder)
  opened.push(vault.close)
  tellExposedFiles(config, log)
  const keyring = await openKeyring({
    keys: await openOwnKeys(config, store.durable.keys, vault),
    clock,
    rotation: config.oauth.signingKeyRotation,
    longestToken: config.oauth.accessTokenTtl,
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
  const watch = openCredentialWatch({ revocations, clock })
  opened.push(watch.close)
  const scopes = createScopeGate({ scopes: config.scopes, requiredScopes: config.oauth.requiredScopes })
  const places = protectedResources({ config, scopes })
  const upstreams = createUpstreams(upstreamsOf(config.servers), {
    log,
    around: surroundings({ clock, log, resolve: names.resolve }),
    directory: config.store.directory,
  })
  opened.push(() => upstreams.close())
  const connected = openConnections({ config, store, vault, keyring, upstreams, names, recorder, clock, log })
  const { binding, signIns, close } = await openBinding({
    ...{ config, upstreams, vault, keyring, names, clock, log },
    connections: connected,
  })
  opened.push(close)
  const compile = await loadConditions(config)
  const tools = await openTools(config, needs, recorder, binding)
  opened.push(tools.guard.close)
  const ask = openDecisionPoints({ config, clock, log, metrics, resolve: names.resolve })
  return {
    config,
    // Whoever vouches for a caller is asked for the claims that rules read, too.
    identity: withKeptClaims(config),
    store,
    clock,
    log,
    onError,
    startedAt: needs.startedAt ?? clock(),
    metrics,
    recorder,
    keyring,
    vault,
    revocations,
    tokens: accessTokenVerifier({ keyring, revocations, issuer: config.server.url, clock }),
    watch,
    policy: tools.guarded(createPolicy(config, { compile, ask })),
    tools,
    limits: openLimits({ config, store, clock, log, metrics }),
    scopes,
    minimumRevision: minimumRevisions(config),
    upstreams,
    names,
    binding,
    connections: connected.connections,
    signIns,
    resources: resourcesOf(config, scopes, places),
    places,
  }
}

async function openRecord({ store: { directory }, audit }: Config, needs: GatewayNeeds, opened: Opened) {
  const { clock, log, store } = needs
  const stdout =
    needs.stdout ?? openLineSink({ fd: 1, onDrop: () => log.warn({}, 'stdout takes no more decision lines') })
  // The record says its last lines there.
  let recorded: Promise<void> | undefined
  opened.push(async () => {
    await recorded
    await stdout.close()
  })
  const report = (detail: object, message: string) => log.error(detail, message)
  const spool = await claimSpoolFolder(join(directory, 'spool'))
  const common = { log: store.records, sink: audit.sink, stdout: stdout.write, report }
  const journal = audit.sink.includes('store') ? store.records.openJournal?.() : undefined
  if (journal !== undefined) {
    // What a gate left that wrote elsewhere before.
    for (const left of spool.abandoned) await restoreAbandoned(left, store.records, report)
    const recorder = openJournal({ ...common, journal, limit: audit.spool })
    opened.push(() => {
      recorded = recorder.close()
      return recorded
    })
    return recorder
  }
  const recorder = await openRecorder({
    ...common,
    spoolLimit: audit.spool,
    directory: spool.own,
    abandoned: spool.abandoned,
    clock,
  })
  opened.push(async () => {
    recorded = recorder.close()
    await recorded
    await dropSpoolFolder(spool.own)
  })
  return recorder
}

/** The oldest that may be spoken to a server. */
function minimumRevisions({ servers }: Config) {
  const minimums = new Map(upstreamsOf(servers).map(({ id, minimumRevision }) => [id, minimumRevision]))
  return (id: string) => minimums.get(id)
}
