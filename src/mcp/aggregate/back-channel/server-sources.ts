// What is listened to for the clients of aggregates: of each server one stream about its lists for all of them, or one for each where it
// lists for each person apart; and for each client one about the resources that it has asked for.
import type { Principal } from '../../../protocol/principal.ts'
import type { Binding } from '../../../upstreams/binding.ts'
import type { Caller } from '../../../upstreams/caller.ts'
import type { ChannelUpstream, RemoteUpstream, Upstream } from '../../../upstreams/upstream.ts'
import type { Reach } from '../../reach.ts'
import { type AccountChanges, accountSource } from './account-changes.ts'
import {
  channelSource,
  type Hear,
  type ListenAs,
  listeningSource,
  type Reached,
  type Source,
  type SourceNeeds,
} from './sources.ts'

export interface ServerSources {
  /** What a server tells everybody, or this caller where it lists for each person apart. Opened while somebody listens. */
  ofLists(upstream: Upstream, caller: Caller, declared: Declared): Source
  /** Updates of these resources; `undefined` for a channel, which tells of everything, and where there are none. */
  ofResources(upstream: Upstream, uris: ReadonlySet<string>, caller: Caller, declared: Declared): Source | undefined
}

/** What the client can be asked: the sessions of a person's calls are told apart by it. */
type Declared = Readonly<Record<string, unknown>>

export interface ServerSourcesNeeds extends SourceNeeds {
  readonly reach: Reach
  readonly contextOf: Binding['contextOf']
  readonly accounts: Pick<AccountChanges, 'watch'>
  listenAs(principal: Principal, declared: Declared): ListenAs
}

/** Upstreams are the configured ones: each source reaches them as its caller does. */
export function createServerSources(needs: ServerSourcesNeeds): ServerSources {
  const { reach, contextOf, accounts } = needs
  const shared = new WeakMap<Upstream, Source>()
  const ofPerson = (upstream: RemoteUpstream, uris: readonly string[], caller: Caller, declared: Declared): Source =>
    listeningSource(needs, reachedBy(reach, upstream, caller), uris, needs.listenAs(caller.principal, declared))
  return {
    ofLists(upstream, caller, declared) {
      // A channel tells whoever subscribes: there is nothing to share.
      if (upstream.kind === 'channel') return channelSource(needs, reachedBy(reach, upstream, caller))
      if (contextOf(upstream.id, caller) !== undefined)
        return accountSource(ofPerson(upstream, [], caller, declared), {
          watch: (listener) => accounts.watch(upstream.id, caller.principal.subject, listener),
          reach: () => reach(upstream.id, caller),
        })
      const known = shared.get(upstream)
      if (known !== undefined) return known
      const source = shareSource(listeningSource(needs, reachedBy(reach, upstream, undefined), []))
      shared.set(upstream, source)
      return source
    },
    ofResources: (upstream, uris, caller, declared) =>
      upstream.kind === 'channel' || uris.size === 0 ? undefined : ofPerson(upstream, [...uris], caller, declared),
  }
}

/** One kind is bound, and the same kind is what comes of it. */
export function reachedBy<U extends RemoteUpstream | ChannelUpstream>(
  reach: Reach,
  { id }: U,
  caller: Caller | undefined,
): Reached<U> {
  return { server: id, get: () => reach(id, caller) as U | undefined | Promise<U | undefined> }
}

interface Listener {
  readonly hear: Hear
  onOpen(): void
  /** With what went wrong on our side, where something did. */
  end(mistake?: { readonly error: unknown }): void
}

/** One source for as many as listen: opened for the first, closed after the last, and nobody's slowness is another's. */
export function shareSource(source: Source): Source {
  const listeners = new Set<Listener>()
  /** `open` once it listens, or cannot. */
  let running: { readonly stop: AbortController; open: boolean } | undefined

  function start(): void {
    const own = { stop: new AbortController(), open: false }
    running = own
    const opened = (): void => {
      if (running !== own || own.open) return
      own.open = true
      for (const listener of [...listeners]) listener.onOpen()
    }
    const tellAll: Hear = (message) => {
      if (running === own) for (const { hear } of [...listeners]) void hear(message)
      return undefined
    }
    const over = (mistake?: { readonly error: unknown }): void => {
      opened()
      const left = running === own ? [...listeners] : []
      if (running === own) running = undefined
      for (const listener of left) listener.end(mistake)
    }
    source.run(tellAll, own.stop.signal, opened).then(
      () => over(),
      (error: unknown) => over({ error }),
    )
  }

  return {
    ...source,
    run: (hear, signal, onOpen) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return resolve()
        const listener: Listener = {
          hear,
          onOpen: () => onOpen?.(),
          end(mistake) {
            signal.removeEventListener('abort', leave)
            listeners.delete(listener)
            if (mistake === undefined) resolve()
            else reject(mistake.error)
          },
        }
        const leave = (): void => {
          listener.end()
          if (listeners.size > 0) return
          running?.stop.abort()
          running = undefined
        }
        listeners.add(listener)
        signal.addEventListener('abort', leave)
        if (running === undefined) start()
        else if (running.open) listener.onOpen()
      }),
  }
}
