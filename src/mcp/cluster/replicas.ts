// This replica among the others: it says where it is reached for as long as it lives, and looks others up.
import type { Clock } from '../../protocol/clock.ts'
import type { Replicas } from '../../store/replicas.ts'

const BEAT = 10_000
/** Silent for so long, it is not there any more. Longer than clocks differ; one that does not answer is noticed at once. */
const LIFE = 90_000
/** How long an address is believed: a boot of a replica does not move. */
const BELIEVED = 5000
const REMEMBERED = 1000

export interface Membership {
  /** Says that this one is there, now and from now on. Rejects where the store does not take it. */
  join(): Promise<void>
  leave(): Promise<void>
  /** `undefined`: it is not there, or not any more. */
  addressOf(id: string): Promise<string | undefined>
  /** It does not answer: looked up anew the next time. */
  forget(id: string): void
}

export function createMembership(needs: {
  readonly self: string
  readonly address: string
  readonly rows: Replicas
  readonly clock: Clock
  onError(error: unknown): void
}): Membership {
  const { self, address, rows, clock, onError } = needs
  const known = new Map<string, { address: string; until: number }>()
  let timer: NodeJS.Timeout | undefined
  const beat = () => rows.beat({ id: self, address }, clock() + LIFE)
  return {
    async join() {
      await beat()
      timer = setInterval(() => void beat().catch(onError), BEAT).unref()
    },
    async leave() {
      clearInterval(timer)
      await rows.leave(self)
    },
    async addressOf(id) {
      const now = clock()
      const held = known.get(id)
      if (held !== undefined && now < held.until) return held.address
      const found = await rows.find(id, now)
      if (known.size >= REMEMBERED) known.clear()
      if (found === undefined) known.delete(id)
      else known.set(id, { address: found.address, until: now + BELIEVED })
      return found?.address
    },
    forget: (id) => void known.delete(id),
  }
}
