// A field counts from trusted proxies alone. Whoever runs one that is not named hears how to name it, now and then.
import type { Clock } from '../protocol/clock.ts'
import type { Log } from './log.ts'
import { rarely } from './rarely.ts'

const TOLD = { every: 60_000, most: 20 }

/** `what`: the field, as the log calls it. */
export function tellUntrusted(
  what: string,
  { clock, log }: { readonly clock: Clock; readonly log: Pick<Log, 'warn'> },
): (peer: string) => void {
  const isTime = rarely({ ...TOLD, clock })
  return (peer) => {
    const cure = `Add ${peer} to server.trustedProxies if it is your proxy.`
    if (isTime(peer)) log.warn({ peer, setting: 'server.trustedProxies' }, `${what} is ignored. ${cure}`)
  }
}
