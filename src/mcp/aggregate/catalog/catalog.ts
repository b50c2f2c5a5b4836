// What the servers behind the gate offer, kept for a while: asked for in parallel, each within its time, and never again by two at once.
import { createHash } from 'node:crypto'
import type { Clock } from '../../../protocol/clock.ts'
import type { Principal } from '../../../protocol/principal.ts'
import type { Binding } from '../../../upstreams/binding.ts'
import type { Caller } from '../../../upstreams/caller.ts'
import { ConnectionNeeded } from '../../../upstreams/credential.ts'
import { type Upstream, UpstreamError } from '../../../upstreams/upstream.ts'
import { unlessAborted } from '../../bridge/patience.ts'
import type { ListKind } from '../../list-forms.ts'
import type { Reach } from '../../reach.ts'
import type { Entry, Listing, Offer } from './offer.ts'
import { createSlots, type Known, type Slot } from './slots.ts'

export interface Catalog {
  /**
   * One for each of these servers, in their order; waits no longer than the configured time, and not for what is known. Of a server that
   * lists for each person apart it is the caller's own, and without a caller nobody's.
   */
  read(servers: readonly string[], caller: Caller | undefined): Promise<readonly Known[]> | readonly Known[]
  /** What is known at this moment, asked or not: `version` is 0 where that is nothing. */
  known(servers: readonly string[], caller: Caller | undefined): readonly Known[]
  /** How often something that is known here to everybody has changed. */
  changes(): number
  /** A tool as its server defines it, for conditions; asked for where it is not known. */
  definitionOf(server: string, tool: string, caller: Caller | undefined): Promise<Entry | undefined> | Entry | undefined
  /** The server has said, to this caller, that one of its lists is another now. Without a caller: whoever was told it. */
  forget(server: string, caller?: Caller): void
  /** The person has another account there now, or none. */
  forgetPrincipal(server: string, subject: string): void
  /** Forgets what was had for people who are gone. Called on a timer. */
  sweep(): void
}

export interface CatalogNeeds {
  readonly reach: Reach
  readonly contextOf: Binding['contextOf']
  readonly readOffer: (upstream: Upstream, signal: AbortSignal, caller: Caller | undefined) => Promise<Offer>
  /** What a server offers to somebody who has to connect an account of theirs first. */
  readonly unconnectedOffer: (server: string, caller: Caller | undefined) => Offer
  /** What of a server's tools may be shown on: those whose definitions are what they were. `caller`: whose list it is, where not everybody's. */
  readonly screenTools: (
    server: string,
    tools: readonly Entry[],
    caller: Principal | undefined,
  ) => Promise<readonly Entry[]>
  readonly clock: Clock
  /** Longest wait for a server, milliseconds. */
  readonly timeout: number
  /** How long an offer counts where the server does not say. */
  readonly ttl: number
  /** An offer did not come. */
  readonly onFailure: (server: string, reason: string, error: unknown) => void
}

/** The person has to connect an account of theirs first. */
export const CONNECTION_NEEDED = 'connection_needed'

/** A server that says 0 is asked again with every list, but not twice in a second. */
const SHORTEST_LIFE = 1000
const LONGEST_LIFE = 3_600_000
/** So long a failure is believed. */
const FAILURE_LIFE = 5000
/** After so many lives what is kept is too old to be shown while the next is asked for. */
const STALE_LIVES = 10

