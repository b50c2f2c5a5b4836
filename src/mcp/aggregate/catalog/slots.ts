// Where what servers offer is kept: one slot a server for everybody, and of a server that lists for each person apart one for each of
// them, no more than so many and no longer than somebody asks.
import type { Caller } from '../../../upstreams/caller.ts'
import type { Offer } from './offer.ts'

/** What is known of a server's lists at this moment. */
export interface Known {
  readonly server: string
  /** Whose they are; `undefined`: everybody's. */
  readonly context?: string | undefined
  /** Changes with what is known, so that what was made of it can be kept as long. */
  readonly version: number
  /** The last one that came; `undefined` before the first. */
  readonly offer: Offer | undefined
  /** Why the last attempt brought none; `connection_needed`: the person has to connect an account of theirs first. */
  readonly failure: string | undefined
}

export interface Slot {
  known: Known
  /** Digest of the offer, and its length in characters. */
  digest: string
  size: number
  /** When the last attempt ended, and how long it counts. */
  at: number
  life: number
  /** How often the server has said that its lists are others now. */
  changes: number
  pending: Promise<void> | undefined
  usedAt: number
}

interface Needs {
  contextOf(server: string, caller: Caller): string | undefined
  now(): number
}

export interface Slots {
  /** Made where there is none. Without a caller: everybody's. */
  of(server: string, caller: Caller | undefined): Slot
  find(server: string, caller: Caller | undefined): Slot | undefined
  /** All of a server, whosever they are. */
  all(server: string): readonly Slot[]
  /** Of one person, under each of their credentials. */
  drop(server: string, subject: string): void
  /** Forgets those of persons whom nobody has asked for a while, and the longest unused of too many. */
  sweep(): void
}

const IDLE = 10 * 60_000
const MOST = 5000
/** Of all personal ones, in characters. */
const LARGEST = 256 * 1024 * 1024

export function createSlots({ contextOf, now }: Needs): Slots {
  const shared = new Map<string, Slot>()
  const personal = new Map<string, Map<string, { slot: Slot; subject: string }>>()
  let count = 0

  const newSlot = (server: string, context: string | undefined): Slot => ({
    known: { server, context, version: 0, offer: undefined, failure: undefined },
    digest: '',
    size: 0,
    at: 0,
    life: 0,
    changes: 0,
    pending: undefined,
    usedAt: now(),
  })

  function find(server: string, caller: Caller | undefined): Slot | undefined {
    const context = caller && contextOf(server, caller)
    return context === undefined ? shared.get(server) : personal.get(server)?.get(context)?.slot
  }

  function remove(server: string, context: string): void {
    if (personal.get(server)?.delete(context)) count -= 1
  }

  function sweep(): void {
    const kept: { server: string; context: string; slot: Slot }[] = []
    for (const [server, slots] of personal)
      for (const [context, { slot }] of slots) {
        if (slot.pending === undefined && now() - slot.usedAt >= IDLE) remove(server, context)
        else kept.push({ server, context, slot })
      }
    kept.sort((one, other) => one.slot.usedAt - other.slot.usedAt)
    let size = kept.reduce((sum, { slot }) => sum + slot.size, 0)
    for (const { server, context, slot } of kept) {
      // Somewhat below the most, so that the next to come does not sweep again.
      if (count <= MOST * 0.9 && size <= LARGEST) break
      if (slot.pending !== undefined) continue
      size -= slot.size
      remove(server, context)
    }
  }

  return {
    find,
    of(server, caller) {
      const held = find(server, caller)
      if (held !== undefined) {
        held.usedAt = now()
        return held
      }
      const context = caller && contextOf(server, caller)
      const slot = newSlot(server, context)
      if (caller === undefined || context === undefined) {
        shared.set(server, slot)
        return slot
      }
      if (count >= MOST) sweep()
      const slots = personal.get(server) ?? new Map<string, { slot: Slot; subject: string }>()
      personal.set(server, slots.set(context, { slot, subject: caller.principal.subject }))
      count += 1
      return slot
    },
    all: (server) => [
      ...(shared.has(server) ? [shared.get(server) as Slot] : []),
      ...[...(personal.get(server)?.values() ?? [])].map(({ slot }) => slot),
    ],
    drop(server, subject) {
      for (const [context, held] of personal.get(server) ?? []) if (held.subject === subject) remove(server, context)
    },
    sweep,
  }
}
