// What one server offers: its introduction and its four lists, each whole or with the reason why it is not there.
import { isRecord } from '../../../protocol/json.ts'
import { type Upstream, UpstreamError } from '../../../upstreams/upstream.ts'
import { failure } from '../../bridge/answer-events.ts'
import type { UpstreamEras } from '../../bridge/upstream-era.ts'
import { FAULTS } from '../../fault.ts'
import { LIST_FORMS, type ListKind } from '../../list-forms.ts'
import { mirrorsAsAllowed } from '../../mirrored-arguments.ts'
import { type Dialogue, isUnknownMethod, openDialogue } from './dialogue.ts'

/** An entry as its server wrote it. */
export type Entry = Readonly<Record<string, unknown>>

export interface Listing {
  readonly entries: readonly Entry[]
  /** Why it could not be had this time. */
  readonly reason?: string
}

export interface Offer {
  readonly era: 'modern' | 'legacy'
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly instructions: string | undefined
  readonly lists: Readonly<Record<ListKind, Listing>>
  /** The shortest time that one of its lists counts, milliseconds, where it says one (MCP 2026-07-28, Caching). */
  readonly ttl: number | undefined
}

const MOST_PAGES = 100
const MOST_ENTRIES = 10_000
/** Of one entry; a definition is read by a model, and kept by us. */
const LONGEST_ENTRY = 256 * 1024
const DEEPEST_ENTRY = 64
/** Of all entries of one list, in characters. */
const LARGEST_LIST = 16 * 1024 * 1024
const LONGEST_INSTRUCTIONS = 16 * 1024

/** Rejects with UpstreamError when the server cannot be talked to, at the latest when the signal ends. */
export async function readOffer(upstream: Upstream, eraOf: UpstreamEras['eraOf'], signal: AbortSignal): Promise<Offer> {
  // The first use of a channel opens it, which no signal ends.
  const dialogue = await inTime(openDialogue(upstream, eraOf, signal), signal)
  try {
    const capabilities = recordOf(dialogue.introduction['capabilities'])
    const ttls: number[] = []
    const list = async (kind: ListKind): Promise<Listing> => {
      if (capabilities[LIST_FORMS[kind].capability] === undefined) return { entries: [] }
      try {
        return { entries: await inTime(readList(dialogue, kind, ttls), signal) }
      } catch (error) {
        if (isUnknownMethod(error)) return { entries: [] }
        if (error instanceof UpstreamError) return { entries: [], reason: error.reason }
        throw error
      }
    }
    const [tools, prompts, resources, resourceTemplates] = await Promise.all([
      list('tools'),
      list('prompts'),
      list('resources'),
      list('resourceTemplates'),
    ])
    const { instructions } = dialogue.introduction
    return {
      era: dialogue.era,
      capabilities,
      instructions: typeof instructions === 'string' ? instructions.slice(0, LONGEST_INSTRUCTIONS) : undefined,
      lists: { tools, prompts, resources, resourceTemplates },
      ttl: ttls.length === 0 ? undefined : Math.min(...ttls),
    }
  } finally {
    dialogue.end()
  }
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> => (isRecord(value) ? value : {})

function inTime<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const late = new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(failure(FAULTS.timeout))
    signal.addEventListener('abort', () => reject(failure(FAULTS.timeout)), { once: true })
  })
  return Promise.race([answer, late])
}

async function readList(dialogue: Dialogue, kind: ListKind, ttls: number[]): Promise<readonly Entry[]> {
  const { method } = LIST_FORMS[kind]
  const found = new Map<string, Entry>()
  let size = 0
  let count = 0
  let cursor: string | undefined
  for (let page = 0; page < MOST_PAGES; page++) {
    const result = await dialogue.ask(method, cursor === undefined ? {} : { cursor })
    const entries = result[kind]
    if (!Array.isArray(entries)) throw failure(FAULTS.protocol)
    const { nextCursor, ttlMs } = result
    if (typeof ttlMs === 'number' && ttlMs >= 0) ttls.push(ttlMs)
    for (const entry of entries) {
      const text = JSON.stringify(entry)
      // Of what is left out, too: nobody keeps us reading for nothing.
      size += text.length
      count += 1
      if (count > MOST_ENTRIES || size > LARGEST_LIST) throw failure(FAULTS.too_large)
      const key = text.length > LONGEST_ENTRY ? undefined : keyOf(entry, kind)
      if (key !== undefined && !found.has(key) && isUsable(entry, kind, dialogue.era)) found.set(key, entry)
    }
    if (typeof nextCursor !== 'string') return [...found.values()]
    cursor = nextCursor
  }
  throw failure(FAULTS.too_large)
}

/** What is no entry, or too much of one, is left out; the others are not to suffer for it. */
function keyOf(entry: unknown, kind: ListKind): string | undefined {
  const key = isRecord(entry) && isShallow(entry) ? entry[LIST_FORMS[kind].key] : undefined
  return typeof key === 'string' && key !== '' ? key : undefined
}

/** MCP 2026-07-28, Transports (schema extension): here we are the client, who leaves out what wants its arguments repeated in a wrong way. */
const isUsable = (entry: Entry, kind: ListKind, era: Offer['era']): boolean =>
  kind !== 'tools' || era === 'legacy' || mirrorsAsAllowed(entry)

/** No deeper than what can be written again without a stack of its own. */
function isShallow(entry: object): boolean {
  let level: unknown[] = [entry]
  for (let depth = 0; depth < DEEPEST_ENTRY; depth++) {
    const next: unknown[] = []
    for (const value of level)
      if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) next.push(inner)
    if (next.length === 0) return true
    level = next
  }
  return false
}
