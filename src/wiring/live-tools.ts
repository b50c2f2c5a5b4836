// The tools that servers have at this moment, asked for beside a running gate: for judging rules that name them.
import type { Config } from '../config/schema.ts'
import { type UpstreamConfig, upstreamsOf } from '../config/servers.ts'
import { readOffer } from '../mcp/aggregate/catalog/offer.ts'
import { createBridge } from '../mcp/bridge/call.ts'
import type { Vault } from '../protocol/vault.ts'
import { createBinding } from '../upstreams/binding.ts'
import { openSharedCredential } from '../upstreams/credentials/open.ts'
import { createUpstreams } from '../upstreams/registry.ts'
import type { Upstream } from '../upstreams/upstream.ts'
import { credentialFetches } from './credential-fetches.ts'
import { namesOf } from './names.ts'
import { surroundings } from './surroundings.ts'
import { valuePlaces } from './upstream-credentials.ts'

interface Needs {
  /** For credentials that are in it. */
  readonly vault: Pick<Vault, 'get'>
  /** A server did not say what it has. */
  onFailure(server: string, reason: string): void
}

/** Names by server; one that did not answer in `aggregate.timeout` is not there. Programs are started for it, and ended. */
export async function readLiveTools(
  { servers, aggregate, store }: Pick<Config, 'servers' | 'aggregate' | 'store'>,
  { vault, onFailure }: Needs,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const clock = Date.now
  const configured = upstreamsOf(servers)
  const upstreams = createUpstreams(configured, {
    log: SILENT,
    around: surroundings({ clock, log: SILENT }),
    directory: store.directory,
  })
  const { eraOf } = createBridge({ report: upstreams.report, clock })
  const given = { ...valuePlaces, fetches: credentialFetches(namesOf()), vault, log: SILENT, clock, onFailure: silence }

  /** As the gate itself reaches it. */
  async function reach(server: UpstreamConfig): Promise<Upstream | undefined> {
    const known = upstreams.get(server.id)
    const credential = await openSharedCredential(server, given)
    if (credential === undefined) throw new TypeError('each person has a credential, and perhaps tools, of their own')
    const parts = new Map([[server.id, { credential, personalLists: false }]])
    try {
      return known && (await createBinding(parts, upstreams, silence).bind(known, undefined))
    } finally {
      credential.close?.()
    }
  }

  async function toolsOf(server: UpstreamConfig): Promise<ReadonlySet<string> | undefined> {
    const { id } = server
    try {
      const upstream = await reach(server)
      if (upstream === undefined) return undefined
      const { lists } = await readOffer(upstream, eraOf, AbortSignal.timeout(aggregate.timeout))
      if (lists.tools.reason === undefined) return new Set(lists.tools.entries.map(({ name }) => String(name)))
      onFailure(id, lists.tools.reason)
    } catch (error) {
      onFailure(id, error instanceof Error ? error.message : String(error))
    }
    return undefined
  }

  try {
    const found = await Promise.all(configured.map(async (server) => [server.id, await toolsOf(server)] as const))
    return new Map(found.flatMap(([id, names]) => (names === undefined ? [] : [[id, names] as const])))
  } finally {
    await upstreams.close()
  }
}

const silence = (): void => undefined
/** What a program says of itself is for the gate's log. */
const SILENT = { debug: silence, info: silence, warn: silence }