export function createCatalog(needs: CatalogNeeds): Catalog {
  const { reach, readOffer, screenTools, clock, timeout, ttl, onFailure } = needs
  const slots = createSlots({ contextOf: needs.contextOf, now: clock })
  let versions = 0
  let sharedChanges = 0

  function learn(slot: Slot, learnt: Pick<Known, 'offer' | 'failure'>): void {
    slot.known = { ...slot.known, ...learnt, version: ++versions }
    if (slot.known.context === undefined) sharedChanges += 1
  }

  /** One at a time for each slot, whoever waits. */
  function refresh(slot: Slot, caller: Caller | undefined): Promise<void> {
    slot.pending ??= ask(slot, slot.known.context === undefined ? undefined : caller).finally(() => {
      slot.pending = undefined
    })
    return slot.pending
  }

  async function ask(slot: Slot, caller: Caller | undefined): Promise<void> {
    const { server, offer: before } = slot.known
    const { changes } = slot
    try {
      const signal = AbortSignal.timeout(timeout)
      const reached = reach(server, caller)
      const upstream = reached instanceof Promise ? await unlessAborted(reached, signal) : reached
      if (upstream === undefined) throw new UpstreamError('connect', 'There is no such server.')
      const read = withOld(await readOffer(upstream, signal, caller), before)
      const { tools } = read.lists
      const shown = { ...tools, entries: await screenTools(server, tools.entries, caller?.principal) }
      const offer = { ...read, lists: { ...read.lists, tools: shown } }
      slot.life = Math.min(Math.max(offer.ttl ?? ttl, SHORTEST_LIFE), LONGEST_LIFE)
      const text = JSON.stringify(offer)
      const digest = createHash('sha256').update(text).digest('base64url')
      if (digest !== slot.digest || slot.known.failure !== undefined) learn(slot, { offer, failure: undefined })
      slot.digest = digest
      slot.size = text.length
    } catch (error) {
      failed(slot, error, caller)
    }
    slot.at = clock()
    // Said while we asked: what came may be from before.
    if (slot.changes !== changes) slot.life = 0
  }

  function failed(slot: Slot, error: unknown, caller: Caller | undefined): void {
    const { server, offer: before, failure } = slot.known
    slot.life = FAILURE_LIFE
    if (error instanceof ConnectionNeeded) {
      // Without an account nothing there is theirs, whatever it was before.
      if (failure !== CONNECTION_NEEDED)
        learn(slot, { offer: needs.unconnectedOffer(server, caller), failure: CONNECTION_NEEDED })
      slot.digest = ''
      slot.size = 0
      return
    }
    const reason = error instanceof UpstreamError ? error.reason : 'internal_error'
    if (failure !== reason) learn(slot, { offer: before, failure: reason })
    onFailure(server, reason, error)
  }

  /** `undefined` where what is known will do. */
  function freshen(server: string, caller: Caller | undefined): Promise<void> | undefined {
    const slot = slots.of(server, caller)
    const age = clock() - slot.at
    // Older than now after a clock that was set back: its age cannot be told.
    if (slot.life > 0 && age >= 0 && age < slot.life) return undefined
    const asked = refresh(slot, caller)
    return slot.life > 0 && age >= 0 && age < slot.life * STALE_LIVES ? undefined : asked
  }

  const known = (servers: readonly string[], caller: Caller | undefined): readonly Known[] =>
    servers.map((server) => slots.of(server, caller).known)

  return {
    read(servers, caller) {
      const waits = servers.flatMap((server) => freshen(server, caller) ?? [])
      return waits.length === 0 ? known(servers, caller) : Promise.all(waits).then(() => known(servers, caller))
    },
    known,
    changes: () => sharedChanges,
    definitionOf(server, tool, caller) {
      const find = (): Entry | undefined => {
        const offer = slots.find(server, caller)?.known.offer
        return offer && toolsOf(offer).get(tool)
      }
      return freshen(server, caller)?.then(find) ?? find()
    },
    forget(server, caller) {
      const told = caller === undefined ? slots.all(server) : [slots.find(server, caller) ?? []].flat()
      for (const slot of told) {
        slot.life = 0
        slot.changes += 1
      }
      sharedChanges += told.length
    },
    forgetPrincipal: slots.drop,
    sweep: slots.sweep,
  }
}

const byName = new WeakMap<Offer, ReadonlyMap<unknown, Entry>>()

function toolsOf(offer: Offer): ReadonlyMap<unknown, Entry> {
  const held = byName.get(offer)
  if (held !== undefined) return held
  const made = new Map(offer.lists.tools.entries.map((entry) => [entry['name'], entry]))
  byName.set(offer, made)
  return made
}

/** A list that did not come this time is the one that came before. */
function withOld(offer: Offer, before: Offer | undefined): Offer {
  if (before === undefined) return offer
  const kept = (kind: ListKind): Listing => {
    const { entries, reason } = offer.lists[kind]
    return reason === undefined ? { entries } : { entries: before.lists[kind].entries, reason }
  }
  const lists = {
    tools: kept('tools'),
    prompts: kept('prompts'),
    resources: kept('resources'),
    resourceTemplates: kept('resourceTemplates'),
  }
  return { ...offer, lists }
}
