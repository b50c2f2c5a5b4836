// What is had from elsewhere for a while: asked for once however many wait, asked for anew ahead of its end, and kept to that end where
// the new one does not come.
import type { Clock } from '../../protocol/clock.ts'

export interface Had<Value> {
  readonly value: Value
  /** From then on a new one is asked for; milliseconds since the epoch. */
  readonly renewAt: number
  /** From then on it is not used. */
  readonly endsAt: number
}

export interface Held<Value> {
  /** At once where it is there. */
  get(): Value | Promise<Value>
  /** It was refused: another one, or `undefined` where that one is itself new. */
  replace(refused: Value): Promise<Value | undefined>
  /** Nothing of it is used any more. */
  ended(): boolean
}

interface Needs<Value> {
  ask(): Promise<Had<Value>>
  readonly clock: Clock
  /** Asking anew ahead of time failed; whoever asks for the value meanwhile has the old one. */
  onFailure(error: unknown): void
}

/** Between attempts where one failed: callers who come again at once do not make us knock as often. */
const PAUSE = 2000
/** What is refused so soon after it was asked for would be refused again. */
const NEW = 10_000

export function held<Value>({ ask, clock, onFailure }: Needs<Value>): Held<Value> {
  let had: Had<Value> | undefined
  let running: Promise<Value> | undefined
  let failed: { readonly error: unknown; readonly until: number } | undefined
  let replacedAt: number | undefined

  async function attempt(): Promise<Value> {
    try {
      had = await ask()
      failed = undefined
      return had.value
    } catch (error) {
      failed = { error, until: clock() + PAUSE }
      throw error
    } finally {
      running = undefined
    }
  }

  function askNow(): Promise<Value> {
    if (running !== undefined) return running
    if (failed !== undefined && clock() < failed.until) return Promise.reject(failed.error)
    running = attempt()
    return running
  }

  function askAhead(): void {
    if (running !== undefined || (failed !== undefined && clock() < failed.until)) return
    askNow().catch(onFailure)
  }

  return {
    get() {
      const now = clock()
      if (had === undefined || now >= had.endsAt) return askNow()
      if (now >= had.renewAt) askAhead()
      return had.value
    },
    async replace(refused) {
      // Somebody else was refused it before, and has asked already.
      if (had === undefined || had.value !== refused) return had?.value ?? askNow()
      if (replacedAt !== undefined && clock() - replacedAt < NEW) return undefined
      replacedAt = clock()
      had = undefined
      return askNow()
    },
    ended: () => running === undefined && (had === undefined || clock() >= had.endsAt),
  }
}

/** One for each key; those that have ended go first, then the oldest. */
export function heldEach<Value>(make: (key: string) => Held<Value>, most = 5000) {
  const entries = new Map<string, Held<Value>>()
  return function heldFor(key: string, made: () => Held<Value> = () => make(key)): Held<Value> {
    const known = entries.get(key)
    if (known !== undefined) return known
    for (const [other, entry] of entries) {
      if (entries.size < most && !entry.ended()) break
      entries.delete(other)
    }
    const entry = made()
    entries.set(key, entry)
    return entry
  }
}
