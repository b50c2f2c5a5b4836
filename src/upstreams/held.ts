// What is had from elsewhere for a while: asked for once however many wait, asked for anew ahead of its end, and kept to that end where
// the new one does not come.
import type { Clock } from '../protocol/clock.ts'

export interface Had<Value> {
  readonly value: Value
  /** From then on a new one is asked for; milliseconds since the epoch. */
  readonly renewAt: number
  /** From then on it is not used. */
  readonly endsAt: number
}

const MINUTE = 60_000

/** Of something that lives so long from now: another one is asked for a minute ahead of its end, of a short life a tenth. */
export const hadFor = <Value>(value: Value, life: number, now: number): Had<Value> => ({
  value,
  renewAt: now + life - Math.min(MINUTE, life / 10),
  endsAt: now + life,
})

/** Given with each question and not kept: it knows a caller. */
export type Ask<Value> = () => Promise<Had<Value>>

export interface Held<Value> {
  /** At once where it is there. */
  get(ask: Ask<Value>): Value | Promise<Value>
  /** It was refused: another one, or `undefined` where that one is itself new. */
  replace(refused: Value, ask: Ask<Value>): Promise<Value | undefined>
  /** Nothing of it is used any more. */
  ended(): boolean
}

interface Needs {
  readonly clock: Clock
  /** Asking anew ahead of time failed; whoever asks for the value meanwhile has the old one. */
  onFailure(error: unknown): void
}

/** Between attempts where one failed: callers who come again at once do not make us knock as often. */
const PAUSE = 2000
/** What is refused so soon after it was asked for would be refused again. */
const NEW = 10_000

export function held<Value>({ clock, onFailure }: Needs): Held<Value> {
  let had: Had<Value> | undefined
  let running: Promise<Value> | undefined
  let failed: { readonly error: unknown; readonly until: number } | undefined
  let replacedAt: number | undefined

  async function attempt(ask: Ask<Value>): Promise<Value> {
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

  function askNow(ask: Ask<Value>): Promise<Value> {
    if (running !== undefined) return running
    if (failed !== undefined && clock() < failed.until) return Promise.reject(failed.error)
    running = attempt(ask)
    return running
  }

  function askAhead(ask: Ask<Value>): void {
    if (running !== undefined || (failed !== undefined && clock() < failed.until)) return
    askNow(ask).catch(onFailure)
  }

  return {
    get(ask) {
      const now = clock()
      if (had === undefined || now >= had.endsAt) return askNow(ask)
      if (now >= had.renewAt) askAhead(ask)
      return had.value
    },
    async replace(refused, ask) {
      // Somebody else was refused it before, and has asked already.
      if (had === undefined || had.value !== refused) return had?.value ?? askNow(ask)
      if (replacedAt !== undefined && clock() - replacedAt < NEW) return undefined
      replacedAt = clock()
      had = undefined
      return askNow(ask)
    },
    ended: () => running === undefined && (had === undefined || clock() >= had.endsAt),
  }
}

/** One for each key; those that have ended go first, then the oldest. */
export function heldEach<Value>(needs: Needs, most = 5000): (key: string) => Held<Value> {
  const entries = new Map<string, Held<Value>>()
  return (key) => {
    const known = entries.get(key)
    if (known !== undefined) return known
    for (const [other, entry] of entries) {
      if (entries.size < most && !entry.ended()) break
      entries.delete(other)
    }
    const entry = held<Value>(needs)
    entries.set(key, entry)
    return entry
  }
}
