// What the servers behind the gate offer, kept for a while: asked for in parallel, each within its time, and never again by two at once.
import type { Clock } from '../../../protocol/clock.ts'
import { type Upstream, UpstreamError } from '../../../upstreams/upstream.ts'
import type { Entry, Listing, ListKind, Offer } from './offer.ts'

/** What is known of a server's lists at this moment. */
export interface Known {
  readonly server: string
  /** Changes with what is known, so that what was made of it can be kept as long. */
  readonly version: number
  /** The last one that came; `undefined` before the first. */
  readonly offer: Offer | undefined
  /** Why the last attempt brought none. */
  readonly failure: string | undefined
}

export interface Catalog {
  /** One for each of these servers, in their order; waits no longer than the configured time, and not for what is known. */
  read(servers: readonly string[]): Promise<readonly Known[]> | readonly Known[]
  /** What is known at this moment, asked or not: `version` is 0 where that is nothing. */
  known(servers: readonly string[]): readonly Known[]
  /** How often something that is known here has changed. */
  changes(): number
  /** A tool as its server defines it, for conditions; asked for where it is not known. */
  definitionOf(server: string, tool: string): Promise<Entry | undefined> | Entry | undefined
  /** The server has said that one of its lists is another now. */
  forget(server: string): void
  /** Called when a server's lists turn out to be others. Answers the end of it. */
  onChange(listener: (server: string) => void): () => void
}

interface Needs {
  readonly get: (server: string) => Upstream | undefined
  readonly readOffer: (upstream: Upstream, signal: AbortSignal) => Promise<Offer>
  /** What of a server's tools may be shown on: those whose definitions are what they were. */
  readonly screenTools: (server: string, tools: readonly Entry[]) => Promise<readonly Entry[]>
  readonly clock: Clock
  /** Longest wait for a server, milliseconds. */
  readonly timeout: number
  /** How long an offer counts where the server does not say. */
  readonly ttl: number
  /** An offer did not come. */
  readonly onFailure: (server: string, reason: string, error: unknown) => void
}

interface Slot {
  known: Known
  /** When the last attempt ended, and how long it counts. */
  at: number
  life: number
  /** How often the server has said that its lists are others now. */
  changes: number
  pending: Promise<void> | undefined
}

/** A server that says 0 is asked again with every list, but not twice in a second. */
const SHORTEST_LIFE = 1000
const LONGEST_LIFE = 3_600_000
/** So long a failure is believed. */
const FAILURE_LIFE = 5000
/** After so many lives what is kept is too old to be shown while the next is asked for. */
const STALE_LIVES = 10

export function createCatalog({ get, readOffer, screenTools, clock, timeout, ttl, onFailure }: Needs): Catalog {
  const slots = new Map<string, Slot>()
  const listeners = new Set<(server: string) => void>()
  let versions = 0

  function slotOf(server: string): Slot {
    const held = slots.get(server)
    if (held !== undefined) return held
    const known = { server, version: 0, offer: undefined, failure: undefined }
    const slot: Slot = { known, at: 0, life: 0, changes: 0, pending: undefined }
    slots.set(server, slot)
    return slot
  }

  /** One at a time for each server, whoever waits. */
  function refresh(slot: Slot): Promise<void> {
    slot.pending ??= ask(slot).finally(() => {
      slot.pending = undefined
    })
    return slot.pending
  }

  async function ask(slot: Slot): Promise<void> {
    const { server, offer: before } = slot.known
    const { changes } = slot
    try {
      const upstream = get(server)
      if (upstream === undefined) throw new UpstreamError('connect', 'There is no such server.')
      const read = withOld(await readOffer(upstream, AbortSignal.timeout(timeout)), before)
      const { tools } = read.lists
      const shown = { ...tools, entries: await screenTools(server, tools.entries) }
      const offer = { ...read, lists: { ...read.lists, tools: shown } }
      slot.life = Math.min(Math.max(offer.ttl ?? ttl, SHORTEST_LIFE), LONGEST_LIFE)
      const same = before !== undefined && isSame(before, offer)
      if (!same || slot.known.failure !== undefined)
        slot.known = { server, version: ++versions, offer, failure: undefined }
      if (before !== undefined && !same) for (const listener of listeners) listener(server)
    } catch (error) {
      const reason = error instanceof UpstreamError ? error.reason : 'internal_error'
      slot.life = FAILURE_LIFE
      if (slot.known.failure !== reason) slot.known = { server, version: ++versions, offer: before, failure: reason }
      onFailure(server, reason, error)
    }
    slot.at = clock()
    // Said while we asked: what came may be from before.
    if (slot.changes !== changes) slot.life = 0
  }

  /** `undefined` where what is known will do. */
  function freshen(server: string): Promise<void> | undefined {
    const slot = slotOf(server)
    const age = clock() - slot.at
    // Older than now after a clock that was set back: its age cannot be told.
    if (slot.life > 0 && age >= 0 && age < slot.life) return undefined
    const asked = refresh(slot)
    return slot.life > 0 && age >= 0 && age < slot.life * STALE_LIVES ? undefined : asked
  }

  const known = (servers: readonly string[]): readonly Known[] => servers.map((server) => slotOf(server).known)

  return {
    read(servers) {
      const waits = servers.flatMap((server) => freshen(server) ?? [])
      return waits.length === 0 ? known(servers) : Promise.all(waits).then(() => known(servers))
    },
    known,
    changes: () => versions,
    definitionOf(server, tool) {
      const find = (): Entry | undefined => {
        const offer = slots.get(server)?.known.offer
        return offer && toolsOf(offer).get(tool)
      }
      return freshen(server)?.then(find) ?? find()
    },
    forget(server) {
      const slot = slots.get(server)
      if (slot === undefined) return
      slot.life = 0
      slot.changes += 1
      versions += 1
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
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

const isSame = (one: Offer, other: Offer): boolean => JSON.stringify(one) === JSON.stringify(other)
