// How often a password may be tried.
import { createHash } from 'node:crypto'
import type { Clock } from '../protocol/clock.ts'
import { networkOf } from '../protocol/network.ts'
import type { Counters } from '../store/ephemeral.ts'

/** Most attempts in each window: five, then a minute's wait, then a quarter of an hour, then six hours. */
const ATTEMPTS = [
  { most: 5, window: 60_000 },
  { most: 10, window: 900_000 },
  { most: 20, window: 21_600_000 },
] as const

/** Whatever the names: fresh ones must not fill the queue that everyone waits in. Not given back by a success, which anyone may have. */
const OF_NETWORK = { most: 30, window: 60_000 } as const

/** Per account and network: guessing is slowed where it happens, and the person elsewhere still gets in. */
export function attemptsOf(counters: Counters, clock: Clock) {
  const keyOf = (name: string, address: string, window: number) =>
    `sign-in:${createHash('sha256')
      .update(`${name}\n${networkOf(address)}`)
      .digest('base64url')}:${window}`
  return {
    /** Seconds to wait; 0 lets the attempt through. What the short window refuses does not lengthen the long ones. */
    async count(name: string, address: string): Promise<number> {
      const network = `sign-in:${networkOf(address)}`
      if ((await counters.hit(network, OF_NETWORK.window, clock())) > OF_NETWORK.most) return OF_NETWORK.window / 1000
      for (const { most, window } of ATTEMPTS)
        if ((await counters.hit(keyOf(name, address, window), window, clock())) > most) return window / 1000
      return 0
    },
    async forget(name: string, address: string): Promise<void> {
      for (const { window } of ATTEMPTS) await counters.reset(keyOf(name, address, window))
    },
  }
}
