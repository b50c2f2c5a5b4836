// The store behind shared meters: when it does not answer, nobody waits for it, every replica counts alone, and it is asked now and then
// whether it is back.
import type { Clock } from '../protocol/clock.ts'
import type { Allowances } from '../store/ephemeral.ts'
import type { Exchange } from './limits-shared.ts'

interface Needs {
  readonly allowances: Allowances
  readonly clock: Clock
  /** Counting becomes each replica's own, or common again. */
  onChange(up: boolean, error?: unknown): void
}

/** Longest that a call can wait because of it, milliseconds. Counting alone lets more through: a store that is only slow is worth a wait. */
const PATIENCE = 1000
const TRY_EVERY = 5000

export function openExchange({ allowances, clock, onChange }: Needs): Exchange {
  let up = true
  let tryAt = 0

  function failed(error: unknown): void {
    tryAt = clock() + TRY_EVERY
    if (!up) return
    up = false
    onChange(up, error)
  }

  function answered(): void {
    if (up) return
    up = true
    onChange(up)
  }

  return {
    isUp: () => up,
    mayTry(now) {
      // Later than it could be: the clock was set back.
      if (now < tryAt && tryAt - now <= TRY_EVERY) return false
      tryAt = now + TRY_EVERY
      return true
    },
    async take(asked) {
      try {
        const grant = await soon(allowances.take(asked))
        answered()
        return grant
      } catch (error) {
        failed(error)
        return undefined
      }
    },
  }
}

function soon<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new Error(`The store did not answer within ${PATIENCE} ms.`))
    // Timers come before sockets: an answer that came while this process was busy is read first.
    timer = setTimeout(() => setImmediate(() => setImmediate(giveUp)), PATIENCE)
  })
  return Promise.race([answer, late]).finally(() => clearTimeout(timer))
}
