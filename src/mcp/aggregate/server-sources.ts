// What is listened to for the clients of aggregates: of each server one stream about its lists for all of them, and for each client one
// about the resources that it has asked for.
import type { Upstream } from '../../upstreams/upstream.ts'
import { shareSource } from './shared-source.ts'
import { childSource, listeningSource, type Source, type SourceNeeds } from './sources.ts'

export interface ServerSources {
  /** What a server tells everybody. Kept apart by server, opened while somebody listens. */
  ofLists(upstream: Upstream): Source
  /** Updates of these resources; `undefined` for a child, whose one output tells of everything, and where there are none. */
  ofResources(upstream: Upstream, uris: ReadonlySet<string>): Source | undefined
}

export function createServerSources(needs: SourceNeeds): ServerSources {
  const shared = new WeakMap<Upstream, Source>()
  return {
    ofLists(upstream) {
      const known = shared.get(upstream)
      if (known !== undefined) return known
      // A child tells whoever subscribes: there is nothing to share.
      const source =
        upstream.kind === 'stdio' ? childSource(upstream) : shareSource(listeningSource(needs, upstream, []))
      shared.set(upstream, source)
      return source
    },
    ofResources: (upstream, uris) =>
      upstream.kind === 'stdio' || uris.size === 0 ? undefined : listeningSource(needs, upstream, [...uris]),
  }
}
