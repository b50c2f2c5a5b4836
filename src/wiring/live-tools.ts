// The tools that servers have at this moment, asked for beside a running gate: for judging rules that name them.
import type { Config } from '../config/schema.ts'
import { upstreamsOf } from '../config/servers.ts'
import { readOffer } from '../mcp/aggregate/catalog/offer.ts'
import { createBridge } from '../mcp/bridge/call.ts'
import { createUpstreams } from '../upstreams/registry.ts'
import { surroundings } from './surroundings.ts'

interface Needs {
  /** A server did not say what it has. */
  onFailure(server: string, reason: string): void
}

/** Names by server; one that did not answer in `aggregate.timeout` is not there. Programs are started for it, and ended. */
export async function readLiveTools(
  { servers, aggregate, store }: Pick<Config, 'servers' | 'aggregate' | 'store'>,
  { onFailure }: Needs,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const clock = Date.now
  const configured = upstreamsOf(servers)
  const upstreams = createUpstreams(configured, {
    log: SILENT,
    around: surroundings({ clock, log: SILENT }),
    directory: store.directory,
  })
  const { eraOf } = createBridge({ report: upstreams.report, clock })

  async function toolsOf(id: string): Promise<ReadonlySet<string> | undefined> {
    const upstream = upstreams.get(id)
    if (upstream === undefined) return undefined
    try {
      const { lists } = await readOffer(upstream, eraOf, AbortSignal.timeout(aggregate.timeout))
      if (lists.tools.reason === undefined) return new Set(lists.tools.entries.map(({ name }) => String(name)))
      onFailure(id, lists.tools.reason)
    } catch (error) {
      onFailure(id, error instanceof Error ? error.message : String(error))
    }
    return undefined
  }

  try {
    const found = await Promise.all(configured.map(async ({ id }) => [id, await toolsOf(id)] as const))
    return new Map(found.flatMap(([id, names]) => (names === undefined ? [] : [[id, names] as const])))
  } finally {
    await upstreams.close()
  }
}

const silence = (): void => undefined
/** What a program says of itself is for the gate's log. */
const SILENT = { debug: silence, info: silence, warn: silence }
