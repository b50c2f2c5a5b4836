// How many authorization requests a network may leave open: each is kept for half an hour, and anyone may start one.
import Provider from 'oidc-provider'
import type { Clock } from '../protocol/clock.ts'
import { networkOf } from '../protocol/network.ts'
import type { Counters } from '../store/ephemeral.ts'
import { temporarilyUnavailable } from './answers.ts'
import { currentCall } from './call.ts'

const WINDOW = 10 * 60_000
/** Enough for a whole office that comes to work behind one address. */
export const MOST_OPENED = 300

/** Counts one that is about to be stored. Refused on a page of ours: sent back, the client would start the next one at once. */
export function openedCounter({ counters, clock }: { counters: Pick<Counters, 'hit'>; clock: Clock }) {
  return async function countOpened(): Promise<void> {
    const network = networkOf(currentCall()?.exchange.address ?? '')
    if ((await counters.hit(`authorize:${network}`, WINDOW, clock())) <= MOST_OPENED) return
    Provider.ctx?.set('Retry-After', String(WINDOW / 1000))
    throw temporarilyUnavailable(429)
  }
}
